"""Drills: clusters of every kind restored into a throwaway node, and compared."""

import contextlib
import re
import urllib.error
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import pytest

from dumpers.contract.connection import Connection
from dumpers.contract.restore.request import RestoreRequest
from dumpers.engines.drilling.protocol import Comparison, DrilledEngine, DrilledObject
from dumpers.engines.elasticsearch.engine import ENGINE
from dumpers.engines.elasticsearch.throwaway import CLUSTER
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import TargetRefusedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.elasticsearch.conftest import (
    Servers,
    connection,
    dump,
    job,
    pieces,
)
from tests.integration.dumpers.elasticsearch.worlds import fill
from tests.testbed.databases import search
from tests.testbed.databases.search import SearchServer
from tests.testbed.databases.search_throwaway import start_throwaway

EVERYTHING = RestoreRequest(globals=True)


class Node(Protocol):
    """Whatever takes requests."""

    def ask(self, method: str, path: str, body: Any = None) -> Any: ...


Change = tuple[Callable[[Node], object], str]


def compared(to: Connection, stored: Sequence[StoredDump]) -> Comparison:
    assert isinstance(ENGINE, DrilledEngine)
    objects = [DrilledObject(stored=piece, fingerprint=None) for piece in stored]
    return ENGINE.compare(to, objects, {}, Interrupt())


def restored(to: Connection, stored: Sequence[StoredDump]) -> None:
    assert isinstance(ENGINE, DrilledEngine)
    objects = [DrilledObject(stored=piece, fingerprint=None) for piece in stored]
    ENGINE.prepare_drill(to, objects, Interrupt())
    ENGINE.restore(to, stored, Interrupt(), EVERYTHING)


def bad(comparison: Comparison) -> list[str]:
    return [
        *comparison.faults,
        *(f"{one.name}: {one.why}" for one in comparison.tables if not one.good),
    ]


def changes(kind: str) -> dict[str, Change]:
    """What is done to a restored node, and the fault that has to be found."""
    return {
        "a field": (
            lambda node: node.ask("PUT", f"/many/{kind}/7", '{"n":8}'),
            r"^many: 2500 documents as in the backup, but not the same ones",
        ),
        "a routing": (
            lambda node: (
                node.ask("DELETE", f"/books/{kind}/routed-3?routing=r%2F3%20%C3%A9"),
                node.ask("PUT", f"/books/{kind}/routed-3?routing=other", '{"n":3}'),
            ),
            r"^books: 30 documents as in the backup, but not the same ones",
        ),
        "a document more": (
            lambda node: node.ask("PUT", f"/nothing/{kind}/1", "{}"),
            r"^nothing: 1 documents, and 0 in the backup",
        ),
        "a setting": (
            lambda node: node.ask(
                "PUT", "/nothing/_settings", {"index": {"max_rescore_window": 7}}
            ),
            r"^nothing has another setting: max_rescore_window",
        ),
        "an alias gone": (
            lambda node: node.ask("DELETE", "/books/_alias/every"),
            r"^books has another alias: every",
        ),
        "a filter of an alias": (
            lambda node: node.ask(
                "PUT", "/books/_alias/some", {"filter": {"term": {"n": 2}}, "routing": "r"}
            ),
            r"^books has another alias: .*some\.filter\.term\.n",
        ),
        "an index more": (
            lambda node: node.ask("PUT", "/more", {}),
            r"^more is not in the backup",
        ),
        "a template": (
            lambda node: node.ask(
                "PUT",
                "/_template/old",
                {"index_patterns": ["old-*"], "settings": {"number_of_shards": 2}, "order": 7},
            ),
            r"^/_template/old is another one than in the backup",
        ),
    }


def of_types(kind: str) -> dict[str, Change]:
    """Changes where the mapping is said with its type, and pipelines and scripts are known."""
    return {
        "a mapping": (
            lambda node: node.ask(
                "PUT", f"/many/_mapping/{kind}", {"properties": {"added": {"type": "keyword"}}}
            ),
            r"^many has another mapping: _doc\.properties\.added",
        ),
        "a pipeline": (
            lambda node: node.ask(
                "PUT",
                "/_ingest/pipeline/mark",
                {"processors": [{"set": {"field": "marked", "value": False}}]},
            ),
            r"^/_ingest/pipeline/mark is another one",
        ),
        "a script": (
            lambda node: node.ask("DELETE", "/_scripts/twice"),
            r"^/_scripts/twice is missing",
        ),
        "a policy": (
            lambda node: node.ask("DELETE", "/_ilm/policy/mine"),
            r"^/_ilm/policy/mine is missing",
        ),
    }


