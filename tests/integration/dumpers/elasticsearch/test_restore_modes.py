"""Restores into a cluster that has the indices already: each mode, and back.

On a release that clones indices, on one that has data streams, and on the one that has neither.
"""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest

from controller.client.restore.left import what_is_left
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.contract.restore.result import RestoreResult
from dumpers.engines.elasticsearch.engine import ENGINE
from dumpers.engines.elasticsearch.load import exchange
from dumpers.engines.elasticsearch.spec import SPEC
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import KsnapshotError, StorageFailedError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader
from tests.integration.dumpers.elasticsearch.conftest import (
    connection,
    dump,
    job,
    pieces,
)
from tests.integration.dumpers.elasticsearch.worlds import ODD, create, put
from tests.testbed.databases.search import SearchServer

NOW = Interrupt()
BESIDE = RestoreRequest(mode=RestoreMode.BESIDE)
SWAP = RestoreRequest(mode=RestoreMode.SWAP)
OVERWRITE = RestoreRequest(mode=RestoreMode.OVERWRITE)

_EACH = pytest.mark.parametrize(
    "server", ["elasticsearch-6", "elasticsearch-9", "opensearch-3"], indirect=True
)
_ONE = pytest.mark.parametrize("server", ["opensearch-3"], indirect=True)


def refresh(server: SearchServer) -> None:
    server.ask("POST", "/_all/_refresh")


def fill(server: SearchServer) -> None:
    """Two indices, the first behind an alias that shows a part of it."""
    create(server, "books-1", shards=2)
    create(server, ODD)
    for number in range(10):
        put(server, "books-1", f"{number}", f'{{"n":{number}}}')
    put(server, ODD, "1", '{"n":1}')
    term = {"range": {"n": {"gte": 0}}}
    server.ask("PUT", "/books-1/_alias/books", {"filter": term})
    refresh(server)


def go_on(server: SearchServer) -> None:
    """What becomes of them since."""
    server.ask("DELETE", "/books-1/_doc/3")
    put(server, "books-1", "1", '{"n":100}')
    put(server, "books-1", "new", '{"n":101}')
    put(server, ODD, "2", '{"n":2}')
    refresh(server)


def content(server: SearchServer, index: str) -> dict[str, Any]:
    answer = server.ask("GET", f"/{quoted(index)}/_search?size=100")
    return {hit["_id"]: hit["_source"] for hit in answer["hits"]["hits"]}


def quoted(name: str) -> str:
    return quote(name, safe="")


def names(server: SearchServer) -> set[str]:
    found = server.ask("GET", "/_all?expand_wildcards=all")
    return {name for name in found if not name.startswith(".")}


def backed_up(server: SearchServer) -> list[StoredDump]:
    fill(server)
    return list(pieces(dump(job(server))[1]))


def restore(server: SearchServer, parts: list[StoredDump], request: RestoreRequest) -> Any:
    """What it is to do comes true."""
    plan = ENGINE.plan_restore(connection(server), parts, NOW, request)
    done = ENGINE.restore(connection(server), parts, NOW, request)
    assert done.creates == plan.creates
    return done


