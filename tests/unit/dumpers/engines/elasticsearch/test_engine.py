"""Flavours, patterns, lines and what a restore makes of them."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.engines.elasticsearch import cluster_resources, elasticdump_lines, indices, product
from dumpers.engines.elasticsearch.elasticdump_lines import IndexAnswer
from dumpers.engines.elasticsearch.indices import Index
from dumpers.engines.elasticsearch.load import requests
from dumpers.engines.elasticsearch.load.bulk import BULK_BYTES, Bulk, bodies
from dumpers.engines.elasticsearch.product import Flavour, Product
from dumpers.engines.elasticsearch.read import cursor
from dumpers.engines.elasticsearch.survey.limits import Limits
from dumpers.runtime.errors import ConfigurationError, SourceRefusedError


def release(text: str) -> Product:
    name, version = text.split()
    return Product(flavour=Flavour(name), version=version)


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        (
            {"version": {"number": "9.2.4"}, "tagline": "You Know, for Search"},
            "Elasticsearch 9.2.4",
        ),
        ({"version": {"number": "7.17.0-SNAPSHOT"}}, "Elasticsearch 7.17.0-SNAPSHOT"),
        ({"version": {"number": "2.19.1", "distribution": "opensearch"}}, "OpenSearch 2.19.1"),
        # As it says that it is for clients of Elasticsearch.
        (
            {
                "version": {"number": "7.10.2"},
                "tagline": "The OpenSearch Project: https://opensearch.org/",
            },
            "OpenSearch 7.10.2",
        ),
        ({"version": {"number": 9}}, None),
        ({"version": "9"}, None),
        ({"status": "ok"}, None),
        ({}, None),
    ],
)
def test_a_server_is_what_it_says(root: Mapping[str, Any], expected: str | None) -> None:
    found = product.identify(root)
    assert (None if found is None else str(found)) == expected


@pytest.mark.parametrize(
    ("text", "points", "order", "composable", "types", "vectors"),
    [
        ("Elasticsearch 6.8.23", False, "_shard_doc", False, True, False),
        ("Elasticsearch 7.10.2", False, "_shard_doc", True, False, False),
        ("Elasticsearch 7.17.29", True, "_shard_doc", True, False, False),
        ("Elasticsearch 9.1.10", True, "_shard_doc", True, False, False),
        ("Elasticsearch 9.2.0", True, "_shard_doc", True, False, True),
        ("OpenSearch 1.3.13", False, "_doc", True, False, False),
        ("OpenSearch 2.3.0", False, "_doc", True, False, False),
        ("OpenSearch 2.4.0", True, "_doc", True, False, False),
        ("OpenSearch 3.8.0", True, "_doc", True, False, False),
    ],
)
def test_what_follows_from_a_release(
    text: str, *, points: bool, order: str, composable: bool, types: bool, vectors: bool
) -> None:
    found = release(text)
    assert found.problem == ""
    assert found.note == ""
    assert (found.has_points_in_time, found.order) == (points, order)
    assert (found.has_composable_templates, found.has_types) == (composable, types)
    assert found.leaves_vectors_out == vectors
    names = [part.name for part in cluster_resources.parts(found)]
    assert ("index_template" in names) == composable
    assert {"template", "policy", "pipeline", "script"} <= {*names}


def test_releases_too_old_or_too_new() -> None:
    assert "6.8" in release("Elasticsearch 6.7.2").problem
    assert release("Elasticsearch 10.0.0").note
    assert release("OpenSearch 4.0.0").note


EVERY = (
    Index(name="b"),
    Index(name="a-1"),
    Index(name="a-2"),
    Index(name=".dot"),
    Index(name="secret", hidden=True),
    Index(name=".ds-logs-x-000001", stream="logs-x", hidden=True),
    Index(name=".ds-.own-000001", stream=".own", hidden=True),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [".ds-logs-x-000001", "a-1", "a-2", "b"]),
        ("*", [".ds-logs-x-000001", "a-1", "a-2", "b"]),
        ("a*", ["a-1", "a-2"]),
        ("a*,-a-2", ["a-1"]),
        ("-a*", [".ds-logs-x-000001", "b"]),
        ("-a*,a-2", ["a-2"]),
        ("a-?", ["a-1", "a-2"]),
        ("logs-*", [".ds-logs-x-000001"]),
        (".ds-logs-x-000001", [".ds-logs-x-000001"]),
        (".*", [".dot", ".ds-.own-000001"]),
        ("secret", ["secret"]),
        ("*,.dot , secret", [".dot", ".ds-logs-x-000001", "a-1", "a-2", "b", "secret"]),
    ],
)
def test_patterns(text: str, expected: list[str]) -> None:
    found = indices.choose(indices.parse_index_patterns("V", text), EVERY)
    assert [index.name for index in found] == expected


@pytest.mark.parametrize("text", ["c", "c*", "a-1,sec*", "[ab]"])
def test_a_pattern_that_asks_for_nothing_there(text: str) -> None:
    with pytest.raises(SourceRefusedError, match="not these indices"):
        indices.choose(indices.parse_index_patterns("V", text), EVERY)


@pytest.mark.parametrize(
    ("text", "every"), [("", True), ("-a", True), ("*,-a", True), ("a*", False), ("*,.a", False)]
)
def test_patterns_that_ask_for_all(text: str, *, every: bool) -> None:
    assert indices.asks_for_all(indices.parse_index_patterns("V", text)) is every


@pytest.mark.parametrize(
    ("text", "named"), [("a-1", True), ("a*", False), ("logs-x", True), ("-a-1", False)]
)
def test_names_are_told_from_patterns(text: str, *, named: bool) -> None:
    patterns = indices.parse_index_patterns("V", text)
    assert any(indices.is_named(patterns, index) for index in EVERY) is named


@pytest.mark.parametrize("text", [",", "a,,b", "-", "a,-"])
def test_patterns_that_are_none(text: str) -> None:
    with pytest.raises(ConfigurationError, match="V holds"):
        indices.parse_index_patterns("V", text)


def test_lines_are_as_elasticdump_has_them() -> None:
    bodies = [b'{"a":{"x":1.0}}', b"{}", b'{"b\\"\\u00e9":{"y":"\\n"}}\n']
    [plain] = b"".join(elasticdump_lines.object_line(bodies)).splitlines()
    assert plain == b'{"a":{"x":1.0},"b\\"\\u00e9":{"y":"\\n"}}'
    [packed] = b"".join(elasticdump_lines.string_line(bodies)).splitlines()
    assert json.loads(packed) == plain.decode()
    assert elasticdump_lines.unwrap(packed) == elasticdump_lines.unwrap(plain) == plain
    assert b"".join(elasticdump_lines.string_line([])) == b'"{}"\n'
    for bad in (b"", b"[]", b'"[]"', b"1", b'"x'):
        with pytest.raises(ValueError):  # noqa: PT011  any kind of it
            elasticdump_lines.unwrap(bad)


@given(st.dictionaries(st.text(), st.text() | st.integers()))
def test_any_text_survives_its_line(value: dict[str, object]) -> None:
    body = json.dumps({"i": value}).encode()
    assert elasticdump_lines.unwrap(b"".join(elasticdump_lines.string_line([body]))) == body


def test_what_is_an_indexs_alone_is_left_out() -> None:
    settings = {
        "index": {
            "uuid": "u",
            "version": {"created": "1"},
            "creation_date": "1",
            "provided_name": "a",
            "number_of_shards": "2",
            "routing": {"allocation": {"initial_recovery": {"_id": None}, "include": {"x": "y"}}},
        }
    }
    body = json.dumps({"a": {"settings": settings}}).encode()
    assert json.loads(elasticdump_lines.portable(body))["a"]["settings"] == {
        "index": {"number_of_shards": "2", "routing": {"allocation": {"include": {"x": "y"}}}}
    }
    raw = b'{"a":{"aliases":{"x":{}},"mappings":{"_meta":{"n":1e400}},"settings":{"index":{}}}}'
    assert b'"mappings":{"_meta":{"n":1e400}}' in elasticdump_lines.portable(raw)


def _kept(name: str, body: bytes, streams: frozenset[str] = frozenset()) -> tuple[Any, int]:
    [part] = [
        part
        for part in cluster_resources.parts(release("Elasticsearch 8.1.0"))
        if part.name == name
    ]
    text, count = part.kept(body, streams)
    return json.loads(text), count


def test_what_the_server_made_for_itself_is_left_out() -> None:
    own = {"_meta": {"managed": True}}
    fleet = {"_meta": {"managed": True, "managed_by": "fleet"}}
    mine = {".a": {}, "c": {"_meta": {"managed": False}, "order": 1.0}, "d": {}, ".fleet_b": fleet}
    body = {**mine, ".monitoring-es": {}, "b": own}
    assert _kept("template", json.dumps(body).encode()) == (mine, 4)
    policies = {
        "mine": {"policy": {"phases": {}}, "version": 1},
        "its own, changed": {"policy": own, "version": 2},
        "its": {"policy": own, "version": 1},
    }
    kept = {name: policy for name, policy in policies.items() if name != "its"}
    assert _kept("policy", json.dumps(policies).encode()) == (kept, 2)
    listed = [
        {"name": "mine", "index_template": {"priority": 1}},
        {"name": "its", "index_template": own},
        {"name": ".watch-history-9", "index_template": {}},
    ]
    body = {"index_templates": listed}
    assert _kept("index_template", json.dumps(body).encode()) == (
        {"index_templates": listed[:1]},
        1,
    )
    dated = b'{"index_templates":[{"name":"n","index_template":{"created_date_millis":1,"p":1}}]}'
    assert _kept("index_template", dated)[0] == {
        "index_templates": [{"name": "n", "index_template": {"p": 1}}]
    }
    state = b'{"metadata":{"stored_scripts":{"s":{"lang":"painless","source":"1.0"}}}}'
    script = {"_id": "s", "found": True, "script": {"lang": "painless", "source": "1.0"}}
    assert _kept("script", state) == ({"stored_scripts": [script]}, 1)
    assert _kept("script", b"{}") == ({"stored_scripts": []}, 0)
    streams = b'{"data_streams":[{"name":"a","indices":[]},{"name":"b","indices":[]}]}'
    assert _kept("data_stream", streams, frozenset("b")) == (
        {"data_streams": [{"name": "b", "indices": []}]},
        1,
    )


def test_all_policies_of_opensearch_are_asked_for() -> None:
    [part] = [
        part
        for part in cluster_resources.parts(release("OpenSearch 2.1.0"))
        if part.name == "policy"
    ]
    assert part.all_path == "/_plugins/_ism/policies?size=10000"
    body = b'{"policies":[{"_id":"p","policy":{"states":[]}}],"total_policies":1}'
    assert part.kept(body, frozenset()) == (body, 1)
    assert requests.requests({"policy": body}, release("OpenSearch 2.1.0")) == [
        ("/_plugins/_ism/policies/p", b'{"policy":{"states":[]}}')
    ]


def test_what_others_need_is_made_first() -> None:
    texts = {
        "template": b'{"t/1":{"order":1.0}}',
        "index_template": b'{"index_templates":[{"name":"it","index_template":{"p":1}}]}',
        "component_template": b'{"component_templates":[{"name":"ct","component_template":{}}]}',
        "policy": b'{"p":{"version":1,"policy":{"phases":{}}}}',
        "pipeline": b'{"pp":{"processors":[]}}',
        "script": b'{"stored_scripts":[{"_id":"s","script":{"source":"1"}}]}',
    }
    assert requests.requests(texts, release("Elasticsearch 8.1.0")) == [
        ("/_scripts/s", b'{"script":{"source":"1"}}'),
        ("/_ingest/pipeline/pp", b'{"processors":[]}'),
        ("/_ilm/policy/p", b'{"policy":{"phases":{}}}'),
        ("/_component_template/ct", b"{}"),
        ("/_index_template/it", b'{"p":1}'),
        ("/_template/t%2F1", b'{"order":1.0}'),
    ]


NEW, OLD = release("Elasticsearch 8.1.0"), release("Elasticsearch 6.8.0")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            b'{"_index":"i","_id":"1","_score":null,"_source":{"a":1.0, "b":1e400}}',
            b'{"index":{"_id":"1"}}\n{"a":1.0, "b":1e400}\n',
        ),
        (
            b'{"_index":"i","_id":"\\u00e9\\"","_routing":"r","_source":{}}',
            b'{"index":{"_id":"\\u00e9\\"","routing":"r"}}\n{}\n',
        ),
        (
            b'{"_index":"i","_type":"t","_id":"1","_version":3,"_seq_no":2,"_source":{}}',
            b'{"index":{"_id":"1","version":3,"version_type":"external"}}\n{}\n',
        ),
        (
            b'{"_index":"i","_id":"1","_source":{"a":"\\ud800 \\\\ud800 \\ud83d\\udc18"}}',
            b'{"index":{"_id":"1"}}\n{"a":"\\ud800 \\\\ud800 \\ud83d\\udc18"}\n',
        ),
        (
            b'{"_index":".ds-s-1","_id":"1","_version":3,"_source":{}}',
            b'{"create":{"_id":"1"}}\n{}\n',
        ),
    ],
)
def test_a_document_is_loaded_as_it_is(line: bytes, expected: bytes) -> None:
    bulk = Bulk(
        product=NEW, names={".ds-s-1": "s", "i": "i", "other": ""}, streams=frozenset({"s"})
    )
    assert bulk.lines(line) == (*bulk.written, expected)
    assert sum(bulk.written.values()) == 1


def test_documents_go_where_they_are_to_go() -> None:
    bulk = Bulk(product=NEW, names={"i": "i_restored", "other": ""})
    assert bulk.lines(b'{"_index":"i","_id":"1","_source":{}}') == (
        "i_restored",
        b'{"index":{"_id":"1"}}\n{}\n',
    )
    assert bulk.lines(b'{"_index":"other","_id":"1","_source":{}}') == ("", b"")
    assert bulk.written == {"i_restored": 1}
    with pytest.raises(ValueError, match="of unknown, which the dump does not define"):
        bulk.lines(b'{"_index":"unknown","_id":"1","_source":{}}')


def test_types_stay_where_there_are_any() -> None:
    line = b'{"_index":"i","_type":"t","_id":"1","_source":{}}'
    assert Bulk(product=OLD, names={"i": "i"}).lines(line) == (
        "i",
        b'{"index":{"_id":"1","_type":"t"}}\n{}\n',
    )


@pytest.mark.parametrize("line", [b"", b"{}", b'{"_index":"i","_id":"1"}', b"[]", b'{"_index":'])
def test_a_line_that_is_no_document(line: bytes) -> None:
    with pytest.raises(ValueError, match="line"):
        Bulk(product=NEW, names={"i": "i"}).lines(line)


def test_bulk_requests_are_bounded_by_bytes() -> None:
    line = b'{"_index":"i","_id":"1","_source":{"a":"' + b"x" * 100_000 + b'"}}'
    bulk = Bulk(product=NEW, names={"i": "i"})
    found = list(bodies(iter([line] * 100), bulk))
    assert sum(body.count(b"\n") for _, body in found) == 200
    assert max(len(body) for _, body in found) < BULK_BYTES + 200_000
    assert len(found) == 3


def test_a_bulk_request_is_about_one_index() -> None:
    def line(index: str) -> bytes:
        return b'{"_index":"%s","_id":"1","_source":{}}' % index.encode()

    bulk = Bulk(product=NEW, names={"a": "a", "b": "b_restored", "other": ""})
    sent = list(bodies(map(line, ("other", "a", "a", "other", "a", "b", "other")), bulk))
    assert [(name, body.count(b"\n")) for name, body in sent] == [("a", 6), ("b_restored", 2)]


def _index(**settings: Any) -> IndexAnswer:
    return IndexAnswer(
        settings={"index": settings}, mappings=msgspec.Raw(b'{"properties":{},"_meta":{"n":1.0}}')
    )


def test_an_index_is_made_to_be_filled() -> None:
    index = _index(
        number_of_shards="3",
        number_of_replicas="2",
        refresh_interval="7s",
        default_pipeline="p",
        final_pipeline="f",
        blocks={"write": "true"},
        frozen="true",
        routing={"allocation": {"include": {"box": "hot"}}},
    )
    body = requests.creation(index, NEW)
    assert json.loads(body)["settings"]["index"] == {
        "number_of_shards": "3",
        "number_of_replicas": "0",
        "refresh_interval": "-1",
    }
    assert b'"mappings":{"properties":{},"_meta":{"n":1.0}}' in body
    assert json.loads(requests.afterwards(index)) == {
        "index": {
            "number_of_replicas": "2",
            "refresh_interval": "7s",
            "default_pipeline": "p",
            "final_pipeline": "f",
            "blocks": {"write": "true"},
        }
    }
    assert json.loads(requests.afterwards(_index())) == {
        "index": {"number_of_replicas": None, "refresh_interval": None}
    }


@pytest.mark.parametrize(
    ("store", "kept"),
    [
        ({"type": "snapshot", "snapshot": {"index_name": "x"}}, None),
        ({"type": "remote_snapshot"}, None),
        ({"type": "niofs"}, {"type": "niofs"}),
        (None, None),
    ],
)
def test_an_index_is_not_made_from_a_snapshot(store: object, kept: object) -> None:
    index = _index(**({"store": store} if store else {}))
    settings = json.loads(requests.creation(index, NEW))["settings"]["index"]
    assert settings.get("store") == kept


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{}", b"{}"),
        (b'{"a":{"aliases":{}}}', b"{}"),
        (b'{"a.b":{"aliases":{"x":{}}}}', b'{"a.b":{"aliases":{"x":{}}}}'),
        (
            b'{"a":{"aliases":{"x":{"filter":{"n":1.0}}},"mappings":{},"settings":{}},"b":{}}',
            b'{"a":{"aliases":{"x":{"filter":{"n":1.0}}}}}',
        ),
    ],
)
def test_aliases_of_those_that_have_any(body: bytes, expected: bytes) -> None:
    assert elasticdump_lines.aliases(body) == expected


@pytest.mark.parametrize(
    ("text", "shards", "limits", "at_once"),
    [
        ("Elasticsearch 7.10.2", 1, {}, False),
        ("Elasticsearch 9.2.4", 2000, {"points": 1}, True),
        ("Elasticsearch 9.2.4", 3, {"shards": 2}, False),
        ("OpenSearch 3.8.0", 3, {}, True),
        ("OpenSearch 3.8.0", 3, {"points": 2}, False),
        ("OpenSearch 3.8.0", 1, {"points": 0}, False),
        ("OpenSearch 3.8.0", 2000, {"points": 9000}, False),
    ],
)
def test_an_index_is_read_at_once_where_the_cluster_allows_it(
    text: str, shards: int, limits: Mapping[str, Any], *, at_once: bool
) -> None:
    index = Index(name="a", shards=shards)
    assert cursor.read_at_once(release(text), index, Limits(**limits)) is at_once
    piped = Index(name="a", shards=shards, pipeline="p")
    assert not cursor.read_at_once(release(text), piped, Limits(**limits))


@pytest.mark.parametrize(
    ("mappings", "expected"),
    [
        (b'{"_doc":{"properties":{"a":{}}}}', b'{"properties":{"a":{}}}'),
        (b'{"book":{"dynamic":"strict"}}', b'{"dynamic":"strict"}'),
        (b'{"properties":{"a":{}}}', b'{"properties":{"a":{}}}'),
        (b'{"_source":{"enabled":false}}', b'{"_source":{"enabled":false}}'),
        (b"{}", b"{}"),
    ],
)
def test_mappings_of_types_fit_a_server_without(mappings: bytes, expected: bytes) -> None:
    index = IndexAnswer(mappings=msgspec.Raw(mappings))
    assert b'"mappings":' + expected in requests.creation(index, NEW)
    assert b'"mappings":' + mappings in requests.creation(index, OLD)


def test_aliases_are_made_at_once() -> None:
    found = {
        "a": IndexAnswer(aliases=msgspec.Raw(b'{"x":{},"y":{"filter":{"term":{"n":1.0}}}}')),
        "b": IndexAnswer(),
    }
    assert requests.aliases(found) == (
        b'{"actions":[{"add":{"index":"a","alias":"x"}},'
        b'{"add":{"index":"a","alias":"y","filter":{"term":{"n":1.0}}}}]}'
    )
    assert requests.aliases({"b": IndexAnswer()}) == b""
