"""The API server's answers as values: what got none is a Failed, never an exception or nothing."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from controller.api import PODS, ForbiddenError, Kube, KubeError, NotFoundError, Resource
from controller.names import PREFIX
from controller.reasons import Failed, Reason
from controller.view import Json, ObjectRef, Objects, metadata, name_of, uid_of, version_of
from controller.workloads import READABLE_KINDS

# Up to so many objects are read one by one. More of them come cheaper in one list, where they are
# a share of it: a single read costs about as much as this many entries of a list.
_ONE_BY_ONE = 20
_ENTRIES = 8

T = TypeVar("T")
# An object as it was read whole, and the version of what was wanted of it.
Known = tuple[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The reads of one pass.

    `known` are objects of earlier passes by uid, `fresh` collects those that are still as known.
    `patience` is for how many seconds single reads of one namespace may go on failing, before no
    more of them are tried; `lost` counts them.
    """

    kube: Kube
    known: Mapping[str, Known] = field(repr=False)
    patience: float
    fresh: dict[str, Known] = field(default_factory=dict, repr=False)
    lost: dict[str, float] = field(default_factory=dict)

    def get(self, resource: Resource, namespace: str, name: str) -> Json | Failed | None:
        """One object by its name; None is a sure 404."""
        if self.lost.get(namespace, 0.0) > self.patience:
            what = f"GET {resource.plural}/{name} in {namespace}"
            return Failed(Reason.UNAVAILABLE, f"{what}: not tried, as too many reads failed there")
        began = time.monotonic()
        try:
            found = _ask(lambda: _trimmed(resource, self.kube.get(resource, namespace, name)))
        except NotFoundError:
            return None
        if isinstance(found, Failed) and found.reason is Reason.UNAVAILABLE:
            spent = time.monotonic() - began
            self.lost[namespace] = self.lost.get(namespace, 0.0) + spent
        return found

    def list(
        self, resource: Resource, namespace: str, selector: str = "", **options: Any
    ) -> Objects | Failed:
        """See Kube; of what is only read, no annotations but ours are kept."""
        try:
            listed = _ask(lambda: self.kube.list(resource, namespace, selector, **options))
        except NotFoundError as error:
            # A list is never absent; whoever says so is not the API server.
            return Failed(Reason.UNAVAILABLE, str(error))
        if isinstance(listed, Failed):
            return listed
        return tuple(_trimmed(resource, item) for item in listed)

    def whole(
        self,
        resource: Resource,
        namespace: str,
        listed: Objects,
        wanted: Collection[str],
        **options: Any,
    ) -> tuple[Objects, Mapping[ObjectRef, Failed]]:
        """A list of metadata with the wanted names as whole objects, and which could not be read.

        What is gone meanwhile is left out. The options are those that the list was made with.
        """
        found: dict[str, Json | Failed | None] = {}
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
            if answer and not isinstance(answer, Failed):
                self.fresh[uid_of(answer)] = (_version(resource, answer), answer)
            found[name] = answer
        made = [found.get(name_of(item), item) for item in listed]
        return (
            tuple(
                item if isinstance(answer, Failed) else answer
                for item, answer in zip(listed, made, strict=True)
                if answer is not None
            ),
            {
                ObjectRef(kind=resource.kind, name=name): answer
                for name, answer in found.items()
                if isinstance(answer, Failed)
            },
        )

    def _missing(
        self, resource: Resource, namespace: str, names: Sequence[str], among: int, **options: Any
    ) -> Sequence[tuple[str, Json | Failed | None]]:
        if len(names) <= _ONE_BY_ONE or len(names) * _ENTRIES < among:
            return [(name, self.get(resource, namespace, name)) for name in names]
        listed = self.list(resource, namespace, **options)
        if isinstance(listed, Failed):
            return [(name, listed) for name in names]
        by_name = {name_of(item): item for item in listed}
        return [(name, by_name.get(name)) for name in names]


def _ask(call: Callable[[], T]) -> T | Failed:
    try:
        return call()
    except NotFoundError:
        raise
    except ForbiddenError as error:
        return Failed(Reason.FORBIDDEN, str(error))
    except KubeError as error:
        return Failed(Reason.UNAVAILABLE, str(error))


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

    A whole pod keeps them, as its variables may come from them.
    """
    if resource.shape is None or (resource is PODS and "spec" in item):
        return item
    template = (item.get("spec") or {}).get("template") or {}
    for meta in (item.get("metadata"), template.get("metadata")):
        if meta and (values := meta.get("annotations")):
            ours = {key: text for key, text in values.items() if key.startswith(PREFIX)}
            meta["annotations"] = ours
    return item
