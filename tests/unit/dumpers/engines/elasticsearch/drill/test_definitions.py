"""Definitions of indices as they compare."""

import json
from typing import Any

import msgspec
import pytest

from dumpers.engines.elasticsearch.drill.definitions import differences
from dumpers.engines.elasticsearch.elasticdump_lines import IndexAnswer


def answer(
    settings: dict[str, Any] | None = None,
    mappings: dict[str, Any] | None = None,
    aliases: dict[str, Any] | None = None,
) -> IndexAnswer:
    return IndexAnswer(
        settings={"index": settings or {}},
        mappings=msgspec.Raw(json.dumps(mappings or {}).encode()),
        aliases=msgspec.Raw(json.dumps(aliases or {}).encode()),
    )


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"routing": {"allocation": {"require": {"box": "hot"}}}}, {}),
        ({"resize": {"source": {"name": "x"}}, "number_of_shards": "2"}, {"number_of_shards": "2"}),
        ({"store": {"type": "snapshot"}}, {}),
        (
            {"auto_expand_replicas": "0-1", "number_of_replicas": "1"},
            {"auto_expand_replicas": "0-1", "number_of_replicas": "0"},
        ),
    ],
)
def test_what_is_another_clusters_matter(wanted: dict[str, Any], found: dict[str, Any]) -> None:
    assert list(differences("i", answer(wanted), answer(found))) == []


def test_paths_say_what_differs() -> None:
    wanted = answer(
        {"routing": {"rebalance": {"enable": "all"}}, "number_of_replicas": "1"},
        {"properties": {"a": {"type": "long"}, "b": {"type": "text"}}},
        {"x": {"filter": {"term": {"n": 1}}}, "y": {}},
    )
    found = answer(
        {"number_of_replicas": "0"},
        {"properties": {"a": {"type": "integer"}}},
        {"x": {"filter": {"term": {"n": 2}}}},
    )
    assert list(differences("i", wanted, found)) == [
        "i has another setting: number_of_replicas, routing",
        "i has another mapping: properties.a.type, properties.b",
        "i has another alias: x.filter.term.n, y",
    ]


def test_the_order_of_members_does_not_matter() -> None:
    one = answer(mappings={"properties": {"a": {}, "b": {}}})
    other = answer(mappings={"properties": {"b": {}, "a": {}}})
    assert list(differences("i", one, other)) == []
