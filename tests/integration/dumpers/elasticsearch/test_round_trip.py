"""Dump, empty the cluster, restore: the same bytes, definitions and numbers on every release."""

import json
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from dumpers.contract.notes import NoteCode
from dumpers.engines.elasticsearch.engine import ENGINE
from dumpers.engines.elasticsearch.read import cursor, point_in_time
from dumpers.engines.elasticsearch.read.documents import PARALLEL
from dumpers.engines.elasticsearch.read.page_size import LARGEST
from dumpers.runtime.errors import SourceRefusedError, TargetFailedError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.elasticsearch.conftest import (
    connection,
    dump,
    job,
    pieces,
    unwrapped,
)
from tests.integration.dumpers.elasticsearch.worlds import (
    EXACT,
    ODD,
    create,
    documents,
    fill,
    fingerprint,
    put,
)
from tests.testbed.databases.search import SearchServer
from tests.testbed.toolchain.processes import wait_until

# The oldest and the newest ones, for what does not hang on the release.
_SOME = pytest.mark.parametrize(
    "server", ["elasticsearch-6", "elasticsearch-9", "opensearch-3"], indirect=True
)


def test_everything_comes_back_as_it_was(server: SearchServer) -> None:
    fill(server)
    before = fingerprint(server)
    exact = documents(server, "books", EXACT)
    assert exact == {key: source.encode() for key, source in EXACT.items()}
    source, parts = dump(job(server))
    assert source.server_version.endswith(server.version)
    lines = parts["data"][0].splitlines()
    counts = {"books": 20 + len(EXACT), ODD: 1, "nothing": 0, "many": 2500}
    if server.is_opensearch:
        streams = unwrapped(parts["data_stream"][0])["data_streams"]
        assert isinstance(streams, list)
        [backing] = [[index["index_name"] for index in one["indices"]] for one in streams]
        counts |= dict(zip(backing, (2, 1), strict=True))
    assert parts["data"][1] == {"documents": counts}
    assert len(lines) == sum(counts.values())
    by_code = {note.code: note for note in source.notes}
    assert by_code[NoteCode.UNREADABLE].objects == ("shut",)
    assert ".own" in by_code[NoteCode.NOT_CHOSEN].objects
    assert parts["index"][1]["closed"] == ["shut"]

    server.clear()
    notes = ENGINE.restore(connection(server), pieces(parts), Interrupt()).notes
    assert notes == ()
    assert documents(server, "books", EXACT) == exact
    assert fingerprint(server) == before
    inspected = ENGINE.inspect(connection(server), Interrupt())
    expected = {name: count for name, count in counts.items() if not name.startswith(".ds-")}
    assert inspected == expected | ({"flow-a": 3} if server.is_opensearch else {})
    _, again = dump(job(server))
    apart = [
        sorted(line for line in found.splitlines() if b'"_index":".ds-' not in line)
        for found in (parts["data"][0], again["data"][0])
    ]
    assert apart[0] == apart[1]
    assert again["mapping"][0] == parts["mapping"][0] or server.is_opensearch


def test_documents_are_those_of_one_moment(server: SearchServer) -> None:
    create(server, "many", shards=3)
    server.bulk("many", {f"{number}": '{"n":1}' for number in range(3000)})
    with ENGINE.open(job(server, ELASTICDUMP_LIMIT="100"), Interrupt()) as opened:
        [data] = [stream for stream in opened.streams if stream.name == "data"]
        with data.open(Interrupt()) as reader:
            first = reader.read(1000)
            server.bulk("many", {f"{number}": '{"n":2}' for number in range(1000, 4000)})
            rest = b"".join(iter(lambda: reader.read(1 << 17), b""))
        assert data.metadata()["documents"] == {"many": 3000}
    lines = [json.loads(line) for line in (first + rest).splitlines()]
    assert {line["_id"] for line in lines} == {f"{number}" for number in range(3000)}
    assert {line["_source"]["n"] for line in lines} == {1}


