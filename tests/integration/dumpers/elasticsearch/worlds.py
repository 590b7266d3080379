"""A cluster with a bit of everything, and what two equal ones have in common."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tests.testbed.databases.search import SearchServer

ODD = "odd+n&m=%41é;!(~).x@中'$"
# As they are sent, so as they have to come back.
EXACT = {
    "plain": '{"name":"Zoë","n":1}',
    "blanks": '{ "name" :  "two  blanks" ,\t"n":2}',
    "numbers": '{"any":{"a":1.0,"b":1e400,"c":9223372036854775808,"d":-0.0,"e":36660e5985}}',
    "half": '{"any":{"a":"\\ud800 \\\\ud800 \\udc18"}}',
    "order": '{"z":1,"a":2,"m":{"y":1,"b":2}}',
    "escapes": '{"name":"\\u0041\\/\\ud83d\\udc18 \\n\\t \\" \U0001f418"}',
    "sort": '{"name":",\\"sort\\":[1]}","any":{"sort":[1]},"sort":[2]}',
    "nested": '{"parts":[{"n":1,"s":"a"},{"n":2,"s":"b"},{"n":3,"s":"c"}]}',
    'id "quoted" \\ é 🐘 /?#%': '{"name":"odd id"}',
    "empty": "{}",
}
_MAPPING = {
    "properties": {
        "name": {"type": "text", "analyzer": "shouting"},
        "n": {"type": "integer"},
        "any": {"type": "object", "enabled": False},
        "parts": {"type": "nested", "properties": {"n": {"type": "long"}}},
    }
}
_SETTINGS = {
    "number_of_replicas": 1,
    "refresh_interval": "7s",
    "analysis": {"analyzer": {"shouting": {"type": "custom", "tokenizer": "standard"}}},
}
ALIASES = {
    "every": {},
    "some": {"filter": {"term": {"n": 1}}, "routing": "r"},
}


def put(server: SearchServer, index: str, key: str, source: str, routing: str = "") -> None:
    """One document as it is."""
    query = f"?routing={quote(routing, safe='')}" if routing else ""
    path = f"/{quote(index, safe='')}/_doc/{quote(key, safe='')}"
    server.ask("PUT", path + query, source)


def create(
    server: SearchServer, name: str, *, shards: int = 1, aliases: bool = False, **more: Any
) -> None:
    mapping: Mapping[str, Any] = _MAPPING
    if server.name == "elasticsearch-6":
        mapping = {"_doc": mapping}
    body = {"settings": {**_SETTINGS, "number_of_shards": shards, **more}, "mappings": mapping}
    if aliases:
        body["aliases"] = ALIASES
    server.ask("PUT", f"/{quote(name, safe='')}", body)


def fill(server: SearchServer) -> None:
    """Indices of every kind, and all around them that the server has."""
    create(server, "books", shards=2, aliases=True)
    for key, source in EXACT.items():
        put(server, "books", key, source)
    for number in range(20):
        put(server, "books", f"routed-{number}", f'{{"n":{number}}}', routing=f"r/{number} é")
    create(server, ODD)
    put(server, ODD, "1", '{"name":"odd"}')
    create(server, "nothing")
    create(server, "many", shards=5)
    server.bulk("many", {f"{number}": f'{{"n":{number}}}' for number in range(2500)})
    create(server, ".own")
    put(server, ".own", "1", "{}")
    create(server, "shut")
    put(server, "shut", "1", "{}")
    server.ask("POST", "/shut/_close")
    server.ask(
        "PUT",
        "/_template/old",
        {"index_patterns": ["old-*"], "settings": {"number_of_shards": 3}, "order": 7},
    )
    if server.name != "elasticsearch-6":
        _fill_newer(server)
    if server.is_opensearch or server.name == "elasticsearch-6":
        _fill_whole(server)
    server.ask("POST", "/_all/_refresh")


def _fill_newer(server: SearchServer) -> None:
    server.ask(
        "PUT",
        "/_component_template/piece",
        {"template": {"mappings": {"properties": {"p": {"type": "keyword"}}}}, "version": 3},
    )
    body: dict[str, Any] = {"index_patterns": ["new-*"], "composed_of": ["piece"], "priority": 5}
    server.ask("PUT", "/_index_template/new", body)
    if server.is_opensearch:
        stream = {"index_patterns": ["flow*"], "data_stream": {}, "priority": 9}
        server.ask("PUT", "/_index_template/flow", stream)
        for number in range(3):
            text = f'{{"@timestamp":"2020-01-0{number + 1}T00:00:00Z","n":{number}.0}}'
            server.ask("PUT", f"/flow-a/_create/{number}", text)
            if number == 1:
                server.ask("POST", "/flow-a/_rollover")


def _fill_whole(server: SearchServer) -> None:
    """What the bare distributions have no modules for."""
    server.ask(
        "PUT",
        "/_ingest/pipeline/mark",
        {"processors": [{"set": {"field": "marked", "value": True}}]},
    )
    server.ask(
        "PUT",
        "/_scripts/twice",
        {"script": {"lang": "painless", "source": "doc['n'].value * params.f"}},
    )
    # Documents come back as they are, not once more through this.
    server.ask("PUT", "/books/_settings", {"index": {"default_pipeline": "mark"}})
    if server.name == "elasticsearch-6":
        phases = {"hot": {"actions": {"rollover": {"max_docs": 10}}}}
        server.ask("PUT", "/_ilm/policy/mine", {"policy": {"phases": phases}})


def documents(server: SearchServer, index: str, keys: Mapping[str, str]) -> dict[str, bytes]:
    """The bytes of some documents, as the server gives each for itself."""
    found = {}
    for key in keys:
        name = quote(key, safe="")
        path = f"_doc/{name}/_source" if server.name == "elasticsearch-6" else f"_source/{name}"
        found[key] = server.raw("GET", f"/{quote(index, safe='')}/{path}")[1]
    return found


def fingerprint(server: SearchServer) -> dict[str, Any]:
    """Definitions of everything that a dump holds, without what differs from cluster to cluster."""
    found: dict[str, Any] = {}
    for name, index in server.ask("GET", "/_all?expand_wildcards=all").items():
        if name.startswith("."):
            continue
        settings = index["settings"]["index"]
        for own in ("uuid", "version", "creation_date", "provided_name"):
            settings.pop(own, None)
        settings.get("routing", {}).get("allocation", {}).pop("initial_recovery", None)
        found[name] = index
    state = server.ask("GET", "/_cluster/state/metadata")["metadata"]
    for kind in ("index_template", "component_template"):
        found[kind] = {
            name: {key: value for key, value in item.items() if "_date" not in key}
            for name, item in state.get(kind, {}).get(kind, {}).items()
        }
    templates = server.ask("GET", "/_template")
    found["templates"] = {name: templates[name] for name in templates if name[0] != "."}
    found["scripts"] = state.get("stored_scripts", {})
    found["pipelines"] = json.dumps(state.get("ingest", {}).get("pipeline", []), sort_keys=True)
    policies = state.get("index_lifecycle", {}).get("policies", {})
    found["policies"] = {name: item["policy"] for name, item in policies.items()}
    return found