def without_types() -> dict[str, Change]:
    return {
        "a mapping": (
            lambda node: node.ask(
                "PUT", "/many/_mapping", {"properties": {"added": {"type": "keyword"}}}
            ),
            r"^many has another mapping: properties\.added",
        ),
        "a component template": (
            lambda node: node.ask("PUT", "/_component_template/piece", {"template": {}}),
            r"^/_component_template/piece is another one",
        ),
    }


def check_changes(
    node: Node, to: Connection, stored: Sequence[StoredDump], made: dict[str, Change]
) -> None:
    """Each change is found, once all are made; and nothing else is."""
    for change, _ in made.values():
        change(node)
    comparison = compared(to, stored)
    assert not comparison.good
    found = bad(comparison)
    for expected in (expected for _, expected in made.values()):
        assert any(re.search(expected, text) for text in found), (expected, found)
    known = {re.split(r"[: ]", expected.lstrip("^"))[0] for _, expected in made.values()}
    assert {re.split(r"[: ]", text)[0] for text in found} == known


@contextlib.contextmanager
def dumped(servers: Servers, name: str) -> Iterator[tuple[SearchServer, Sequence[StoredDump]]]:
    server = servers(name)
    server.clear()
    fill(server)
    yield server, pieces(dump(job(server))[1])
    server.clear()


@pytest.mark.parametrize("name", ["elasticsearch-6", "elasticsearch-7"])
def test_a_zoo_in_a_throwaway_node(servers: Servers, name: str) -> None:
    kind = "_doc"
    typed = name == "elasticsearch-6"
    with dumped(servers, name) as (_, stored), start_throwaway(name) as node:
        restored(node.connection, stored)
        comparison = compared(node.connection, stored)
        assert bad(comparison) == []
        rows = {table.name: table.rows for table in comparison.tables}
        assert rows["many"] == 2500
        assert rows["books"] == 30
        assert rows["shut"] is None
        node.ask("POST", "/shut/_open")
        made = {**changes(kind), **(of_types(kind) if typed else without_types())}
        made["an index that is open"] = (lambda _: None, r"^shut: it is open, and was closed")
        check_changes(node, node.connection, stored, made)
        # What is gone, too: alone, as nothing more can be said of it.
        node.ask("DELETE", "/many")
        node.ask("DELETE", f"/books/{kind}/plain")
        found = bad(compared(node.connection, stored))
        assert "many: it is missing" in found
        assert "books: 29 documents, and 30 in the backup" in found


def test_a_zoo_of_opensearch(servers: Servers) -> None:
    # The script runs in images that have OpenSearch's own programs.
    marks = {"cluster.name": CLUSTER}
    with (
        dumped(servers, "opensearch-3") as (_, stored),
        search.start("opensearch-3", settings=marks) as server,
    ):
        restored(connection(server), stored)
        comparison = compared(connection(server), stored)
        assert bad(comparison) == []
        rows = {table.name: table.rows for table in comparison.tables}
        assert rows["flow-a"] == 3
        assert "data streams" in comparison.unproved[0]
        made = {
            **changes("_doc"),
            **without_types(),
            "a pipeline": of_types("_doc")["a pipeline"],
            "a document of a stream": (
                lambda node: node.ask(
                    "PUT", "/flow-a/_create/9", '{"@timestamp":"2020-01-09T00:00:00Z"}'
                ),
                r"^flow-a: 4 documents, and 3 in the backup",
            ),
        }
        check_changes(server, connection(server), stored, made)


def test_a_server_of_somebody_is_left_alone(servers: Servers) -> None:
    with dumped(servers, "opensearch-3") as (server, stored):
        with pytest.raises(TargetRefusedError, match="no throwaway server"):
            restored(connection(server), stored)
        assert server.ask("GET", "/_cluster/settings") == {"persistent": {}, "transient": {}}


def test_another_product_is_refused(servers: Servers) -> None:
    with (
        dumped(servers, "opensearch-3") as (_, stored),
        start_throwaway("elasticsearch-7", hides_config=True) as node,
    ):
        with pytest.raises(
            TargetRefusedError, match=r"Elasticsearch 7.*OpenSearch 3.*set an image"
        ):
            restored(node.connection, stored)
        with pytest.raises(urllib.error.HTTPError):
            node.ask("GET", "/books")
