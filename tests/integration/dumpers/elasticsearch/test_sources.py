"""Documents of which the server keeps something else than what it was sent."""

import json

import pytest

from dumpers.contract.notes import NoteCode
from dumpers.engines.elasticsearch.engine import ENGINE
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.elasticsearch.conftest import (
    connection,
    dump,
    job,
    pieces,
)
from tests.integration.dumpers.elasticsearch.worlds import put
from tests.testbed.databases.search import SearchServer

_NEWEST = pytest.mark.parametrize("server", ["elasticsearch-9"], indirect=True)


@_NEWEST
def test_vectors_that_are_kept_apart(server: SearchServer) -> None:
    vector = {"type": "dense_vector", "dims": 3}
    server.ask("PUT", "/books", {"mappings": {"properties": {"place": vector}}})
    text = '{"n":1.0,"place":[0.5,1.25,-2.0],"after":true}'
    put(server, "books", "1", text)
    server.ask("POST", "/_all/_refresh")
    assert "place" not in server.ask("GET", "/books/_doc/1")["_source"]
    source, parts = dump(job(server))
    assert [note.objects for note in source.notes] == [("books.place",)]
    assert source.notes[0].code is NoteCode.ALTERED
    [line] = parts["data"][0].splitlines()
    assert json.loads(line)["_source"] == json.loads(text)
    server.clear()
    ENGINE.restore(connection(server), pieces(parts), Interrupt())
    _, again = dump(job(server))
    assert again["data"][0] == parts["data"][0]


@_NEWEST
def test_sources_that_the_server_makes(server: SearchServer) -> None:
    server.ask(
        "PUT",
        "/books",
        {
            "settings": {"index.mapping.source.mode": "synthetic"},
            "mappings": {"properties": {"n": {"type": "long"}, "name": {"type": "keyword"}}},
        },
    )
    put(server, "books", "1", '{"name":"a","n":1}')
    server.ask("POST", "/_all/_refresh")
    source, parts = dump(job(server))
    assert [(note.code, note.objects) for note in source.notes] == [(NoteCode.ALTERED, ("books",))]
    [line] = parts["data"][0].splitlines()
    assert json.loads(line)["_source"] == {"name": "a", "n": 1}


@pytest.mark.parametrize("server", ["opensearch-3"], indirect=True)
def test_sources_that_opensearch_derives(server: SearchServer) -> None:
    properties = {"name": {"type": "keyword"}, "n": {"type": "integer"}}
    server.ask(
        "PUT",
        "/made",
        {
            "settings": {"index.derived_source.enabled": True},
            "mappings": {"properties": properties},
        },
    )
    put(server, "made", "1", '{"name":["b","a","b"],"n":[3,1,2]}')
    server.bulk("sent", {"1": "{}"})
    server.ask("POST", "/_all/_refresh")
    source, parts = dump(job(server, KSNAPSHOT_INDICES="made,sent"))
    assert [(note.code, note.objects) for note in source.notes] == [(NoteCode.ALTERED, ("made",))]
    assert parts["data"][1] == {"documents": {"made": 1, "sent": 1}}


# Newer ones have the kinds of analyzers in modules of their own.
@pytest.mark.parametrize("server", ["elasticsearch-6"], indirect=True)
def test_files_that_analyzers_read(server: SearchServer) -> None:
    folder = server.config / "analysis"
    folder.mkdir(mode=0o755)
    (folder / "stop.txt").write_text("and\n")
    try:
        stop = {"type": "stop", "stopwords_path": "analysis/stop.txt"}
        server.ask("PUT", "/books", {"settings": {"analysis": {"analyzer": {"own": stop}}}})
        info, _ = dump(job(server))
    finally:
        (folder / "stop.txt").unlink()
        folder.rmdir()
    needs = [note.objects for note in info.notes if note.code is NoteCode.RESTORE_NEEDS]
    assert needs == [("books: analysis/stop.txt",)]


@pytest.mark.parametrize("server", ["opensearch-3"], indirect=True)
def test_documents_that_a_cluster_shows_late(server: SearchServer) -> None:
    late = {"cluster.default.index.refresh_interval": "1h"}
    server.ask("PUT", "/_cluster/settings", {"persistent": late})
    put(server, "books", "1", "{}")
    info, parts = dump(job(server))
    assert parts["data"][1] == {"documents": {"books": 1}}
    assert [note.code for note in info.notes] == [NoteCode.GLOBALS]


@pytest.mark.parametrize(
    "server", ["elasticsearch-6", "elasticsearch-9", "opensearch-3"], indirect=True
)
def test_sources_that_are_not_kept(server: SearchServer) -> None:
    sources = {"none": {"enabled": False}, "part": {"excludes": ["secret"]}, "all": {}}
    for name, source in sources.items():
        mapping: dict[str, object] = {"_source": source}
        typed = {"_doc": mapping} if server.name == "elasticsearch-6" else mapping
        server.ask("PUT", f"/{name}", {"settings": {"number_of_shards": 1}, "mappings": typed})
        put(server, name, "1", '{"n":1,"secret":2}')
    server.ask("POST", "/_all/_refresh")
    info, parts = dump(job(server))
    assert [(note.code, note.objects) for note in info.notes] == [
        (NoteCode.NOT_DUMPED, ("none",)),
        (NoteCode.NOT_DUMPED, ("part",)),
    ]
    assert parts["data"][1] == {"documents": {"all": 1, "part": 1}}
    server.clear()
    assert ENGINE.restore(connection(server), pieces(parts), Interrupt()).notes == ()
    assert server.ask("GET", "/part/_doc/1")["_source"] == {"n": 1}
    assert server.ask("GET", "/none/_count")["count"] == 0