@_EACH
def test_each_mode(server: SearchServer) -> None:
    parts = backed_up(server)
    before = {name: content(server, name) for name in ("books-1", ODD)}
    go_on(server)
    later = {name: content(server, name) for name in ("books-1", ODD)}
    assert later != before

    done = restore(server, parts, BESIDE)
    assert done.creates == (("books-1", "books-1_restored"), (ODD, f"{ODD}_restored"))
    assert content(server, "books-1_restored") == before["books-1"]
    assert content(server, f"{ODD}_restored") == before[ODD]
    assert {name: content(server, name) for name in later} == later
    assert set(server.ask("GET", "/_alias/books")) == {"books-1"}
    with pytest.raises(TargetRefusedError, match=r"'books-1_restored'.*forget them"):
        ENGINE.plan_restore(connection(server), parts, NOW, BESIDE)
    for _ in range(2):
        ENGINE.forget(connection(server), [new for _, new in done.creates], NOW)
        assert names(server) == {"books-1", ODD}

    with pytest.raises(TargetRefusedError, match=r"behind no alias.*deleted"):
        ENGINE.plan_restore(connection(server), parts, NOW, SWAP)
    books = replace(SWAP, tables=("books-*",))
    alias = server.ask("GET", "/_alias/books")["books-1"]
    done = restore(server, parts, books)
    assert done.kept == (("books", "books-1"),)
    assert content(server, "books") == before["books-1"]
    assert server.ask("GET", "/_alias/books") == {"books-1_restored": alias}
    with pytest.raises(TargetRefusedError, match=r"'books-1_restored \(by books\)'"):
        ENGINE.forget(connection(server), ["books-1_restored"], NOW)
    for _ in range(2):
        ENGINE.undo(connection(server), done.kept, NOW)
        assert server.ask("GET", "/_alias/books") == {"books-1": alias}
    # What is live again is not what was kept.
    with pytest.raises(TargetRefusedError, match="in use, and nothing was deleted"):
        ENGINE.forget(connection(server), [kept for _, kept in done.kept], NOW)
    ENGINE.forget(connection(server), [new for _, new in done.creates], NOW)
    assert {name: content(server, name) for name in later} == later

    plan = ENGINE.plan_restore(connection(server), parts, NOW, OVERWRITE)
    assert any("an instant without" in action for action in plan.actions)
    settings = server.ask("GET", f"/{quoted(ODD)}/_settings/index.number_*")
    done = restore(server, parts, OVERWRITE)
    assert done.notes == ()
    assert {name: content(server, name) for name in before} == before
    assert names(server) == {"books-1", ODD}
    assert server.ask("GET", "/_alias/books") == {"books-1": alias}
    assert server.ask("GET", f"/{quoted(ODD)}/_settings/index.number_*") == settings
    put(server, "books-1", "more", '{"n":1}')


@_ONE
def test_nothing_is_left_to_drop_by_hand(server: SearchServer) -> None:
    """After a swap and its undo, what the command would forget is the restored index."""
    parts = backed_up(server)
    before = names(server)
    request = replace(SWAP, tables=("books-*",))
    done = restore(server, parts, request)
    variable = {"name": "KSNAPSHOT_RESTORE", "value": request.to_json()}
    job = {"spec": {"template": {"spec": {"containers": [{"name": "job", "env": [variable]}]}}}}
    said = RestoreResult(
        succeeded=True,
        exit_code=0,
        reason="Succeeded",
        message="",
        restored=done.creates,
        kept=done.kept,
    )
    left = what_is_left(job, said, SPEC)
    assert left.names == ("books-1",)
    ENGINE.undo(connection(server), left.kept, NOW)
    left = what_is_left(job, said, SPEC, is_undone=True)
    ENGINE.forget(connection(server), left.names, NOW)
    assert names(server) == before
    assert set(server.ask("GET", "/_alias/books")) == {"books-1"}
    assert len(content(server, "books")) == 10


@_ONE
def test_a_name_that_is_an_alias(server: SearchServer) -> None:
    parts = backed_up(server)
    server.ask("DELETE", "/books-1")
    create(server, "real")
    put(server, "real", "x", '{"n":1}')
    server.ask("PUT", "/real/_alias/books-1", {})
    refresh(server)
    books = replace(SWAP, tables=("books-1",))
    done = restore(server, parts, books)
    assert done.kept == (("books-1", "real"),)
    assert len(content(server, "books-1")) == 10
    ENGINE.undo(connection(server), done.kept, NOW)
    assert set(content(server, "books-1")) == {"x"}
    ENGINE.forget(connection(server), [new for _, new in done.creates], NOW)
    done = restore(server, parts, replace(OVERWRITE, tables=("books-1",)))
    assert len(content(server, "books-1")) == 10
    assert "real" not in names(server)
    assert any("is an alias" in note for note in done.notes)
    server.ask("PUT", f"/{quoted(ODD)}/_alias/books-1", {})
    with pytest.raises(TargetRefusedError, match="leads to several indices"):
        ENGINE.plan_restore(connection(server), parts, NOW, replace(books, suffix="_again"))


@_EACH
@pytest.mark.parametrize("mode", [RestoreMode.BESIDE, RestoreMode.SWAP, RestoreMode.OVERWRITE])
def test_a_reader_that_breaks_leaves_what_is_live(server: SearchServer, mode: RestoreMode) -> None:
    parts = broken(backed_up(server))
    go_on(server)
    later = content(server, "books-1")
    request = RestoreRequest(mode=mode, tables=("books-*",))
    with pytest.raises(StorageFailedError, match=r"damaged.*nothing that was live is touched"):
        ENGINE.restore(connection(server), parts, NOW, request)
    assert content(server, "books-1") == later
    assert set(server.ask("GET", "/_alias/books")) == {"books-1"}
    with pytest.raises(TargetRefusedError, match="forget them"):
        ENGINE.restore(connection(server), parts, NOW, request)
    ENGINE.forget(connection(server), ["books-1_restored"], NOW)
    assert names(server) == {"books-1", ODD}