@pytest.mark.parametrize(
    "server",
    ["elasticsearch-7", "elasticsearch-9", "opensearch-2", "opensearch-3"],
    indirect=True,
)
@pytest.mark.parametrize("shards", [1, 2])
def test_slices_of_a_shard_hold_each_document_once(
    server: SearchServer, shards: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, parts_of = list[object](), point_in_time._parts

    def noted(*args: Any) -> Sequence[object]:
        found = parts_of(*args)
        made.extend(found)
        return found

    monkeypatch.setattr(point_in_time, "_SLICED_BYTES", 1)
    monkeypatch.setattr(point_in_time, "_parts", noted)
    create(server, "many", shards=shards)
    # Nested documents have numbers of their own, and those of what is written over stay empty.
    source = '{{"n":{0},"parts":[{{"n":1}},{{"n":2}}]}}'
    for start in (*range(0, 3000, 500), 0, 500):
        numbers = range(start, start + 500)
        server.bulk("many", {f"{number}": source.format(number) for number in numbers})
        server.ask("POST", "/many/_refresh")
    _, parts = dump(job(server, ELASTICDUMP_LIMIT="100"))
    assert len(made) == PARALLEL
    lines = [json.loads(line) for line in parts["data"][0].splitlines()]
    assert sorted(line["_source"]["n"] for line in lines) == [*range(3000)]


@pytest.mark.parametrize("server", ["opensearch-2", "opensearch-3"], indirect=True)
@pytest.mark.parametrize("count", [2, 9])
def test_slices_of_large_documents(
    server: SearchServer, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(point_in_time, "_SLICED_BYTES", 1)
    fill_with_large(server, count)
    _, parts = dump(job(server))
    assert parts["data"][1] == {"documents": {"large": count}}


@pytest.mark.parametrize("server", ["opensearch-3"], indirect=True)
def test_whoever_waits_for_room_keeps_the_point_in_time(
    server: SearchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed = threading.Event()
    renew = point_in_time._Slice.renew

    def noted(self: point_in_time._Slice, interrupt: Interrupt) -> None:
        renew(self, interrupt)
        renewed.set()

    monkeypatch.setattr(point_in_time, "_SLICED_BYTES", 1)
    monkeypatch.setattr(cursor, "RENEWED_SECONDS", 0.01)
    monkeypatch.setattr(point_in_time._Slice, "renew", noted)
    fill_with_large(server, 4)
    with ENGINE.open(job(server), Interrupt()) as opened:
        data = next(stream for stream in opened.streams if stream.name == "data")
        with data.open(Interrupt()) as reader:
            # One document has the room as long as it is not written.
            assert reader.read(1)
            assert renewed.wait(60)
            while reader.read(1 << 20):
                pass
        assert data.metadata() == {"documents": {"large": 4}}


def fill_with_large(server: SearchServer, count: int) -> None:
    """Documents that each need the room of large pages."""
    create(server, "large")
    text = "x" * (LARGEST + 1)
    for number in range(count):
        put(server, "large", f"{number}", f'{{"any":{{"text":"{text}"}}}}')
    server.ask("POST", "/large/_refresh")


def test_line_ends_and_comments_of_documents(server: SearchServer) -> None:
    create(server, "books")
    put(server, "books", "spread", '{\r\n  "name": "a // b /* c */ \\"",\n\n  "n" :\t1\n}')
    put(server, "books", "commented", '{"n": 1, // one\n /* "x" */ "name": "//"}')
    server.ask("POST", "/books/_refresh")
    _, parts = dump(job(server))
    lines = {json.loads(line)["_id"]: line for line in parts["data"][0].splitlines()}
    assert b'"name": "a // b /* c */ \\"",' in lines["spread"]
    assert json.loads(lines["commented"])["_source"] == {"n": 1, "name": "//"}
    assert parts["data"][1]["comments_left_out"] == ["books"]


def test_versions_come_back(server: SearchServer) -> None:
    create(server, "books")
    for number in range(3):
        put(server, "books", "twice", f'{{"n":{number}}}')
    server.ask("POST", "/books/_refresh")
    _, parts = dump(job(server, KSNAPSHOT_DOCUMENT_VERSIONS="true"))
    assert b'"_version":3' in parts["data"][0]
    server.clear()
    ENGINE.restore(connection(server), pieces(parts), Interrupt())
    assert server.ask("GET", "/books/_doc/twice")["_version"] == 3


@_SOME
def test_large_documents(server: SearchServer) -> None:
    create(server, "large")
    for number in range(6):
        text = f"{number}" * (11 << 20 if number == 3 else 3 << 20)
        body = f'{{"any":{{"text":"{text}"}}}}'
        path = f"/large/_doc/{number}"
        # A small server may want to have written the last ones first.
        wait_until(
            partial(_is_put, server, path, body),
            seconds=60,
            what=path,
        )
    put(server, "large", "small", "{}")
    server.ask("POST", "/large/_refresh")
    _, parts = dump(job(server))
    assert parts["data"][1] == {"documents": {"large": 7}}
    found = {json.loads(line)["_id"]: len(line) for line in parts["data"][0].splitlines()}
    assert found["3"] > 11 << 20
    server.clear()
    ENGINE.restore(connection(server), pieces(parts), Interrupt())
    assert ENGINE.inspect(connection(server), Interrupt()) == {"large": 7}


def _is_put(server: SearchServer, path: str, body: str) -> bool:
    return server.raw("PUT", path, body)[0] in {200, 201}


@_SOME
def test_patterns_choose(server: SearchServer) -> None:
    for name in ("a-1", "a-2", "b-1", ".own"):
        create(server, name)
        put(server, name, "1", "{}")
    server.ask("POST", "/_all/_refresh")
    for patterns, wanted in (
        ("a*,-a-2", ["a-1"]),
        ("-a*", ["b-1"]),
        (".own,b-1", [".own", "b-1"]),
        ("*", ["a-1", "a-2", "b-1"]),
    ):
        _, parts = dump(job(server, KSNAPSHOT_INDICES=patterns))
        assert [*unwrapped(parts["index"][0])] == wanted
        documents = parts["data"][1]["documents"]
        assert isinstance(documents, dict)
        assert [*documents] == wanted
    with pytest.raises(SourceRefusedError, match="'c-1'"):
        dump(job(server, KSNAPSHOT_INDICES="a-1,c-1"))


@_SOME
def test_a_target_that_has_one_of_them(server: SearchServer) -> None:
    create(server, "books")
    put(server, "books", "1", "{}")
    server.ask("POST", "/books/_refresh")
    _, parts = dump(job(server))
    with pytest.raises(TargetRefusedError, match="'books'"):
        ENGINE.restore(connection(server), pieces(parts), Interrupt())


@_SOME
def test_documents_that_do_not_load_are_named(server: SearchServer) -> None:
    create(server, "books")
    put(server, "books", "1", '{"n":1}')
    server.ask("POST", "/books/_refresh")
    _, parts = dump(job(server))
    server.clear()
    data, metadata = parts["data"]
    broken = {**parts, "data": (data.replace(b'{"n":1}', b'{"n":"one"}'), metadata)}
    with pytest.raises(TargetFailedError, match=r"refuses 1 of 1 documents.*partly filled"):
        ENGINE.restore(connection(server), pieces(broken), Interrupt())
    server.clear()
    short = {**parts, "data": (b"", metadata)}
    with pytest.raises(TargetFailedError, match="books: 1 dumped, 0 sent, 0 there"):
        ENGINE.restore(connection(server), pieces(short), Interrupt())
