"""Reads of the API server as values: one without an answer is a ReadFailure, never an exception."""

import time
from dataclasses import dataclass
from typing import Any

from controller.kube.client import (
    PODS,
    Document,
    ForbiddenError,
    Keep,
    Kube,
    KubeError,
    NotFoundError,
    Resource,
)
from controller.kube.failure_budget import FailureBudget
from controller.model.names import INSTANTIATE, PREFIX, SCHEDULED_FOR
from controller.model.objects import Json, Objects
from controller.model.status import ReadFailure, Reason
from dumpers.engines.registry import ENGINES

_GROUP_LABELS = frozenset(
    key
    for engine in ENGINES
    for label in engine.group_labels
    for key in (label.key, *(mark for mark, _ in label.marks))
)
# Of others' annotations, those of Jobs that say which of them begins first.
_KEPT = frozenset({INSTANTIATE, SCHEDULED_FOR})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterReader:
    """The reads of one pass, which give single reads of a namespace up once its budget is spent."""

    kube: Kube
    budget: FailureBudget

    def get(
        self, resource: Resource, namespace: str, name: str, *, since: str = ""
    ) -> Json | ReadFailure | None:
        """Read one object by its name, see Kube; None is a sure 404."""
        # A namespace itself lies in no other.
        place = namespace or name
        if self.budget.is_spent(place):
            why = f"not tried, as too many reads failed in {place}"
            return ReadFailure(Reason.UNAVAILABLE, f"GET {resource.plural}/{name}: {why}")
        began = time.monotonic()
        try:
            return _trimmed(resource, self.kube.get(resource, namespace, name, since=since))
        except NotFoundError:
            return None
        except KubeError as error:
            failure = _failure(error)
            if failure.reason is Reason.UNAVAILABLE:
                self.budget.spend(place, time.monotonic() - began)
            return failure

    def list(
        self,
        resource: Resource,
        namespace: str,
        selector: str = "",
        *,
        keep: Keep = lambda item: item,
        **options: Any,
    ) -> Objects | ReadFailure:
        """Read a list, see Kube; objects that are only read keep few annotations but ours."""

        def keep_trimmed(item: Document) -> Document | None:
            return keep(_trimmed(resource, item))

        try:
            return tuple(
                self.kube.list(resource, namespace, selector, keep=keep_trimmed, **options)
            )
        except KubeError as error:
            return _failure(error)


def _failure(error: KubeError) -> ReadFailure:
    forbidden = isinstance(error, ForbiddenError)
    return ReadFailure(Reason.FORBIDDEN if forbidden else Reason.UNAVAILABLE, str(error))


def _trimmed(resource: Resource, item: Document) -> Document:
    """Remove the annotations of others, which may be long, from an object that is only read.

    A full pod keeps all of its own, as its variables may come from them. A template keeps those of
    its labels that name an owner group.
    """
    if resource.shape is None or (resource is PODS and "spec" in item):
        return item
    template = ((item.get("spec") or {}).get("template") or {}).get("metadata") or {}
    if labels := template.get("labels"):
        template["labels"] = {key: text for key, text in labels.items() if key in _GROUP_LABELS}
    for meta in (item.get("metadata"), template):
        if meta and (annotations := meta.get("annotations")):
            meta["annotations"] = {
                key: text
                for key, text in annotations.items()
                if key.startswith(PREFIX) or key in _KEPT
            }
    return item