class _Broken:
    """A reader whose end is not proven."""

    def __init__(self, source: Reader) -> None:
        self._source = source

    def read(self, size: int = -1, /) -> bytes:
        data = self._source.read(size)
        if not data:
            raise StorageFailedError("the object is damaged")
        return data


def broken(parts: list[StoredDump]) -> list[StoredDump]:
    @contextlib.contextmanager
    def opened(piece: StoredDump) -> Iterator[Reader]:
        with piece.open() as reader:
            yield _Broken(reader)

    return [
        replace(piece, open=partial(opened, piece)) if piece.name == "data" else piece
        for piece in parts
    ]


@_ONE
def test_an_index_that_cannot_be_made_anew_is_stood_in_for(
    server: SearchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = backed_up(server)
    go_on(server)

    def fails(*_: object) -> None:
        raise StorageFailedError("no more")

    monkeypatch.setattr(exchange, "_make", fails)
    request = replace(OVERWRITE, tables=(ODD,))
    with pytest.raises(KsnapshotError, match=r"is an alias of .* now; all documents"):
        ENGINE.restore(connection(server), parts, NOW, request)
    assert set(content(server, ODD)) == {"1"}
    put(server, ODD, "2", '{"n":2}')


@_ONE
def test_parts_and_names(server: SearchServer) -> None:
    parts = backed_up(server)
    with pytest.raises(TargetRefusedError, match=r"'gone-\*'"):
        ENGINE.plan_restore(connection(server), parts, NOW, replace(BESIDE, tables=("gone-*",)))
    with pytest.raises(TargetRefusedError, match="neither databases nor partitions"):
        ENGINE.plan_restore(connection(server), parts, NOW, replace(BESIDE, databases=("x",)))
    request = RestoreRequest(tables=("books-1",), names={"books-1": "volumes"})
    done = restore(server, parts, request)
    assert done.creates == (("books-1", "volumes"),)
    assert len(content(server, "volumes")) == 10
    # Whoever reads by the alias finds what was found before.
    assert set(server.ask("GET", "/_alias/books")) == {"books-1"}
    assert any("alias books" in note for note in done.notes)
    for bad in ("Big", "a b", "x" * 300):
        with pytest.raises(TargetRefusedError, match="can be no name"):
            ENGINE.plan_restore(
                connection(server), parts, NOW, replace(request, names={"books-1": bad})
            )
    ENGINE.forget(connection(server), ["volumes"], NOW)


@_ONE
def test_a_template_that_would_reach_for_copies(server: SearchServer) -> None:
    parts = backed_up(server)
    template = {"index_patterns": ["books*"], "template": {"aliases": {"books": {}}}}
    server.ask("PUT", "/_index_template/reaching", template)
    with pytest.raises(TargetRefusedError, match="template reaching would put books-1_restored"):
        ENGINE.plan_restore(connection(server), parts, NOW, BESIDE)
    ENGINE.plan_restore(connection(server), parts, NOW, replace(BESIDE, names={"books-1": "b"}))


@_ONE
def test_templates_are_not_replaced_without_a_word(server: SearchServer) -> None:
    mine = {"index_patterns": ["mine*"], "template": {"settings": {"number_of_shards": 2}}}
    server.ask("PUT", "/_index_template/mine", mine)
    server.ask("PUT", "/_index_template/same", mine | {"priority": 2})
    server.ask("PUT", "/_index_template/gone", mine | {"priority": 3})
    server.ask("PUT", "/_ingest/pipeline/p", {"processors": []})
    parts = backed_up(server)
    server.ask("DELETE", "/_index_template/gone")
    other = {"index_patterns": ["mine*"], "template": {"settings": {"number_of_shards": 1}}}
    server.ask("PUT", "/_index_template/mine", other)

    def shards() -> str:
        [found] = server.ask("GET", "/_index_template/mine")["index_templates"]
        return str(found["index_template"]["template"]["settings"]["index"]["number_of_shards"])

    plan = ENGINE.plan_restore(connection(server), parts, NOW, OVERWRITE)
    assert any("'/_index_template/mine'" in note for note in plan.notes)
    done = restore(server, parts, OVERWRITE)
    assert [note for note in done.notes if "another one" in note] == [
        "/_index_template/mine is another one than in the backup, and was left as it is"
    ]
    assert shards() == "1"
    assert server.ask("GET", "/_index_template/gone")
    done = restore(server, parts, replace(OVERWRITE, globals=True))
    assert shards() == "2"
    assert done.notes == ()


@_ONE
def test_data_streams(server: SearchServer) -> None:
    template = {"index_patterns": ["flow-*"], "data_stream": {}, "priority": 9}
    server.ask("PUT", "/_index_template/flows", template)
    for number in range(3):
        server.ask(
            "PUT", f"/flow-a/_create/{number}", '{"@timestamp":"2026-01-01T00:00:00Z","n":1}'
        )
        server.ask("POST", "/flow-a/_rollover")
    refresh(server)
    parts = list(pieces(dump(job(server))[1]))
    server.ask("PUT", "/flow-a/_create/9", '{"@timestamp":"2026-01-01T00:00:00Z","n":9}')
    refresh(server)
    with pytest.raises(TargetRefusedError, match="data stream, which cannot change places"):
        ENGINE.plan_restore(connection(server), parts, NOW, SWAP)
    done = restore(server, parts, BESIDE)
    assert len(content(server, "flow-a_restored")) == 3
    assert len(content(server, "flow-a")) == 4
    ENGINE.forget(connection(server), [new for _, new in done.creates], NOW)
    # Where no template makes it a stream, it is an index.
    named = replace(BESIDE, names={"flow-a": "plain"})
    plan = ENGINE.plan_restore(connection(server), parts, NOW, named)
    assert any("is an index, not a data stream" in note for note in plan.notes)
    done = restore(server, parts, named)
    assert len(content(server, "plain")) == 3
    ENGINE.forget(connection(server), ["plain"], NOW)
    restore(server, parts, OVERWRITE)
    assert len(content(server, "flow-a")) == 3
    streams = server.ask("GET", "/_data_stream")["data_streams"]
    assert [stream["name"] for stream in streams] == ["flow-a"]


@_ONE
def test_what_the_cluster_cannot_take(server: SearchServer) -> None:
    parts = backed_up(server)
    limit = {"transient": {"cluster.max_shards_per_node": 3}}
    server.ask("PUT", "/_cluster/settings", limit)
    try:
        with pytest.raises(TargetRefusedError, match="may have 3 shards"):
            ENGINE.plan_restore(connection(server), parts, NOW, BESIDE)
    finally:
        usual = {"transient": {"cluster.max_shards_per_node": None}}
        server.ask("PUT", "/_cluster/settings", usual)
    server.ask("PUT", "/books-1/_settings", {"index.blocks.read_only_allow_delete": True})
    with pytest.raises(TargetRefusedError, match=r"flood stage.*'books-1'"):
        ENGINE.plan_restore(connection(server), parts, NOW, BESIDE)
    server.ask("PUT", "/books-1/_settings", {"index.blocks.read_only_allow_delete": None})


@_ONE
def test_a_backup_of_a_newer_release_or_with_plugins(server: SearchServer) -> None:
    parts = backed_up(server)

    def changed(**more: Any) -> list[StoredDump]:
        [index] = [piece for piece in parts if piece.name == "index"]
        fresh = replace(index, metadata={**index.metadata, **more})
        return [fresh if piece is index else piece for piece in parts]

    newer = changed(server="OpenSearch 9.1.0")
    with pytest.raises(TargetRefusedError, match="same major release or a newer one"):
        ENGINE.plan_restore(connection(server), newer, NOW, BESIDE)
    plan = ENGINE.plan_restore(
        connection(server), changed(server="Elasticsearch 8.1.0"), NOW, BESIDE
    )
    assert any("backup is of Elasticsearch 8.1.0" in note for note in plan.notes)
    [index] = [piece for piece in parts if piece.name == "index"]
    with index.open() as reader:
        text = reader.read()
    text = text.replace(b"standard", b"icu_tokenizer")
    wants = replace(index, open=lambda: contextlib.nullcontext(io.BytesIO(text)))
    pieces_ = [wants if piece is index else piece for piece in parts]
    with pytest.raises(TargetRefusedError, match="needs the plugin analysis-icu"):
        ENGINE.plan_restore(connection(server), pieces_, NOW, BESIDE)
