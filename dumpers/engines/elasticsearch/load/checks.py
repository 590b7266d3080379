"""What can be known of a cluster before the first byte: each fault with its cure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.elasticsearch.load.contents import Contents, Item
from dumpers.engines.elasticsearch.load.exchange import aliases_to_move
from dumpers.engines.elasticsearch.load.plugins import missing_plugins
from dumpers.engines.elasticsearch.load.target import Target, There
from dumpers.engines.elasticsearch.load.templates import Template, applying
from dumpers.engines.elasticsearch.product import Flavour, Product
from dumpers.engines.names import abbreviate
from dumpers.runtime.errors import TargetRefusedError

_NAME_BYTES = 255
_BAD_LETTERS = frozenset('\\/*?"<>| ,#:')
_LIMITED = (7, 0)
_RIGHTS = ("create_index", "write", "read", "manage", "view_index_metadata")
# The number of the block that a full disk brings: read-only, but for deleting.
_FLOODED = "12"


def check_target(
    to: Target, contents: Contents, items: Sequence[Item], there: There, request: RestoreRequest
) -> Sequence[str]:
    """Raise TargetRefusedError for what would stop the restore for certain; return notes."""
    faults = [
        *_names(to, items, there, request),
        *missing_plugins(to, items),
        *_blocks(to),
        *_shards(to, items, request),
        *_rights(to, items),
    ]
    if request.mode is RestoreMode.SWAP:
        faults += _swaps(items, there)
    if request.mode is RestoreMode.OVERWRITE:
        faults += _replaces(items, there)
    if faults:
        raise TargetRefusedError("; ".join(faults))
    return _release(to, contents)


def _names(
    to: Target, items: Sequence[Item], there: There, request: RestoreRequest
) -> Iterator[str]:
    for item in items:
        name = item.own
        bad = name != name.lower() or _BAD_LETTERS & set(name) or name[:1] in {"-", "_", "+"}
        if bad or len(name.encode()) > _NAME_BYTES:
            yield (
                f"{name!r} can be no name: small letters, none of {' '.join(sorted(_BAD_LETTERS))},"
                f" at most {_NAME_BYTES} bytes"
            )
    own = [item.own for item in items]
    twice = sorted({name for name in own if own.count(name) > 1})
    if twice:
        yield f"several would get the same name: {abbreviate(twice)}"
    taken = [name for name in own if name in there.names]
    if taken and request.mode is RestoreMode.EMPTY:
        yield (
            f"{to.server.where} has these already: {abbreviate(taken)}: restore into another "
            "cluster, or delete them"
        )
    elif taken:
        yield (
            f"{to.server.where} has these already: {abbreviate(taken)}: if an earlier restore left "
            "or kept them, forget them; else take another suffix or name"
        )


def check_templates(items: Sequence[Item], templates: Sequence[Template]) -> None:
    """Raise TargetRefusedError where a template would give a copy beside an alias, or more.

    Whoever reads by that alias would find all documents twice.
    """
    faults = []
    for item in items:
        for template in applying(templates, item.own) if item.is_beside else ():
            if template.aliases:
                faults.append(
                    f"the template {template.name} would put {item.own} behind "
                    f"{abbreviate(template.aliases)}"
                )
            elif template.makes_streams and not item.stream:
                faults.append(
                    f"the template {template.name} makes data streams of names like {item.own}"
                )
    if faults:
        raise TargetRefusedError(f"{'; '.join(faults)}: take another suffix or name")


def _swaps(items: Sequence[Item], there: There) -> Iterator[str]:
    for item in items:
        if not item.is_beside:
            continue
        if item.was_stream or item.live in there.streams:
            yield (
                f"{item.live} is a data stream, which cannot change places: load beside, or "
                "overwrite"
            )
            continue
        moved = aliases_to_move(item, there)
        if not moved:
            yield (
                f"{item.live} is an index behind no alias: it would have to be deleted, as search "
                "renames nothing: load beside, or overwrite"
            )
        for alias in moved:
            behind = there.aliases[alias]
            if len(behind) > 1:
                yield (
                    f"the alias {alias} leads to several indices, {abbreviate(sorted(behind))}: "
                    "they would not change places as one: load beside"
                )


def _replaces(items: Sequence[Item], there: There) -> Iterator[str]:
    for item in items:
        if not item.is_beside:
            continue
        if (item.live in there.streams) is not item.was_stream:
            kinds = ("a data stream", "an index or alias")
            here, dumped = kinds if item.live in there.streams else reversed(kinds)
            yield f"{item.live} is {here} here, and {dumped} in the backup: load beside"
        elif len(there.aliases.get(item.live, {})) > 1:
            yield f"the alias {item.live} leads to several indices: load beside"


def _release(to: Target, contents: Contents) -> Sequence[str]:
    """Notes on the release; TargetRefusedError where the cluster is older by a major one."""
    flavour, _, version = contents.server.partition(" ")
    if flavour not in set(Flavour):
        return ("the backup does not say which release it is of",)
    dumped = Product(flavour=Flavour(flavour), version=version)
    if dumped.flavour is not to.product.flavour:
        return (f"the backup is of {dumped}, and this is {to.product}: not all may be known here",)
    if to.product.number[:1] < dumped.number[:1]:
        raise TargetRefusedError(
            f"{to.server.where} is {to.product}, and the backup is of {dumped}: restore into the "
            "same major release or a newer one"
        )
    if to.product.number < dumped.number:
        return (f"the backup is of {dumped}, which is newer than {to.product}",)
    return ()


def _blocks(to: Target) -> Iterator[str]:
    body = to.server.if_granted("/_cluster/state/blocks", to.interrupt)
    blocks: Mapping[str, Any] = json.loads(body).get("blocks", {}) if body is not None else {}
    for block in blocks.get("global", {}).values():
        yield f"the cluster takes nothing in: {block.get('description')}: take the block away"
    flooded = [name for name, held in blocks.get("indices", {}).items() if _FLOODED in held]
    if flooded:
        yield (
            f"a disk of the cluster is full (flood stage): {abbreviate(flooded)} may only be "
            "deleted: make room first"
        )


def _shards(to: Target, items: Sequence[Item], request: RestoreRequest) -> Iterator[str]:
    """Whether the cluster may have as many more shards as the restore makes."""
    if not to.product.is_opensearch and to.product.number < _LIMITED:
        return
    wanted = "*.cluster.max_shards_per_node"
    body = to.server.if_granted(
        f"/_cluster/settings?include_defaults=true&filter_path={wanted}", to.interrupt
    )
    health = to.server.if_granted("/_cluster/health", to.interrupt)
    if body is None or health is None:
        return
    said = json.loads(body)
    limits = [
        said[kind]["cluster"]["max_shards_per_node"]
        for kind in ("transient", "persistent", "defaults")
        if said.get(kind)
    ]
    state = json.loads(health)
    if not limits:
        return
    most = int(limits[0]) * int(state["number_of_data_nodes"])
    there = int(state["active_shards"]) + int(state["unassigned_shards"])
    # What is loaded beside is there together with what is made of it.
    twice = request.mode is RestoreMode.OVERWRITE
    new = sum(_copies(item) * (1 + (twice and item.is_beside)) for item in items)
    if there + new > most:
        yield (
            f"the cluster may have {most} shards (cluster.max_shards_per_node), has {there}, and "
            f"the restore needs {new} more: raise the limit, or add nodes"
        )


def _copies(item: Item) -> int:
    own = item.answer.settings.get("index", {})
    return int(own.get("number_of_shards", 1)) * (1 + int(own.get("number_of_replicas", 1)))


def _rights(to: Target, items: Sequence[Item]) -> Iterator[str]:
    """Rights that Elasticsearch says the account has not; OpenSearch tells nobody."""
    if to.product.is_opensearch:
        return
    if to.server.if_granted("/_security/_authenticate", to.interrupt) is None:
        return
    names = sorted({name for item in items for name in (item.own, item.live)})
    if not names:
        return
    asked = {"cluster": ["monitor"], "index": [{"names": names, "privileges": [*_RIGHTS]}]}
    answer = to.send("POST", "/_security/user/_has_privileges", asked)
    for name, has in answer.get("index", {}).items():
        missing = [right for right in _RIGHTS if not has.get(right, True)]
        if missing:
            yield f"this account may not {', '.join(missing)} on {name}: grant it that"
    if not answer.get("cluster", {}).get("monitor", True):
        yield "this account has not the cluster privilege monitor: grant it that"
