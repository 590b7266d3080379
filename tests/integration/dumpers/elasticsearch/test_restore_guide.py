"""What may stop a restore by the guide: each of its messages, and the cure behind it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.dumpers.elasticsearch.conftest import dump, job
from tests.integration.dumpers.elasticsearch.test_elasticdump import Loader
from tests.integration.dumpers.elasticsearch.worlds import create
from tests.paths import REPOSITORY
from tests.testbed.databases.search import SearchServer

pytestmark = pytest.mark.parametrize("server", ["opensearch-3"], indirect=True)
DOCUMENTS = 3
_PLAIN = '--output-params={"pipeline":"_none"}'


def assert_in_guide(message: str) -> None:
    guide = (REPOSITORY / "docs" / "restore.md").read_text()
    assert message in guide.partition("## Elasticsearch")[2].partition("## ClickHouse")[0]


def dumped(server: SearchServer, folder: Path, **settings: Any) -> Loader:
    """A dump of one index with these settings, of which nothing is left on the server."""
    create(server, "books")
    server.bulk("books", {f"{number}": '{"n":1}' for number in range(DOCUMENTS)})
    if settings:
        server.ask("PUT", "/books/_settings", {"index": settings})
    _, parts = dump(job(server))
    server.clear()
    return Loader(server, parts, folder)


def assert_loaded(server: SearchServer) -> None:
    server.ask("POST", "/books/_refresh")
    assert server.ask("GET", "/books/_count")["count"] == DOCUMENTS


def test_an_index_that_is_one_too_many(server: SearchServer, tmp_path: Path) -> None:
    loader = dumped(server, tmp_path)
    limit = "cluster.max_shards_per_node"
    server.ask("PUT", "/_cluster/settings", {"persistent": {limit: 1}})
    try:
        assert "Total Writes: 0" in loader.load("settings", "books")
        assert_in_guide("Total Writes: 0")
        line = loader.only("settings", "books")
        settings = json.loads(json.loads(line))["books"]["settings"]["index"]
        status, said = server.raw("PUT", "/books", {"settings": settings})
        assert status == 400
        assert b"this action would add [2] total" in said
        assert_in_guide("this action would add [2] total")
    finally:
        server.ask("PUT", "/_cluster/settings", {"persistent": {limit: None}})
    for name in ("settings", "mapping", "data"):
        loader.load(name, "books")
    assert_loaded(server)


def test_documents_without_their_index(server: SearchServer, tmp_path: Path) -> None:
    loader = dumped(server, tmp_path)
    creates = "action.auto_create_index"
    server.ask("PUT", "/_cluster/settings", {"persistent": {creates: "false"}})
    try:
        assert "no such index [books]" in loader.load("data", "books")
        assert_in_guide("no such index [INDEX]")
        for name in ("settings", "mapping", "data"):
            loader.load(name, "books")
        assert_loaded(server)
    finally:
        server.ask("PUT", "/_cluster/settings", {"persistent": {creates: None}})


def test_an_index_that_takes_nothing(server: SearchServer, tmp_path: Path) -> None:
    loader = dumped(server, tmp_path, **{"blocks.write": True})
    said = "".join(loader.load(name, "books") for name in ("settings", "mapping", "data"))
    assert "blocked by: [FORBIDDEN/8/index write (api)]" in said
    assert_in_guide("blocked by: [FORBIDDEN/8/index write (api)]")
    server.ask("PUT", "/books/_settings", {"index.blocks.write": None})
    loader.load("data", "books")
    server.ask("PUT", "/books/_settings", {"index.blocks.write": True})
    assert_loaded(server)


def test_a_pipeline_that_is_not_there(server: SearchServer, tmp_path: Path) -> None:
    pipeline = {"processors": [{"set": {"field": "marked", "value": True}}]}
    server.ask("PUT", "/_ingest/pipeline/mark", pipeline)
    loader = dumped(server, tmp_path, default_pipeline="mark")
    said = "".join(loader.load(name, "books") for name in ("settings", "mapping", "data"))
    assert "pipeline with id [mark] does not exist" in said
    assert_in_guide("pipeline with id [NAME] does not exist")
    [(name, body)] = json.loads(json.loads(loader.parts["pipeline"][0])).items()
    server.ask("PUT", f"/_ingest/pipeline/{name}", body)
    loader.load("data", "books", options=_PLAIN)
    assert_in_guide(_PLAIN.replace("={", "='{"))
    assert_loaded(server)
    assert server.ask("GET", "/books/_doc/1")["_source"] == {"n": 1}
