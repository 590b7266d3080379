"""What belongs to a cluster and is in no dump of it, by its names."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.elasticsearch.client import Server
from dumpers.engines.elasticsearch.indices import Index
from dumpers.engines.elasticsearch.product import Product
from dumpers.engines.elasticsearch.survey.limits import Limits
from dumpers.runtime.interrupt import Interrupt

# In the cluster's state, as `what: path`; the last is an object by names, or a list of such.
_GLOBAL = {"snapshot repository": "repositories"}
_OBJECTS = {
    "enrich policy": "enrich.policies",
    "snapshot policy": "snapshot_lifecycle.snapshot_configurations",
    "search pipeline": "search_pipeline.pipeline",
    "auto-follow pattern": "ccr.patterns",
    "view": "view.view",
}
_TRANSFORMS = "/_transform?size=1000&filter_path=transforms.id"
_HAS_TRANSFORMS = (7, 5)
_ACCOUNTS = "users and roles"
_HIDDEN = (
    "hidden indices, and those whose names begin with a dot, are not in the dump, as no pattern "
    "asks for them: name them by the annotation indices, or by a pattern that begins with a dot"
)
_FAILURES = (
    "these hold documents that data streams could not take; a restore has no way to make them, "
    "and they are not in the dump"
)
_FILES = (
    "the analyzers of these indices read files of the server, or sets of synonyms, which are not "
    "in the dump: put the files into the config folder of every node, and make the sets "
    "(PUT /_synonyms/NAME), before a restore makes the indices"
)
_PIPELINES = (
    "searches of these indices go through search pipelines, which are not in the dump: make them "
    "(PUT /_search/pipeline/NAME) before anybody searches a restored index"
)
_FOLLOWING = (
    "these indices follow those of another cluster, and are as old as they lag: a restore makes "
    "usual indices of them"
)
_SETTINGS = (
    "what belongs to the whole cluster is not in the dump: keep it with what sets the cluster up"
)
_REST = (
    "the dump's format has no place for these, and they are not in the dump: keep them with what "
    "made them"
)


def hidden(every: Sequence[Index], chosen: Sequence[Index]) -> tuple[Note, ...]:
    """A note on hidden indices that were not asked for."""
    names = {index.name for index in chosen}
    own = [
        index.name
        for index in every
        if index.is_own and not index.failures_of and index.name not in names
    ]
    if not own:
        return ()
    return (Note(code=NoteCode.NOT_CHOSEN, text=_HIDDEN, objects=tuple(sorted(own))),)


def needs(chosen: Sequence[Index]) -> Iterator[Note]:
    """Notes on indices that another place writes, and on those that need files of a server."""
    following = tuple(index.name for index in chosen if index.follows)
    if following:
        yield Note(code=NoteCode.STANDBY, text=_FOLLOWING, objects=following)
    files = tuple(f"{index.name}: {path}" for index in chosen for path in index.files)
    if files:
        yield Note(code=NoteCode.RESTORE_NEEDS, text=_FILES, objects=files)
    pipelines = tuple(f"{index.name}: {index.pipeline}" for index in chosen if index.pipeline)
    if pipelines:
        yield Note(code=NoteCode.RESTORE_NEEDS, text=_PIPELINES, objects=pipelines)


def failures(every: Sequence[Index], chosen: Sequence[Index]) -> tuple[Note, ...]:
    """A note on the failure stores of the chosen data streams."""
    streams = {index.stream for index in chosen}
    names = {index.name for index in chosen}
    stores = [
        index.name
        for index in every
        if index.failures_of and index.failures_of in streams and index.name not in names
    ]
    if not stores:
        return ()
    return (Note(code=NoteCode.NOT_DUMPED, text=_FAILURES, objects=tuple(sorted(stores))),)


def of_cluster(
    server: Server, product: Product, limits: Limits, interrupt: Interrupt, *, secured: bool
) -> tuple[Note, ...]:
    """Notes on the cluster's own settings, and on kinds of objects that no part holds."""
    wanted = ",".join(f"metadata.{path}" for path in (*_GLOBAL.values(), *_OBJECTS.values()))
    body = server.if_granted(f"/_cluster/state/metadata?filter_path={wanted}", interrupt)
    state: Mapping[str, Any] = json.loads(body).get("metadata", {}) if body is not None else {}
    globals_ = [
        *((_ACCOUNTS,) if secured else ()),
        *(f"cluster setting {name}" for name in limits.settings),
        *named(state, _GLOBAL),
    ]
    rest = [*named(state, _OBJECTS), *_transforms(server, product, interrupt)]
    found = (
        (NoteCode.GLOBALS, _SETTINGS, globals_),
        (NoteCode.NOT_DUMPED, _REST, rest),
    )
    return tuple(
        Note(code=code, text=text, objects=tuple(names)) for code, text, names in found if names
    )


def named(state: Mapping[str, Any], kinds: Mapping[str, str]) -> Iterator[str]:
    """The names of these kinds of objects in a cluster's state, each behind what it is."""
    for what, path in kinds.items():
        found: Any = state
        for step in path.split("."):
            found = found.get(step, {}) if isinstance(found, Mapping) else {}
        names = found if isinstance(found, Mapping) else (item.get("id", "") for item in found)
        # What the server made for itself begins with a dot.
        yield from (f"{what} {name}" for name in names if name and not name.startswith("."))


def _transforms(server: Server, product: Product, interrupt: Interrupt) -> Sequence[str]:
    if product.is_opensearch or product.number < _HAS_TRANSFORMS:
        return ()
    body = server.if_granted(_TRANSFORMS, interrupt)
    listed = json.loads(body).get("transforms", ()) if body is not None else ()
    return [f"transform {item['id']}" for item in listed]
