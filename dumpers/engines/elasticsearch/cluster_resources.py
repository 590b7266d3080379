"""The parts of a dump beside documents: name, path in the API, and objects that are left out.

What the server made for itself is left out: what it calls managed, without a word on who else does
so, and names that only servers give. Everything else is kept as the server says it, byte for byte.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from dumpers.engines.elasticsearch.product import Product


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part that is of the whole cluster: `what` in words, `path` where it is asked for.

    `kept` makes what is stored of an answer, and its number of things, of the names of the data
    streams that are dumped. Where `path` lists the first things only, `all_path` lists them all.
    `is_certain` says that every server may hold such things, also one without this path.
    """

    name: str
    what: str
    path: str
    all_path: str = ""
    is_certain: bool = False
    kept: Callable[[bytes, frozenset[str]], tuple[bytes, int]]


class _Meta(msgspec.Struct):
    meta: Any = msgspec.field(name="_meta", default=None)


class _Named(msgspec.Struct):
    name: str
    index_template: _Meta | None = None
    component_template: _Meta | None = None


class _Policy(msgspec.Struct):
    policy: _Meta | None = None
    version: int = 1


class _Scripts(msgspec.Struct):
    stored_scripts: dict[str, msgspec.Raw] = {}


class _State(msgspec.Struct):
    metadata: _Scripts = msgspec.field(default_factory=_Scripts)


# Elasticsearch 9.2 and newer.
_DATES = frozenset(("created_date", "created_date_millis", "modified_date", "modified_date_millis"))
# Beginnings of names that servers, and Kibana, give to what they do not call managed, mostly before
# 8.
_OWN_NAMES = (
    *(".alerts-", ".apm-", ".async-search", ".data-frame-", ".deprecation-", ".ent-search"),
    *(".fleet", ".internal.", ".items-", ".kibana", ".lists-", ".logstash", ".management-beats"),
    *(".ml-", ".monitoring-", ".opendistro", ".opensearch", ".plugins-", ".preview."),
    *(".reporting", ".rollup-", ".security", ".siem-signals", ".slm-", ".snapshot-blob-cache"),
    *(".tasks", ".transform-", ".triggered_watches", ".watch"),
)
_RAW_BY_NAME = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STATE = msgspec.json.Decoder(_State)
# Here and not where they are used: parts are read side by side, and two threads that let msgspec
# meet a type for the first time together crash the process (seen with 0.22).
_NAMED = msgspec.json.Decoder(_Named)
_META, _POLICY = msgspec.json.Decoder(_Meta), msgspec.json.Decoder(_Policy)


def parts(product: Product) -> tuple[Part, ...]:
    """The parts that a server may have, in the order that they are stored in."""
    composable = (
        Part(
            name="component_template",
            what="component templates",
            path="/_component_template",
            kept=_listed("component_templates"),
        ),
        Part(
            name="index_template",
            what="index templates",
            path="/_index_template",
            kept=_listed("index_templates"),
        ),
    )
    ism = "/_plugins/_ism/policies"
    return (
        Part(name="template", what="legacy templates", path="/_template", kept=_by_name(_META)),
        Part(
            name="policy",
            what="ISM policies" if product.is_opensearch else "ILM policies",
            path=ism if product.is_opensearch else "/_ilm/policy",
            all_path=f"{ism}?size=10000" if product.is_opensearch else "",
            kept=_policies if product.is_opensearch else _by_name(_POLICY),
        ),
        *(composable if product.has_composable_templates else ()),
        Part(
            name="pipeline",
            what="ingest pipelines",
            path="/_ingest/pipeline",
            kept=_by_name(_META),
        ),
        Part(
            name="script",
            what="stored scripts",
            path="/_cluster/state/metadata?filter_path=metadata.stored_scripts",
            is_certain=True,
            kept=_scripts,
        ),
        *((STREAMS,) if product.has_composable_templates else ()),
    )


def _by_name(
    shape: "msgspec.json.Decoder[_Meta] | msgspec.json.Decoder[_Policy]",
) -> Callable[[bytes, frozenset[str]], tuple[bytes, int]]:
    def kept(body: bytes, _: frozenset[str]) -> tuple[bytes, int]:
        found = {
            name: raw
            for name, raw in _RAW_BY_NAME.decode(body).items()
            if not _is_servers_own(name, shape.decode(raw))
        }
        return msgspec.json.encode(found), len(found)

    return kept


def _listed(member: str) -> Callable[[bytes, frozenset[str]], tuple[bytes, int]]:
    def kept(body: bytes, _: frozenset[str]) -> tuple[bytes, int]:
        found = []
        for raw in _items(body, member):
            one = _NAMED.decode(raw)
            inner = one.index_template or one.component_template
            if not _is_servers_own(one.name, inner):
                found.append(_portable(raw))
        return msgspec.json.encode({member: found}), len(found)

    return kept


def _portable(raw: msgspec.Raw) -> dict[str, Any]:
    """A template without its dates: those the server sets, and takes from nobody."""
    outer: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    for name in ("index_template", "component_template"):
        if name in outer:
            inner = msgspec.json.decode(outer[name], type=dict[str, msgspec.Raw])
            outer[name] = {key: value for key, value in inner.items() if key not in _DATES}
    return outer


def _policies(body: bytes, _: frozenset[str]) -> tuple[bytes, int]:
    return body.strip(), len(_items(body, "policies"))


def _scripts(body: bytes, _: frozenset[str]) -> tuple[bytes, int]:
    found = _STATE.decode(body).metadata.stored_scripts
    listed = [{"_id": name, "found": True, "script": raw} for name, raw in found.items()]
    return msgspec.json.encode({"stored_scripts": listed}), len(listed)


def _streams(body: bytes, chosen: frozenset[str]) -> tuple[bytes, int]:
    found = [raw for raw in _items(body, "data_streams") if _NAMED.decode(raw).name in chosen]
    return msgspec.json.encode({"data_streams": found}), len(found)


STREAMS = Part(
    name="data_stream",
    what="data streams",
    path="/_data_stream",
    kept=_streams,
)


def _items(body: bytes, member: str) -> Sequence[msgspec.Raw]:
    raw = _RAW_BY_NAME.decode(body).get(member, msgspec.Raw(b"[]"))
    return msgspec.json.decode(raw, type=list[msgspec.Raw])


def _is_servers_own(name: str, item: _Meta | _Policy | None) -> bool:
    """Whether a new cluster of this release has the thing by itself, as it is."""
    changed = isinstance(item, _Policy) and item.version > 1
    if isinstance(item, _Policy):
        item = item.policy
    said = item.meta if item is not None else None
    if isinstance(said, Mapping) and said.get("managed") is True:
        # Kibana's Fleet makes templates, which data streams need.
        return not changed and not said.get("managed_by")
    return name.startswith(_OWN_NAMES)
