"""Listing a cluster's indices: in a few requests, whatever their number.

A metadata block on one index makes the server refuse every list that it would be in, so those
indices are found first, in the cluster's state, and asked about by nobody.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from dumpers.engines.elasticsearch.client import DeniedError, Server
from dumpers.engines.elasticsearch.indices import Index
from dumpers.engines.elasticsearch.product import Product
from dumpers.engines.elasticsearch.survey import index_settings
from dumpers.engines.elasticsearch.survey.index_settings import SETTINGS, says, source_mode
from dumpers.runtime.errors import SourceRefusedError
from dumpers.runtime.interrupt import Interrupt

ALL = "_all"
# Servers take a request's first line of 4096 bytes by default.
PATH_BYTES = 3000
_COLUMNS = "index,status,health,pri,docs.count,pri.store.size"
_WINDOW, _SLICES = 10_000, 1024
_BACKING = re.compile(r"\.ds-(.+?)-(?:\d{4}\.\d\d\.\d\d-)?\d{6,}")
UNSEEN = "not visible to this account: grant it monitor and view_index_metadata on them"
METADATA_BLOCK = "index.blocks.metadata is set, so that nobody may look at them: set it to false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All indices that are there, as far as anybody can know.

    `targets` are index expressions, quoted for a path, that together name those which may be asked
    about.
    """

    indices: tuple[Index, ...]
    targets: tuple[str, ...] = (ALL,)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Streams:
    """The data stream of each index that belongs to one, and of each that holds its failures."""

    of: Mapping[str, str]
    failures: Mapping[str, str]


def list_indices(
    server: Server, product: Product, interrupt: Interrupt, *, unseen: bool = False
) -> Listing:
    """All indices, hidden and closed ones too; with `unseen` those, too, that are only known of."""
    blocks = _blocks(server, interrupt)
    shut = sorted(name for name, levels in blocks.items() if "metadata_read" in levels)
    known = _every_name(server, interrupt) if shut or unseen else ()
    # Old releases have no health of closed indices.
    names = sorted({*known, *blocks})
    targets = expressions(shut, names if known else [], by_names=product.has_types)
    if not targets and not known:
        raise SourceRefusedError(
            f"{server.where} has {len(shut)} indices with index.blocks.metadata, too many to ask "
            "about all others, whose names this account may not see: grant it the cluster "
            "privilege monitor"
        )
    rows = [row for target in targets for row in _rows(server, product, target, interrupt)]
    settings = _settings(server, targets, interrupt)
    streams = _streams(server, product, [row["index"] for row in rows], interrupt)
    found = {
        row["index"]: _index(row, settings.get(row["index"], {}), streams, blocks) for row in rows
    }
    for name in shut:
        found[name] = replace(_unlisted(name, METADATA_BLOCK), blocked=True)
    if unseen:
        for name in names:
            found.setdefault(name, _unlisted(name, UNSEEN))
    return Listing(indices=tuple(found.values()), targets=tuple(targets))


def expressions(
    left_out: Sequence[str], every: Iterable[str], *, by_names: bool = False
) -> Sequence[str]:
    """Index expressions for paths, each short enough, that together mean all but those left out.

    `every` are the names of all indices. They are needed where many are left out, or `by_names`:
    6.8 has forgotten an index that is left out when it looks for it, and says that there is none.
    """
    if not left_out:
        return (ALL,)
    excluding = ",".join(("*", *(f"-{quote(name, safe='')}" for name in left_out)))
    if len(excluding) <= PATH_BYTES and not by_names:
        return (excluding,)
    return joined(name for name in every if name not in set(left_out))


def joined(names: Iterable[str]) -> Sequence[str]:
    """Names joined by commas, quoted for a path, as many in one as a path may hold."""
    found: list[str] = []
    for name in names:
        text = quote(name, safe="")
        if found and len(found[-1]) + len(text) < PATH_BYTES:
            found[-1] += f",{text}"
        else:
            found.append(text)
    return found


def _blocks(server: Server, interrupt: Interrupt) -> Mapping[str, frozenset[str]]:
    """What is blocked of each index that has blocks; empty where the server does not say."""
    body = server.if_granted("/_cluster/state/blocks?filter_path=blocks.indices", interrupt)
    listed = json.loads(body).get("blocks", {}).get("indices", {}) if body is not None else {}
    return {
        name: frozenset(level for block in blocks.values() for level in block.get("levels", ()))
        for name, blocks in listed.items()
    }


