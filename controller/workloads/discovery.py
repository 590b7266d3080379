"""Pods and their owners → the workloads that ask for backups (contract sections 3 and 9.17)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from controller.model.kinds import OWNER_GROUP, READABLE_KINDS
from controller.model.objects import Json, ObjectRef, Objects, labels_of, name_of, uid_of
from controller.model.owner import Owner
from controller.model.status import ReadFailure, Reason, Rejected, RejectedError
from controller.model.view import NamespaceView
from controller.settings.settings import Settings
from controller.workloads.annotations import GROUP, TYPE, is_enabled
from controller.workloads.owners import (
    OwnerWithPods,
    PodsByOwner,
    own_values,
    owner_is_enabled,
    pods_by_owner,
)
from controller.workloads.request import Request, parse_request
from dumpers.engines.registry import find as find_engine

_POD = "Pod"
_IDLE = Rejected(Reason.NO_RUNNING_POD, "no annotated pod of it is running")
# Of members that disagree, as many are told.
_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Something that asks for backups, now or as soon as it runs.

    `owner` names it. It is the object that owns the pods, or a group of such objects, which
    `members` then holds. `pods` are the running annotated ones by name, never empty where
    `request` is no Rejected. `type_by_template` says that the owner's own template, not only its
    present pods, asks for this engine.
    """

    owner: Owner
    members: tuple[Owner, ...] = ()
    pods: Objects = field(repr=False)
    request: Request | Rejected
    type_by_template: bool

    @property
    def key(self) -> str:
        """Owner key of the workload."""
        return self.owner.key

    @property
    def objects(self) -> tuple[Owner, ...]:
        """The objects that it is made of."""
        return self.members or (self.owner,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workloads:
    """The workloads of one namespace.

    `unresolved` says that the owner of some pod could not be found out, so that nothing may be
    concluded from an owner having no pods.
    """

    items: tuple[Workload, ...]
    unresolved: bool


# Of a namespace that is not known.
NOTHING = Workloads(items=(), unresolved=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What one owner is alone, and which group it says that it belongs to, if any.

    `says` is what it asks for, running or not; None where that cannot be told.
    """

    alone: Workload
    group: str
    says: Request | Rejected | None


def find_workloads(
    view: NamespaceView, settings: Settings, pods: PodsByOwner | None = None
) -> Workloads:
    """Every workload of the namespace that asks for backups, in the order of their names.

    `pods` saves looking for their owners again.
    """
    pods = pods or pods_by_owner(view)
    if pods is None:
        return NOTHING
    groups: dict[str, list[_Part]] = defaultdict(list)
    found: list[Workload] = []
    for item in pods.owned.values():
        if part := _part(item, view, settings):
            if part.group:
                groups[part.group].append(part)
            else:
                found.append(part.alone)
    found += (_together(name, parts) for name, parts in groups.items())
    found += (
        _pod_without_owner(pod, view, why)
        for pod, why in pods.others
        if is_enabled(own_values(pod))
    )
    return Workloads(
        items=tuple(sorted(found, key=lambda item: item.owner.ref)),
        unresolved=any(why.reason is not Reason.STANDALONE_POD for _, why in pods.others),
    )


def _pod_without_owner(pod: Json, view: NamespaceView, why: Rejected) -> Workload:
    ref = ObjectRef(kind=_POD, name=name_of(pod))
    owner = Owner(namespace=view.name, ref=ref, uid=uid_of(pod))
    return Workload(owner=owner, pods=(), request=why, type_by_template=False)


def _part(owned: OwnerWithPods, view: NamespaceView, settings: Settings) -> _Part | None:
    item, asking = owned.item, owned.asking()
    if not (asking or (item and owner_is_enabled(item))):
        return None
    own, template = owned.own, owned.template
    running = [pod for pod in asking if (pod.get("status") or {}).get("phase") == "Running"]
    asked = parse_request(template, settings) if item and is_enabled(template) else None
    values = [own | own_values(pod) for pod in running or asking]
    groups = set(map(_group, values, map(labels_of, running or asking)))
    if asked is not None and (not running or len(groups) != 1):
        groups = {_group(template, owned.template_labels)}
    request: Request | Rejected
    if (lost := _unread(owned, asking, view)) is not None:
        request = lost
    elif not running:
        request = _IDLE
    else:
        distinct = {parse_request(item, settings) for item in _distinct(values)}
        if len(distinct) == len(groups) == 1:
            (request,) = distinct
        else:
            # A rollout: what the owner will have everywhere soon is what counts.
            request = asked or Rejected(
                Reason.CONFLICTING_ANNOTATIONS,
                "its pods disagree about their annotations, and its template cannot be read",
            )
    # Where no template can be read, the running pods have to agree, so they speak for it.
    by_template = item is None or (isinstance(asked, Request) and _same_engine(asked, request))
    alone = Workload(
        owner=owned.owner, pods=tuple(running), request=request, type_by_template=by_template
    )
    group = groups.pop() if len(groups) == 1 else ""
    return _Part(alone=alone, group=group, says=asked if request is _IDLE else request)


def _group(values: Mapping[str, str], labels: Mapping[str, str]) -> str:
    """The group that annotations and labels tell; an annotation that is wrong is told by `read`."""
    engine = find_engine(TYPE.text(values))
    if engine is None or not engine.group_label:
        return ""
    label = labels.get(engine.group_label, "")
    try:
        return GROUP.value(values) or label
    except RejectedError:
        return label


def _together(name: str, parts: list[_Part]) -> Workload:
    """The group as one workload: each of its owners has the same say."""
    parts.sort(key=lambda part: part.alone.owner.ref)
    # One that was deleted has none, while its pods end.
    left = [part for part in parts if not _deleted(part.alone)] or parts
    members = tuple(part.alone.owner for part in parts)
    pods = tuple(sorted((pod for part in left for pod in part.alone.pods), key=name_of))
    request = _agreed({part.alone.owner.ref: part.says for part in left if part.says is not None})
    if request is None or not (pods or isinstance(request, Rejected)):
        request = _IDLE
    owner = Owner(
        namespace=members[0].namespace,
        ref=ObjectRef(kind=OWNER_GROUP, name=name),
        created=min((item.created for item in members if item.created), default=""),
    )
    return Workload(
        owner=owner,
        members=members,
        pods=pods,
        request=request,
        type_by_template=all(part.alone.type_by_template for part in left if part.alone.pods),
    )


def _deleted(workload: Workload) -> bool:
    request = workload.request
    return isinstance(request, Rejected) and request.reason is Reason.OWNER_NOT_FOUND


def _agreed(said: Mapping[ObjectRef, Request | Rejected]) -> Request | Rejected | None:
    """What all members of a group ask for; the first that is rejected speaks for all."""
    distinct = set(said.values())
    if len(distinct) <= 1:
        return next(iter(distinct), None)
    for ref, says in said.items():
        if isinstance(says, Rejected):
            return Rejected(says.reason, f"{ref}: {says.message}")
    first, *others = said
    differing = [str(ref) for ref in others if said[ref] != said[first]]
    more = f" and {len(differing) - _NAMED} more" if len(differing) > _NAMED else ""
    return Rejected(
        Reason.CONFLICTING_ANNOTATIONS,
        "its members disagree about their annotations: "
        f"{', '.join(differing[:_NAMED])}{more} against {first}",
    )


def _distinct(values: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Each set of annotations once: those of pods are mostly the same."""
    found: list[dict[str, str]] = []
    for item in values:
        if item not in found:
            found.append(item)
    return found


def _unread(owned: OwnerWithPods, pods: Iterable[Json], view: NamespaceView) -> Rejected | None:
    """Why the owner, or a pod that counts, is not known; None where there is nothing to know.

    The owner's own annotations count (contract 9.17), so without them its pods are half the truth.
    """
    ref = owned.owner.ref
    wanted = (ref, *(ObjectRef(kind=_POD, name=name_of(pod)) for pod in pods))
    failed = next(filter(None, map(view.unread.get, wanted)), None) if view.unread else None
    if failed:
        return Rejected(failed.reason, failed.message)
    if owned.item is not None or ref.kind not in READABLE_KINDS:
        return None
    listed = view.owners.get(ref.kind, ())
    if isinstance(listed, ReadFailure):
        return Rejected(listed.reason, listed.message)
    return Rejected(Reason.OWNER_NOT_FOUND, f"its {ref} does not exist, its pods still do")


def _same_engine(asked: Request, request: Request | Rejected) -> bool:
    return isinstance(request, Request) and asked.engine.type == request.engine.type
