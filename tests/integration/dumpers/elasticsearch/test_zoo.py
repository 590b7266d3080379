"""A zoo of indices, options and objects: what a cluster holds is in its dump, or a note names it.

The cluster's state is asked for as a whole, so that a kind that nobody thought of is found, too.
"""

import json
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from typing import Any

import pytest

from dumpers.contract.notes import NoteCode
from dumpers.engines.protocol import SourceInfo
from tests.integration.dumpers.elasticsearch.conftest import (
    Dump,
    dump,
    job,
    unwrapped,
)
from tests.integration.dumpers.elasticsearch.worlds import fill, put
from tests.testbed.databases.search import SearchServer
from tests.testbed.dumper import PATIENCE_SECONDS
from tests.testbed.toolchain.processes import wait_until

# What a release does not know, it refuses, and the zoo goes without.
_INDICES: Mapping[str, Mapping[str, Any]] = {
    "aliased": {
        "aliases": {
            "written": {"is_write_index": True},
            "routed": {"index_routing": "1", "search_routing": "1,2"},
            "hidden": {"is_hidden": True},
            "filtered": {"filter": {"term": {"n": 1}}},
        }
    },
    "sorted": {
        "settings": {"index": {"sort.field": "n", "sort.order": "desc"}},
        "mappings": {"properties": {"n": {"type": "long"}}},
    },
    "joined": {
        "mappings": {
            "_routing": {"required": True},
            "properties": {"j": {"type": "join", "relations": {"question": "answer"}}},
        }
    },
    "parted": {
        "settings": {"number_of_shards": 4, "index.routing_partition_size": 2},
        "mappings": {"_routing": {"required": True}},
    },
    "nesting": {"mappings": {"properties": {"parts": {"type": "nested"}}}},
    "flat": {"mappings": {"properties": {"f": {"type": "flattened"}}}},
    "flat-object": {"mappings": {"properties": {"f": {"type": "flat_object"}}}},
    "runtime": {"mappings": {"runtime": {"r": {"type": "keyword"}}}},
    "without-objects": {"mappings": {"subobjects": False}},
    "strict": {"mappings": {"dynamic": "strict", "_meta": {"n": 1}, "properties": {}}},
    "without-source": {"mappings": {"_source": {"enabled": False}}},
    "partly": {"mappings": {"_source": {"excludes": ["secret"]}}},
    "synthetic": {"settings": {"index.mapping.source.mode": "synthetic"}},
    "logs": {"settings": {"index.mode": "logsdb"}},
    "looked-up": {"settings": {"index.mode": "lookup"}},
    "derived": {
        "settings": {"index.derived_source.enabled": True},
        "mappings": {"properties": {"n": {"type": "long"}}},
    },
    "never-refreshed": {"settings": {"refresh_interval": "-1"}},
    "seldom-refreshed": {"settings": {"refresh_interval": "1h"}},
    "narrow": {"settings": {"max_result_window": 2}},
    "hidden": {"settings": {"index.hidden": True}},
    ".dotted": {},
    "shut-again": {},
    "written-no-more": {},
    "read-no-more": {},
}
_DOCUMENT = '{"n":1,"@timestamp":"2024-01-01T00:00:00Z","secret":"s"}'
_DOCUMENTS = {
    "joined": '{"j":"question"}',
    "nesting": '{"parts":[{"a":1},{"a":2}]}',
    "strict": "{}",
    "derived": '{"n":1}',
}
_OBJECTS: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("PUT", "/_template/.dotted", {"index_patterns": [".x-*"], "order": 3}),
    ("PUT", "/_component_template/.dotted", {"template": {"settings": {"number_of_shards": 2}}}),
    (
        "PUT",
        "/_index_template/fleet",
        {
            "index_patterns": ["f-*"],
            "composed_of": [".dotted"],
            "_meta": {"managed": True, "managed_by": "fleet"},
        },
    ),
    ("PUT", "/_ingest/pipeline/.dotted", {"processors": []}),
    ("PUT", "/_search/pipeline/found", {"request_processors": []}),
    ("PUT", "/_cluster/settings", {"persistent": {"search.max_buckets": 9999}}),
    ("PUT", "/_cluster/settings", {"transient": {"search.default_search_timeout": "50s"}}),
)
# The state's own: nothing that somebody made, or that is asked for in another way.
_INTERNAL = frozenset(
    (
        *("cluster_uuid", "cluster_uuid_committed", "cluster_coordination", "index-graveyard"),
        *(
            "persistent_tasks",
            "reserved_state",
            "licenses",
            "index_lifecycle",
            "settings",
            "ingest",
        ),
    )
)