def _every_name(server: Server, interrupt: Interrupt) -> Iterable[str]:
    """The names of all indices, also of those that this account may not see otherwise."""
    path = "/_cluster/health?level=indices&filter_path=indices.*.status"
    body = server.if_granted(path, interrupt)
    listed: Mapping[str, Any] = json.loads(body).get("indices", {}) if body is not None else {}
    return listed


def _rows(
    server: Server, product: Product, target: str, interrupt: Interrupt
) -> Sequence[Mapping[str, Any]]:
    query = {"format": "json", "bytes": "b", "h": _COLUMNS}
    if product.lists_hidden:
        query["expand_wildcards"] = "all"
    path = "/_cat/indices" if target == ALL else f"/_cat/indices/{target}"
    rows: Sequence[Mapping[str, Any]] = server.json("GET", path, query=query, interrupt=interrupt)
    return rows


def _settings(
    server: Server, targets: Sequence[str], interrupt: Interrupt
) -> Mapping[str, Mapping[str, Any]]:
    query = {"flat_settings": "true", "expand_wildcards": "all"}
    found: dict[str, Mapping[str, Any]] = {}
    for target in targets:
        path = f"/{target}/_settings/{','.join(SETTINGS)}"
        listed = server.json("GET", path, query=query, interrupt=interrupt)
        found |= {name: item["settings"] for name, item in listed.items()}
    return found


def _index(
    row: Mapping[str, Any],
    settings: Mapping[str, Any],
    streams: _Streams,
    blocks: Mapping[str, frozenset[str]],
) -> Index:
    name = row["index"]
    closed = row.get("status") == "close"
    slices = (settings.get(f"index.max_slices_per_{way}", _SLICES) for way in ("scroll", "pit"))
    return Index(
        name=name,
        shards=max(1, _number(row.get("pri"))),
        documents=_number(row.get("docs.count")),
        size=_number(row.get("pri.store.size")),
        stream=streams.of.get(name, ""),
        failures_of=streams.failures.get(name, ""),
        hidden=says(settings, "index.hidden"),
        closed=closed,
        frozen=says(settings, "index.frozen") or says(settings, "index.search.throttled"),
        source_mode=source_mode(settings),
        health=row.get("health") or "",
        blocked=not closed and "read" in blocks.get(name, ()),
        unread=_unread(row, blocks.get(name, frozenset()), closed=closed),
        window=max(1, int(settings.get("index.max_result_window", _WINDOW))),
        most_slices=max(1, min(map(int, slices))),
        refreshes=index_settings.refreshes(settings),
        files=index_settings.files(settings),
        pipeline=index_settings.search_pipeline(settings),
        follows=says(settings, "index.xpack.ccr.following_index"),
    )


def _unread(row: Mapping[str, Any], blocked: frozenset[str], *, closed: bool) -> str:
    """Why the documents of an index cannot be read; empty if they can."""
    if closed:
        return "closed: open them to dump their documents"
    if "read" in blocked:
        return "index.blocks.read is set: set it to false"
    if row.get("health") == "red":
        return "red, that is without one of their primary shards: mend the cluster"
    return ""


def _unlisted(name: str, problem: str) -> Index:
    """An index of which nothing but its name is known, and what that gives away."""
    backing = _BACKING.fullmatch(name)
    return Index(name=name, stream=backing[1] if backing else "", problem=problem)


def _streams(
    server: Server, product: Product, names: Sequence[str], interrupt: Interrupt
) -> _Streams:
    hidden = "" if product.is_opensearch else "?expand_wildcards=all"
    try:
        body = server.if_there(f"/_data_stream{hidden}", interrupt=interrupt)
    except DeniedError as error:
        if not any(_BACKING.fullmatch(name) for name in names):
            return _Streams(of={}, failures={})
        raise SourceRefusedError(
            f"{server.where}: this account may not list data streams: grant it "
            "view_index_metadata on all that is dumped"
        ) from error
    listed = json.loads(body).get("data_streams", []) if body is not None else []
    return _Streams(
        of={
            index["index_name"]: stream["name"] for stream in listed for index in stream["indices"]
        },
        failures={
            index["index_name"]: stream["name"]
            for stream in listed
            for index in (stream.get("failure_store") or {}).get("indices", ())
        },
    )


def _number(text: str | None) -> int:
    return int(text) if text else 0
