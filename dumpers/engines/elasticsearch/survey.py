"""Reading a cluster's indices, and all parts of a dump beside documents."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dumpers.engines.elasticsearch.client import DeniedError, Server
from dumpers.engines.elasticsearch.cluster_resources import parts
from dumpers.engines.elasticsearch.indices import Index
from dumpers.engines.elasticsearch.product import Product
from dumpers.engines.names import abbreviate
from dumpers.runtime.errors import SourceFailedError, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt

_COLUMNS = "index,status,health,pri,docs.count,pri.store.size"
_SETTINGS = (
    "index.hidden",
    "index.frozen",
    "index.search.throttled",
    "index.mode",
    "index.mapping.source.mode",
)
_SYNTHETIC_MODES = frozenset(("logsdb", "time_series"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A part of the cluster that is there already: its JSON object and how many things it holds."""

    name: str
    body: bytes
    count: int


def indices(server: Server, product: Product, interrupt: Interrupt) -> tuple[Index, ...]:
    """All indices that the account sees, hidden and closed ones too."""
    query = {"format": "json", "bytes": "b", "h": _COLUMNS}
    if product.lists_hidden:
        query["expand_wildcards"] = "all"
    listed = server.json("GET", "/_cat/indices", query=query, interrupt=interrupt)
    settings = _settings(server, interrupt)
    streams = _streams(server, product, interrupt)
    return tuple(
        Index(
            name=row["index"],
            shards=max(1, _number(row.get("pri"))),
            documents=_number(row.get("docs.count")),
            size=_number(row.get("pri.store.size")),
            stream=streams.get(row["index"], ""),
            hidden=_says(settings, row["index"], "index.hidden"),
            closed=row.get("status") == "close",
            frozen=_says(settings, row["index"], "index.frozen")
            or _says(settings, row["index"], "index.search.throttled"),
            source_mode=_source_mode(settings.get(row["index"], {})),
            health=row.get("health") or "",
        )
        for row in listed
    )


def check(chosen: Sequence[Index]) -> None:
    """Raise SourceFailedError where an index that is to be read has lost a shard."""
    red = [index.name for index in chosen if index.health == "red" and not index.closed]
    if red:
        raise SourceFailedError(
            "these indices are red, that is without one of their primary shards: "
            f"{abbreviate(red)}: mend the cluster, or leave them out by the annotation indices"
        )


def notes(
    server: Server,
    product: Product,
    chosen: Sequence[Index],
    every: Sequence[Index],
    interrupt: Interrupt,
) -> tuple[str, ...]:
    """Notes on documents that are dumped differently than a user may expect, or not at all."""
    found = []
    closed = [index.name for index in chosen if index.closed]
    if closed:
        found.append(
            f"closed, so that only their settings and mappings are dumped: {abbreviate(closed)}"
        )
    frozen = [index.name for index in chosen if index.frozen]
    if frozen:
        found.append(f"frozen, and read all the same: {abbreviate(frozen)}")
    names = {index.name for index in chosen}
    own = [index.name for index in every if index.is_own and index.name not in names]
    if own:
        found.append(f"hidden indices are left out: {abbreviate(own)}")
    without, partly, synthetic = _sources(server, chosen, interrupt)
    if without:
        found.append(
            f"these keep no _source, so their documents are not dumped: {abbreviate(without)}"
        )
    if partly:
        found.append(f"the _source of these leaves out some of their fields: {abbreviate(partly)}")
    if synthetic:
        found.append(
            "the server makes the _source of these anew, so it need not be what was once sent: "
            f"{abbreviate(synthetic)}"
        )
    vectors = _vectors(server, product, interrupt)
    if vectors:
        found.append(
            "the server may keep vectors apart from the _source, so these fields may stand "
            f"elsewhere in it than they were sent: {abbreviate(vectors)}"
        )
    return tuple(found)


