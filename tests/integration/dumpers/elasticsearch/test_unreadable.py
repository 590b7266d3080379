"""Indices that cannot be read: left out with a note, unless somebody named them."""

import pytest

from dumpers.contract.notes import NoteCode
from dumpers.engines.elasticsearch.engine import ENGINE
from dumpers.engines.elasticsearch.survey import listing
from dumpers.runtime.errors import KsnapshotError, SourceFailedError, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.elasticsearch.conftest import (
    connection,
    dump,
    job,
    pieces,
    unwrapped,
)
from tests.integration.dumpers.elasticsearch.worlds import create
from tests.testbed.databases.search import SearchServer

# The oldest and the newest ones: what is between answers as one of them does.
pytestmark = pytest.mark.parametrize(
    "server", ["elasticsearch-6", "elasticsearch-9", "opensearch-3"], indirect=True
)


def shut(server: SearchServer, how: str) -> None:
    """An index that can be read, and one that cannot."""
    create(server, "open")
    server.bulk("open", {"1": '{"n":1}'})
    if how == "red":
        nowhere = {"number_of_shards": 1, "routing.allocation.require._name": "nobody"}
        server.ask("PUT", "/shut?wait_for_active_shards=0", {"settings": {"index": nowhere}})
        return
    create(server, "shut")
    server.bulk("shut", {"1": '{"n":1}'})
    if how == "closed":
        server.ask("POST", "/shut/_close")
    else:
        server.ask("PUT", "/shut/_settings", {f"index.blocks.{how}": True})


def unshut(server: SearchServer, how: str) -> None:
    if how in {"read", "metadata"}:
        server.ask("PUT", "/shut/_settings", {f"index.blocks.{how}": False})


@pytest.mark.parametrize("how", ["read", "metadata", "closed", "red"])
def test_what_nobody_named_is_left_out(server: SearchServer, how: str) -> None:
    shut(server, how)
    try:
        for patterns in ("", "*", "op*,sh*"):
            source, parts = dump(job(server, KSNAPSHOT_INDICES=patterns))
            assert parts["data"][1] == {"documents": {"open": 1}}
            [note] = source.notes
            assert note.code is NoteCode.UNREADABLE
            assert note.objects == ("shut",)
            # What can be taken is there.
            kept = ["open"] if how == "metadata" else ["open", "shut"]
            assert [*unwrapped(parts["index"][0])] == kept
        for patterns in ("open", "*,-shut"):
            source, parts = dump(job(server, KSNAPSHOT_INDICES=patterns))
            assert parts["data"][1] == {"documents": {"open": 1}}
            assert source.notes == ()
    finally:
        unshut(server, how)


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ("read", SourceRefusedError, "index.blocks.read is set"),
        ("metadata", SourceRefusedError, "index.blocks.metadata is set"),
        ("red", SourceFailedError, "red, that is"),
    ],
)
def test_what_was_named_fails(
    server: SearchServer, how: str, kind: type[KsnapshotError], words: str
) -> None:
    shut(server, how)
    try:
        with pytest.raises(kind, match=f"'shut' .*{words}.*annotation indices"):
            dump(job(server, KSNAPSHOT_INDICES="open,shut"))
    finally:
        unshut(server, how)


def test_many_that_nobody_may_look_at(
    server: SearchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PATH_BYTES", 40)
    names = [f"shut-{number}-{'x' * 20}" for number in range(4)]
    for name in names:
        create(server, name)
        server.ask("PUT", f"/{name}/_settings", {"index.blocks.metadata": True})
    try:
        for number in range(5):
            create(server, f"open-{number}")
            server.bulk(f"open-{number}", {"1": "{}"})
        source, parts = dump(job(server))
        assert parts["data"][1] == {"documents": {f"open-{number}": 1 for number in range(5)}}
        assert [note.objects for note in source.notes] == [tuple(names)]
    finally:
        for name in names:
            server.ask("PUT", f"/{name}/_settings", {"index.blocks.metadata": False})


def test_what_could_not_be_read_is_restored_empty(server: SearchServer) -> None:
    shut(server, "read")
    _, parts = dump(job(server))
    server.clear()
    ENGINE.restore(connection(server), pieces(parts), Interrupt())
    assert ENGINE.inspect(connection(server), Interrupt()) == {"open": 1}
    assert server.ask("GET", "/shut/_settings/index.blocks.read")["shut"]


def test_an_alias_is_no_index(server: SearchServer) -> None:
    create(server, "books-1")
    create(server, "books-2")
    server.ask("POST", "/_aliases", {"actions": [{"add": {"index": "books-*", "alias": "books"}}]})
    with pytest.raises(SourceRefusedError, match=r"'books' is an alias.*'books-1', 'books-2'"):
        dump(job(server, KSNAPSHOT_INDICES="books"))
    source, _ = dump(job(server, KSNAPSHOT_INDICES="books-*,-book-2"))
    [note] = source.notes
    assert (note.code, note.objects) == (NoteCode.NOTHING_MATCHED, ("-book-2",))


def test_names_that_a_server_would_resolve(server: SearchServer) -> None:
    create(server, "open")
    for name in ("<logs-{now/d}>", "+open", "a%2a", "*:open", "_all", "x" * 300):
        with pytest.raises(SourceRefusedError, match="has not these indices"):
            dump(job(server, KSNAPSHOT_INDICES=name))
