"""Definitions of indices as they compare: without what a restore leaves out on purpose."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dumpers.engines.elasticsearch.elasticdump_lines import IndexAnswer

# Where an index lay and what it was made from, which is another cluster's matter.
_ORIGIN = ("frozen", "resize", "shrink", "split", "clone", "verified_before_close")
_PARTS = 3


def differences(name: str, wanted: IndexAnswer, found: IndexAnswer) -> Iterator[str]:
    """What differs in settings, mappings and aliases of an index, as sentences with paths."""
    for what, one, other in (
        ("setting", _settings(wanted), _settings(found)),
        ("mapping", json.loads(bytes(wanted.mappings)), json.loads(bytes(found.mappings))),
        ("alias", json.loads(bytes(wanted.aliases)), json.loads(bytes(found.aliases))),
    ):
        paths = sorted(_paths(one, other, ()))
        if paths:
            yield f"{name} has another {what}: {', '.join(paths[:_PARTS])}"


def _settings(answer: IndexAnswer) -> Mapping[str, Any]:
    settings = {
        name: value
        for name, value in answer.settings.get("index", {}).items()
        if name not in _ORIGIN
    }
    routing = {k: v for k, v in settings.pop("routing", {}).items() if k != "allocation"}
    if routing:
        settings["routing"] = routing
    if str(settings.get("store", {}).get("type", "")).endswith("snapshot"):
        del settings["store"]
    if settings.get("auto_expand_replicas", "false") != "false":
        # The cluster chooses it by its size.
        settings.pop("number_of_replicas", None)
    return settings


def _paths(one: Any, other: Any, path: tuple[str, ...]) -> Iterator[str]:
    """The paths at which two values of JSON differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            if name not in one or name not in other:
                yield ".".join((*path, name))
            else:
                yield from _paths(one[name], other[name], (*path, name))
    elif one != other:
        yield ".".join(path)