@pytest.fixture(params=["elasticsearch-9", "opensearch-3"])
def zoo(request: pytest.FixtureRequest, servers: Any) -> Iterator[SearchServer]:
    """A cluster with all of this that it takes, emptied again."""
    server: SearchServer = servers(request.param)
    server.clear()
    fill(server)
    for name, body in _INDICES.items():
        mappings = {"_doc": body.get("mappings", {})} if server.name.endswith("-6") else None
        status, _ = server.raw(
            "PUT", f"/{name}", {**body, **({"mappings": mappings} if mappings else {})}
        )
        if status == 200:
            put(server, name, "1", _DOCUMENTS.get(name, _DOCUMENT), routing="r")
            if not name.endswith("-refreshed"):
                # What these show is not what this is about, and they may take a second to.
                server.ask("POST", f"/{name}/_refresh")
    for method, path, body in _OBJECTS:
        server.raw(method, path, body)
    if server.name == "opensearch-3":
        _make_view(server)
    server.ask("POST", "/shut-again/_close")
    server.ask("PUT", "/written-no-more/_settings", {"index.blocks.write": True})
    server.ask("PUT", "/read-no-more/_settings", {"index.blocks.read": True})
    yield server
    server.raw("PUT", "/read-no-more/_settings", {"index.blocks.read": None})
    server.clear()


def _make_view(server: SearchServer) -> None:
    """A view of OpenSearch's, whose maker never gets an answer."""
    asking = HTTPConnection(server.host, server.node_port)
    body = json.dumps({"name": "seen", "targets": [{"indexPattern": "book*"}]})
    asking.request("POST", "/views", body, {"Content-Type": "application/json"})
    path = "/_cluster/state/metadata?filter_path=metadata.view"
    wait_until(lambda: server.ask("GET", path) != {}, seconds=PATIENCE_SECONDS, what="the view")
    asking.close()


def held(server: SearchServer) -> set[str]:
    """All that the cluster's state names, and each document of each index."""
    state = server.ask("GET", "/_cluster/state/metadata")["metadata"]
    found = set()
    for kind, inner in state.items():
        if kind in _INTERNAL:
            continue
        names = inner
        if isinstance(inner, Mapping):
            names = inner.get(kind, inner)
        if kind == "search_pipeline":
            names = [item["id"] for item in inner["pipeline"]]
        found |= {f"{kind} {name}" for name in names}
    found |= {f"pipeline {item['id']}" for item in state.get("ingest", {}).get("pipeline", [])}
    found |= {f"policy {name}" for name in state.get("index_lifecycle", {}).get("policies", {})}
    settings = server.ask("GET", "/_cluster/settings?flat_settings=true")
    found |= {f"setting {name}" for values in settings.values() for name in values}
    for name, index in state["indices"].items():
        found |= {f"alias {name}.{alias}" for alias in index["aliases"]}
    return found


def saved(parts: Dump) -> set[str]:
    """The same of what a dump holds."""

    def of(name: str) -> dict[str, Any]:
        return unwrapped(parts[name][0]) if name in parts else {}

    indices = of("index")
    found = {f"indices {name}" for name in indices}
    found |= {f"alias {name}.{alias}" for name in indices for alias in indices[name]["aliases"]}
    found |= {f"templates {name}" for name in of("template")}
    found |= {f"policy {name}" for name in of("policy")}
    found |= {f"pipeline {name}" for name in of("pipeline")}
    for kind in ("index_template", "component_template", "data_stream"):
        found |= {f"{kind} {item['name']}" for item in of(kind).get(f"{kind}s", ())}
    return found | {f"stored_scripts {item['_id']}" for item in of("script")["stored_scripts"]}


def noted(source: SourceInfo, *codes: NoteCode) -> set[str]:
    return {
        name for note in source.notes if not codes or note.code in codes for name in note.objects
    }


def test_nothing_is_unexplained(zoo: SearchServer) -> None:
    source, parts = dump(job(zoo))
    named = {name.rpartition(" ")[2] for name in noted(source)}
    rest = {
        name
        for name in held(zoo) - saved(parts)
        if not {name.partition(" ")[2], name.partition(" ")[2].partition(".")[0]} & named
    }
    # What Elasticsearch 6.8 makes by itself.
    assert {name for name in rest if not name.split()[1].startswith((".", "watch-"))} == set()
    documents = parts["data"][1]["documents"]
    assert isinstance(documents, Mapping)
    lost = noted(source, NoteCode.UNREADABLE, NoteCode.NOT_CHOSEN, NoteCode.NOT_DUMPED)
    zoo.ask("PUT", "/read-no-more/_settings", {"index.blocks.read": None})
    for name in _INDICES:
        status, count = zoo.raw("GET", f"/{name}/_count")
        if status == 200 and name not in lost | {"hidden"}:
            assert documents[name] == json.loads(count)["count"], name
    assert documents["never-refreshed"] == documents["seldom-refreshed"] == 1
    assert ".dotted" in noted(source, NoteCode.NOT_CHOSEN)
    assert {"shut", "shut-again", "read-no-more"} == noted(source, NoteCode.UNREADABLE)
