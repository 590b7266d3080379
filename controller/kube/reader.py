"""Reads of the API server as values: one without an answer is a ReadFailure, never an exception."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.kube.client import PODS, ForbiddenError, Kube, KubeError, NotFoundError, Resource
from controller.kube.object_cache import JsonInterner
from controller.model.kinds import READABLE_KINDS
from controller.model.names import PREFIX
from controller.model.objects import Json, ObjectRef, Objects, metadata, name_of, uid_of, version_of
from controller.model.status import ReadFailure, Reason
from dumpers.engines.registry import ENGINES

# Objects are read one by one where they are few, or few of those that a list would bring: a single
# read costs about as much as eight entries of a list. More of them than the last number would take
# too long where each takes its time.
_ONE_BY_ONE = 20
_ENTRIES = 8
_AT_MOST = 200
_GROUP_LABELS = frozenset(engine.group_label for engine in ENGINES)
# One that failed may be the only one that fails.
_FAILURES = 2

# An object as it was read whole, and the version of what was wanted of it.
CachedObject = tuple[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterReader:
    """The reads of one pass.

    `known` are objects of earlier passes by uid; `fresh` collects those that this pass needed
    whole, for the next one, their equal parts shared through `pool`. `patience` is for how many
    seconds single reads of one namespace may go on failing, before no more of them are tried;
    `spent` holds the seconds of each that failed.
    """

    kube: Kube
    known: Mapping[str, CachedObject] = field(repr=False)
    pool: JsonInterner = field(repr=False)
    patience: float
    fresh: dict[str, CachedObject] = field(default_factory=dict, repr=False)
    spent: dict[str, list[float]] = field(default_factory=dict)

    def get(
        self, resource: Resource, namespace: str, name: str, *, since: str = ""
    ) -> Json | ReadFailure | None:
        """One object by its name, see Kube; None is a sure 404."""
        # A namespace itself lies in no other.
        place = namespace or name
        spent = self.spent.setdefault(place, [])
        if len(spent) >= _FAILURES and sum(spent) > self.patience:
            why = f"not tried, as too many reads failed in {place}"
            return ReadFailure(Reason.UNAVAILABLE, f"GET {resource.plural}/{name}: {why}")
        began = time.monotonic()
        try:
            return _trimmed(resource, self.kube.get(resource, namespace, name, since=since))
        except NotFoundError:
            return None
        except KubeError as error:
            failed = _failed(error)
            if failed.reason is Reason.UNAVAILABLE:
                spent.append(time.monotonic() - began)
            return failed

    def list(
        self, resource: Resource, namespace: str, selector: str = "", **options: Any
    ) -> Objects | ReadFailure:
        """See Kube; of what is only read, no annotations but ours are kept."""
        try:
            listed = self.kube.list(resource, namespace, selector, **options)
        except KubeError as error:
            return _failed(error)
        return tuple(_trimmed(resource, item) for item in listed)

    def whole(
        self,
        resource: Resource,
        namespace: str,
        listed: Objects,
        wanted: Collection[str],
        **options: Any,
    ) -> tuple[Objects, Mapping[ObjectRef, ReadFailure]]:
        """A list of metadata with the wanted names as whole objects, and which could not be read.

        What could not be read stays as metadata, what is gone meanwhile is left out. The options
        are those that the list was made with.
        """
        found: dict[str, Json | ReadFailure | None] = {}
        missing: list[str] = []
        for item in listed:
            if (name := name_of(item)) in wanted:
                known = self.known.get(uid_of(item))
                if known and known[0] == _version(resource, item):
                    self.fresh[uid_of(item)] = known
                    found[name] = _renewed(known[1], item)
                else:
                    missing.append(name)
        for name, answer in self._missing(resource, namespace, missing, len(listed), **options):
            if answer and not isinstance(answer, ReadFailure):
                whole = self.pool.shared(answer)
                self.fresh[uid_of(whole)] = (_version(resource, whole), whole)
                found[name] = whole
            else:
                found[name] = answer
        made = [found.get(name_of(item), item) for item in listed]
        return (
            tuple(
                item if isinstance(answer, ReadFailure) else answer
                for item, answer in zip(listed, made, strict=True)
                if answer is not None
            ),
            {
                ObjectRef(kind=resource.kind, name=name): answer
                for name, answer in found.items()
                if isinstance(answer, ReadFailure)
            },
        )

    def _missing(
        self, resource: Resource, namespace: str, names: Sequence[str], among: int, **options: Any
    ) -> Iterator[tuple[str, Json | ReadFailure | None]]:
        if len(names) <= max(_ONE_BY_ONE, min(among // _ENTRIES, _AT_MOST)):
            yield from ((name, self.get(resource, namespace, name)) for name in names)
            return
        listed = self.list(resource, namespace, **options)
        if isinstance(listed, ReadFailure):
            yield from ((name, listed) for name in names)
            return
        by_name = {name_of(item): item for item in listed}
        yield from ((name, by_name.get(name)) for name in names)


def _failed(error: KubeError) -> ReadFailure:
    forbidden = isinstance(error, ForbiddenError)
    return ReadFailure(Reason.FORBIDDEN if forbidden else Reason.UNAVAILABLE, str(error))


def _version(resource: Resource, item: Json) -> str:
    """What changes with the part that is wanted: of an owner that is its template."""
    generation = metadata(item).get("generation") if resource.kind in READABLE_KINDS else None
    return f"generation {generation}" if generation else version_of(item)


def _renewed(known: Json, item: Json) -> Json:
    """The known object with the metadata just read."""
    if version_of(known) == version_of(item):
        return known
    return {**known, "metadata": item["metadata"]}


def _trimmed(resource: Resource, item: dict[str, Any]) -> Json:
    """What is only read without the annotations of others, which may be long.

    A whole pod keeps them, as its variables may come from them. Of a template's labels those that
    tell a group are kept.
    """
    if resource.shape is None or (resource is PODS and "spec" in item):
        return item
    template = ((item.get("spec") or {}).get("template") or {}).get("metadata") or {}
    if labels := template.get("labels"):
        template["labels"] = {key: text for key, text in labels.items() if key in _GROUP_LABELS}
    for meta in (item.get("metadata"), template):
        if meta and (values := meta.get("annotations")):
            ours = {key: text for key, text in values.items() if key.startswith(PREFIX)}
            meta["annotations"] = ours
    return item
