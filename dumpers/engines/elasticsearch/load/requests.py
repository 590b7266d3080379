"""Turning what a dump holds into what a cluster is asked for, without looking into documents."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from dumpers.engines.elasticsearch.elasticdump_lines import IndexAnswer
from dumpers.engines.elasticsearch.load.bulk import NO_TEXT
from dumpers.engines.elasticsearch.product import Product

# What says where an index lay or came from, or makes it read-only while it is to be filled.
_LEFT_OUT = ("blocks", "frozen", "resize", "shrink", "split", "clone", "verified_before_close")
# What would change documents on their way in, or make loading slow, until all are there.
_LATER = ("refresh_interval", "number_of_replicas", "default_pipeline", "final_pipeline")
# What rolls an index over, shrinks or deletes it.
_MANAGED = ("lifecycle", "plugins", "opendistro")
# What makes an index take documents of some time only, under ids of its own.
_SERIES = ("mode", "time_series", "routing_path", "look_ahead_time")
_WHILE_LOADING = {"refresh_interval": "-1", "number_of_replicas": "0"}
# What stands in mappings beside names that begin with `_`; anything else is a type.
_OF_MAPPINGS = frozenset(
    (
        "properties",
        "dynamic",
        "dynamic_templates",
        "dynamic_date_formats",
        "date_detection",
        "numeric_detection",
        "runtime",
        "subobjects",
        "enabled",
    )
)


class _Item(msgspec.Struct):
    id: str = msgspec.field(name="_id", default="")
    name: str = ""
    script: msgspec.Raw = NO_TEXT
    policy: msgspec.Raw = NO_TEXT
    component_template: msgspec.Raw = NO_TEXT
    index_template: msgspec.Raw = NO_TEXT


class _Policy(msgspec.Struct):
    policy: msgspec.Raw


class _StreamIndex(msgspec.Struct):
    index_name: str


class _Stream(msgspec.Struct):
    name: str
    indices: list[_StreamIndex]


class _Streams(msgspec.Struct):
    data_streams: list[_Stream] = []


def requests(texts: Mapping[str, bytes], product: Product) -> list[tuple[str, bytes]]:
    """Paths and bodies that make what is of the whole cluster, what others need first."""
    listed = [
        *(
            ("_scripts", item.id, {"script": item.script})
            for item in _items(texts, "script", "stored_scripts")
        ),
        *(("_ingest/pipeline", name, body) for name, body in _named(texts, "pipeline").items()),
        *_policies(texts, product),
        *(
            ("_component_template", item.name, item.component_template)
            for item in _items(texts, "component_template", "component_templates")
        ),
        *(
            ("_index_template", item.name, item.index_template)
            for item in _items(texts, "index_template", "index_templates")
        ),
        *(("_template", name, body) for name, body in _named(texts, "template").items()),
    ]
    return [
        (f"/{path}/{quote(name, safe='')}", msgspec.json.encode(body))
        for path, name, body in listed
    ]


def data_streams(text: bytes) -> Mapping[str, str]:
    """The data stream of each of their indices."""
    listed = msgspec.json.decode(text, type=_Streams).data_streams
    return {index.index_name: stream.name for stream in listed for index in stream.indices}


def creation(
    index: IndexAnswer, product: Product, *, managed: bool = True, plain: bool = False
) -> bytes:
    """The body that creates an index to be filled: no copies, nothing that changes documents.

    Without `managed` no policy rolls it over or deletes it; `plain` makes of a data stream's index
    one that takes documents of any time.
    """
    left_out = {*_LEFT_OUT, *_LATER, *(() if managed else _MANAGED), *(_SERIES if plain else ())}
    settings = {
        name: value
        for name, value in index.settings.get("index", {}).items()
        if name not in left_out and not (plain and name == "hidden")
    }
    # Which node it lay on is another cluster's matter.
    routing = {k: v for k, v in settings.get("routing", {}).items() if k != "allocation"}
    settings = {**settings, "routing": routing, "store": _store(settings.get("store", {}))}
    for name in ("routing", "store"):
        if not settings[name]:
            del settings[name]
    body = {
        "settings": {"index": {**settings, **_WHILE_LOADING}},
        "mappings": _mappings(index.mappings, product),
    }
    return msgspec.json.encode(body)


def lifecycle(index: IndexAnswer) -> bytes:
    """The settings that put an index under its policy again; empty where it has none."""
    own = index.settings.get("index", {})
    found = {name: own[name] for name in _MANAGED if name in own}
    return msgspec.json.encode({"index": found}) if found else b""


def afterwards(index: IndexAnswer) -> bytes:
    """The settings that an index gets once it is filled."""
    own = index.settings.get("index", {})
    # null leads back to the server's default.
    later = {name: own.get(name) for name in _LATER}
    later = {
        name: value for name, value in later.items() if value is not None or name in _WHILE_LOADING
    }
    if "blocks" in own:
        later["blocks"] = own["blocks"]
    return msgspec.json.encode({"index": later})


def aliases(found: Mapping[str, IndexAnswer]) -> bytes:
    """The body that makes all aliases at once; empty where there is none."""
    actions = []
    for index, answer in found.items():
        for name, raw in msgspec.json.decode(answer.aliases, type=dict[str, msgspec.Raw]).items():
            more: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
            actions.append({"add": {"index": index, "alias": name, **more}})
    return msgspec.json.encode({"actions": actions}) if actions else b""


def _store(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """How an index is stored, if not in a snapshot, which another cluster has not."""
    return {} if str(found.get("type", "")).endswith("snapshot") else found


def _policies(
    texts: Mapping[str, bytes], product: Product
) -> list[tuple[str, str, dict[str, msgspec.Raw]]]:
    if product.is_opensearch:
        return [
            ("_plugins/_ism/policies", item.id, {"policy": item.policy})
            for item in _items(texts, "policy", "policies")
        ]
    return [
        ("_ilm/policy", name, {"policy": msgspec.json.decode(body, type=_Policy).policy})
        for name, body in _named(texts, "policy").items()
    ]


def _named(texts: Mapping[str, bytes], part: str) -> Mapping[str, msgspec.Raw]:
    return msgspec.json.decode(texts.get(part, b"{}"), type=dict[str, msgspec.Raw])


def _items(texts: Mapping[str, bytes], part: str, member: str) -> list[_Item]:
    text = texts.get(part)
    if text is None:
        return []
    found = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    return msgspec.json.decode(found.get(member, b"[]"), type=list[_Item])


def _mappings(raw: msgspec.Raw, product: Product) -> msgspec.Raw:
    """Mappings without the type that a server of 6.8 puts around them, for one that has none."""
    if product.has_types:
        return raw
    found = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    if len(found) == 1:
        [(name, inner)] = found.items()
        typed = name == "_doc" or not (name.startswith("_") or name in _OF_MAPPINGS)
        if typed:
            return inner
    return raw