def texts(
    server: Server, product: Product, streams: frozenset[str], interrupt: Interrupt
) -> tuple[tuple[Text, ...], tuple[str, ...]]:
    """The parts that belong to the whole cluster, and notes on those that cannot be read."""
    found: list[Text] = []
    missing: list[str] = []
    for part in parts(product):
        try:
            body = server.if_there(part.path, interrupt=interrupt)
            if body is not None and part.all_path:
                body = server.ask("GET", part.all_path, interrupt=interrupt)
        except DeniedError:
            missing.append(f"this account may not read {part.what}: they are not in the dump")
            continue
        if body is None:
            missing.append(f"the server has no {part.what}")
            continue
        kept, count = part.kept(body, streams)
        found.append(Text(name=part.name, body=kept, count=count))
    return tuple(found), tuple(missing)


def _settings(server: Server, interrupt: Interrupt) -> Mapping[str, Mapping[str, Any]]:
    path = f"/_all/_settings/{','.join(_SETTINGS)}"
    query = {"flat_settings": "true", "expand_wildcards": "all"}
    listed = server.json("GET", path, query=query, interrupt=interrupt)
    return {name: item["settings"] for name, item in listed.items()}


def _says(settings: Mapping[str, Mapping[str, Any]], index: str, name: str) -> bool:
    return str(settings.get(index, {}).get(name, "false")) == "true"


def _source_mode(settings: Mapping[str, Any]) -> str:
    """The mode that settings give `_source`, where its mapping says nothing."""
    said = settings.get("index.mapping.source.mode", "")
    if not said and settings.get("index.mode") in _SYNTHETIC_MODES:
        return "synthetic"
    return str(said)


def _streams(server: Server, product: Product, interrupt: Interrupt) -> Mapping[str, str]:
    """The data stream of each index that belongs to one."""
    hidden = "" if product.is_opensearch else "?expand_wildcards=all"
    try:
        body = server.if_there(f"/_data_stream{hidden}", interrupt=interrupt)
    except DeniedError as error:
        raise SourceRefusedError(
            f"{server.where}: this account may not list data streams: grant it "
            "view_index_metadata on all that is dumped"
        ) from error
    listed = json.loads(body).get("data_streams", []) if body is not None else []
    return {index["index_name"]: stream["name"] for stream in listed for index in stream["indices"]}


def _sources(
    server: Server, chosen: Sequence[Index], interrupt: Interrupt
) -> tuple[list[str], list[str], list[str]]:
    """The names of indices without `_source`, with parts of it, and with a synthetic one."""
    query = {
        "filter_path": "*.mappings._source,*.mappings.*._source",
        "expand_wildcards": "all",
    }
    listed = server.json("GET", "/_all/_mapping", query=query, interrupt=interrupt)
    without, partly, synthetic = [], [], []
    for index in sorted(chosen, key=lambda index: index.name):
        mappings = listed.get(index.name, {}).get("mappings", {})
        # With types, the mapping is one level below.
        source: Mapping[str, Any] = mappings.get("_source") or next(
            (item["_source"] for item in mappings.values() if "_source" in item), {}
        )
        mode = source.get("mode") or index.source_mode
        if source.get("enabled") is False or mode == "disabled":
            without.append(index.name)
        elif mode == "synthetic":
            synthetic.append(index.name)
        elif source.get("excludes") or source.get("includes"):
            partly.append(index.name)
    return without, partly, synthetic


def _vectors(server: Server, product: Product, interrupt: Interrupt) -> Sequence[str]:
    """The names of all fields that hold vectors, where the server leaves these out."""
    if not product.leaves_vectors_out:
        return ()
    query = {
        "fields": "*",
        "types": "dense_vector,sparse_vector,rank_vectors",
        "filter_path": "fields.*.*.type",
        "expand_wildcards": "open,hidden",
    }
    listed = server.json("GET", "/_all/_field_caps", query=query, interrupt=interrupt)
    return sorted(listed.get("fields", ()))


def _number(text: str | None) -> int:
    return int(text) if text else 0
