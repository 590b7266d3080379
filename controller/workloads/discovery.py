"""Pods and their owners → the workloads that ask for backups (contract sections 3 and 9.17)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from controller.model.kinds import READABLE_KINDS
from controller.model.objects import Json, ObjectRef, labels_of, name_of, uid_of
from controller.model.owner import Owner
from controller.model.status import ReadFailure, Reason, Rejected
from controller.model.view import NamespaceView
from controller.settings.settings import Settings
from controller.workloads.annotations import TYPE, is_enabled
from controller.workloads.classes.applying import has_classes, with_class
from controller.workloads.classes.choice import Place
from controller.workloads.owner_groups import form_groups, group_name, is_of_helper
from controller.workloads.owners import (
    OwnerWithPods,
    PodsByOwner,
    ksnapshot_annotations,
    owner_is_enabled,
    pods_by_owner,
)
from controller.workloads.request import Request, parse_request
from controller.workloads.workload import IDLE, Candidate, Workload
from dumpers.contract.engine_spec import EngineSpec

_POD = "Pod"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workloads:
    """The workloads of one namespace.

    With `has_unresolved_owners`, the owner of some pod could not be found out, so an owner without
    pods proves nothing.
    """

    items: tuple[Workload, ...]
    has_unresolved_owners: bool


# The workloads of a namespace that is not known.
NOTHING = Workloads(items=(), has_unresolved_owners=True)


def find_workloads(
    view: NamespaceView, settings: Settings, pods: PodsByOwner | None = None
) -> Workloads:
    """Find every workload of the namespace that asks for backups, sorted by owner.

    `pods`, if given, saves grouping the view's pods again.
    """
    pods = pods or pods_by_owner(view)
    if pods is None:
        return NOTHING
    candidates = filter(None, (_candidate(owner, view, settings) for owner in pods.owners.values()))
    found = [*form_groups(candidates)]
    found += (
        _pod_without_owner(pod, view, why)
        for pod, why in pods.pods_without_owner
        if is_enabled(ksnapshot_annotations(pod))
    )
    return Workloads(
        items=tuple(sorted(found, key=lambda workload: workload.owner.ref)),
        has_unresolved_owners=any(
            why.reason is not Reason.STANDALONE_POD for _, why in pods.pods_without_owner
        ),
    )


def _pod_without_owner(pod: Json, view: NamespaceView, why: Rejected) -> Workload:
    ref = ObjectRef(kind=_POD, name=name_of(pod))
    owner = Owner(namespace=view.name, ref=ref, uid=uid_of(pod))
    return Workload(owner=owner, pods=(), request=why, type_by_template=False)


def _candidate(owner: OwnerWithPods, view: NamespaceView, settings: Settings) -> Candidate | None:
    """Evaluate one owner; None where neither the owner nor any pod of it asks for backups."""
    enabled = owner.enabled_pods()
    if not (enabled or (owner.item and owner_is_enabled(owner.item))):
        return None
    own, template = owner.own_annotations, owner.template_annotations
    running = [pod for pod in enabled if (pod.get("status") or {}).get("phase") == "Running"]
    by_template = None
    if owner.item and is_enabled(template):
        by_template = _asked(_classed(template, owner, owner.template_labels, settings), settings)
    annotations = [own | ksnapshot_annotations(pod) for pod in running or enabled]
    labels = [*map(labels_of, running or enabled)]
    if any(map(is_of_helper, annotations or [template], labels or [owner.template_labels])):
        return None
    groups = set(map(group_name, annotations, labels))
    if by_template is not None and (not running or len(groups) != 1):
        groups = {group_name(template, owner.template_labels)}
    request: Request | Rejected
    if (unknown := _read_fault(owner, enabled, view)) is not None:
        request = unknown
    elif not running:
        request = IDLE
    else:
        classed = (
            _classed(values, owner, of_pod, settings)
            for values, of_pod in zip(annotations, labels, strict=True)
        )
        requests = {_asked(values, settings) for values in _distinct(classed)}
        if len(requests) == len(groups) == 1:
            (request,) = requests
        else:
            # A rollout: what the owner will have everywhere soon is what counts.
            request = by_template or Rejected(
                Reason.CONFLICTING_ANNOTATIONS,
                "its pods disagree about their annotations, and its template cannot be read",
            )
    workload = Workload(
        owner=owner.owner,
        pods=tuple(running),
        request=request,
        # Where no template can be read, the running pods have to agree, so they speak for it.
        type_by_template=owner.item is None or _engine(by_template) == _engine(request) is not None,
    )
    return Candidate(
        workload=workload,
        group=groups.pop() if len(groups) == 1 else None,
        type=TYPE.text(annotations[0] if annotations else template),
        asked=by_template if request is IDLE else request,
    )


def _classed(
    values: Mapping[str, str],
    owner: OwnerWithPods,
    labels: Mapping[str, str],
    settings: Settings,
) -> Mapping[str, str] | Rejected:
    """The annotations of a pod or template with these labels, and those of its class beneath."""
    if not has_classes(values, settings):
        return values
    place = Place(namespace=owner.owner.namespace, labels={**owner.own_labels, **labels})
    return with_class(values, place, settings)


def _asked(values: Mapping[str, str] | Rejected, settings: Settings) -> Request | Rejected:
    return values if isinstance(values, Rejected) else parse_request(values, settings)


def _distinct(values: Iterable[T]) -> list[T]:
    """Each set of annotations once: those of pods are mostly the same."""
    found: list[T] = []
    for item in values:
        if item not in found:
            found.append(item)
    return found


def _read_fault(owner: OwnerWithPods, pods: Iterable[Json], view: NamespaceView) -> Rejected | None:
    """Why the owner or one of these pods is not known; None where all are, or may not be read.

    The owner's own annotations count (contract 9.17), so without them its pods are half the truth.
    """
    ref = owner.owner.ref
    needed = (ref, *(ObjectRef(kind=_POD, name=name_of(pod)) for pod in pods))
    failed = next(filter(None, map(view.unread.get, needed)), None) if view.unread else None
    if failed:
        return Rejected(failed.reason, failed.message)
    if owner.item is not None or ref.kind not in READABLE_KINDS:
        return None
    listed = view.owners.get(ref.kind, ())
    if isinstance(listed, ReadFailure):
        return Rejected(listed.reason, listed.message)
    return Rejected(Reason.OWNER_NOT_FOUND, f"its {ref} does not exist, its pods still do")


def _engine(request: Request | Rejected | None) -> EngineSpec | None:
    return request.engine if isinstance(request, Request) else None
