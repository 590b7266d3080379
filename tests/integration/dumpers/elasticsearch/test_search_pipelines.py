"""Search pipelines of OpenSearch hide documents from searches and change them: none may be in use.

The servers of these tests have no processors. But a search that goes through a pipeline that is
gone is refused, so that none of those that succeed went through any.
"""

import pytest

from dumpers.contract.notes import NoteCode
from dumpers.engines.elasticsearch.engine import ENGINE
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.elasticsearch.conftest import connection, dump, job, pieces
from tests.testbed.databases.search import SearchServer

DOCUMENTS = 50


@pytest.mark.parametrize("server", ["opensearch-2", "opensearch-3"], indirect=True)
def test_searches_that_go_through_a_pipeline(server: SearchServer) -> None:
    for name, shards in (("one", 1), ("two", 2)):
        server.ask("PUT", f"/{name}", {"settings": {"number_of_shards": shards}})
        server.bulk(name, {str(n): f'{{"n":{n}}}' for n in range(DOCUMENTS)})
        server.ask("PUT", f"/{name}/_settings", {"index.search.default_pipeline": "gone"})
        status, said = server.raw("GET", f"/{name}/_search")
        assert (status, b"Pipeline gone is not defined" in said) == (400, True)
    server.bulk("plain", {"1": "{}"})
    # With a login, documents are counted before.
    login = {"ELASTICSEARCH_USERNAME": "any", "ELASTICSEARCH_PASSWORD": "any"}
    for changes in ({}, login):
        source, parts = dump(job(server, **changes))
        assert parts["data"][1]["documents"] == {"one": DOCUMENTS, "two": DOCUMENTS, "plain": 1}
        told = {note.code: note.objects for note in source.notes}
        assert told[NoteCode.RESTORE_NEEDS] == ("one: gone", "two: gone")
        assert told[NoteCode.NOT_CONSISTENT] == ("two",)
        assert NoteCode.ROW_SECURITY not in told
    for name in ("one", "two", "plain"):
        server.ask("DELETE", f"/{name}")
    ENGINE.restore(connection(server), pieces(parts), Interrupt())
    for name in ("one", "two"):
        path = f"/{name}/_search?size=0&search_pipeline=_none"
        assert server.ask("GET", path)["hits"]["total"]["value"] == DOCUMENTS
