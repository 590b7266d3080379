"""Pods and their owners → the workloads that ask for backups (contract sections 3, 9.17, 9.18)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from controller.annotations import Request, enabled, read
from controller.config import Settings
from controller.names import PREFIX, owner_key
from controller.reasons import Failed, Reason, Rejected
from controller.view import (
    Json,
    NamespaceView,
    ObjectRef,
    Objects,
    annotations_of,
    name_of,
    owner_references,
    uid_of,
)

DEPLOYMENT = "Deployment"
REPLICA_SET = "ReplicaSet"
STATEFUL_SET = "StatefulSet"
# The kinds whose objects the controller may list; of any other it sees the pods only.
READABLE_KINDS = (DEPLOYMENT, REPLICA_SET, STATEFUL_SET)
_PLAIN_GROUPS = ("", "apps")
_POD = "Pod"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """An object that owns pods. `uid` and `created` are empty where only its pods are seen."""

    namespace: str
    ref: ObjectRef
    uid: str = ""
    created: str = ""

    @property
    def key(self) -> str:
        """Owner key as 0.6.0 knew it: without the kind."""
        return owner_key(self.namespace, self.ref.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Something that asks for backups, now or as soon as it runs.

    `owners` has one entry today; a database made of several objects will have more, the first
    names it. `pods` are the running annotated ones by name, never empty where `request` is no
    Rejected. `type_by_template` says that the owner's own template, not only its present pods,
    asks for this engine.
    """

    owners: tuple[Owner, ...]
    pods: Objects = field(repr=False)
    request: Request | Rejected
    type_by_template: bool

    @property
    def owner(self) -> Owner:
        """The object that names the workload."""
        return self.owners[0]

    @property
    def key(self) -> str:
        """Owner key of the workload."""
        return self.owner.key


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
class _Group:
    """An owner, as an object where it may be read, and its pods in the order of their names."""

    owner: Owner
    item: Json | None = field(default=None, repr=False)
    pods: list[Json] = field(default_factory=list, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The pods of a namespace: those of each owner, and those without a known one."""

    owned: Mapping[ObjectRef, _Group]
    others: Sequence[tuple[Json, Rejected]]

    def of(self, pods: Objects) -> "Groups":
        """The same with these pods, as they were read later; those that are not there are gone."""
        later = {name_of(pod): pod for pod in pods}

        def of(item: _Group) -> _Group:
            return replace(item, pods=[*filter(None, map(later.get, map(name_of, item.pods)))])

        return Groups(
            owned={ref: of(item) for ref, item in self.owned.items()},
            others=[
                (later[name_of(pod)], why) for pod, why in self.others if name_of(pod) in later
            ],
        )


def find(view: NamespaceView, settings: Settings, groups: Groups | None = None) -> Workloads:
    """Every workload of the namespace that asks for backups, in the order of their names.

    `groups` saves grouping the pods again.
    """
    groups = groups or group(view)
    if groups is None:
        return NOTHING
    items = (_workload(item, view, settings) for item in groups.owned.values())
    alone = (
        _pod_without_owner(pod, view, why)
        for pod, why in groups.others
        if enabled(_own_values(pod))
    )
    return Workloads(
        items=tuple(sorted([*filter(None, items), *alone], key=lambda item: item.owner.ref)),
        unresolved=any(why.reason is not Reason.STANDALONE_POD for _, why in groups.others),
    )


def asking(groups: Groups) -> Iterator[Json]:
    """The pods of workloads that ask for backups: the ones that have to be known whole."""
    for item in groups.owned.values():
        yield from _asking(item)


def asks(owner: Json) -> bool:
    """Whether an owner's own annotations, or those of its template, say enabled."""
    own = _own_values(owner)
    return enabled(own) or enabled(own | _template_values(owner))


def kind_of(reference: Json) -> str:
    """Kind of an ownerReference as ObjectRef writes it."""
    group, slash, _ = str(reference.get("apiVersion", "")).partition("/")
    kind = str(reference.get("kind", ""))
    return kind if not slash or group in _PLAIN_GROUPS else f"{kind}.{group}"


def group(view: NamespaceView) -> Groups | None:
    """The pods by their owners; None where the pods are not known."""
    if isinstance(view.pods, Failed):
        return None
    owned = {item.owner.ref: item for item in _owner_objects(view)}
    others: list[tuple[Json, Rejected]] = []
    owner_of = _owners(view)
    for pod in sorted(view.pods, key=name_of):
        owner = owner_of(pod)
        if isinstance(owner, Rejected):
            others.append((pod, owner))
            continue
        known = owned.get(owner.ref)
        if known is None:
            known = owned[owner.ref] = _Group(owner=owner)
        known.pods.append(pod)
    return Groups(owned=owned, others=others)


def _owner_objects(view: NamespaceView) -> Iterator[_Group]:
    for kind in READABLE_KINDS:
        listed = view.owners.get(kind, ())
        for item in () if isinstance(listed, Failed) else listed:
            if kind != REPLICA_SET or not owner_references(item):
                owner = Owner(
                    namespace=view.name,
                    ref=ObjectRef(kind=kind, name=name_of(item)),
                    uid=uid_of(item),
                    created=str(item["metadata"].get("creationTimestamp", "")),
                )
                yield _Group(owner=owner, item=item)


def _owners(view: NamespaceView) -> Callable[[Json], Owner | Rejected]:
    """The owner of a pod of the namespace; most pods have one that was asked for before."""
    listed = view.owners.get(REPLICA_SET, ())
    revisions = {} if isinstance(listed, Failed) else {uid_of(item): item for item in listed}
    known: dict[tuple[Any, ...], Owner | Rejected] = {}

    def resolve(reference: Json) -> Owner | Rejected:
        owner = _referred(reference, view.name)
        if owner.ref.kind != REPLICA_SET:
            return owner
        if isinstance(listed, Failed):
            return Rejected(listed.reason, listed.message)
        item = revisions.get(owner.uid)
        if item is None or name_of(item) != owner.ref.name:
            why = f"its {owner.ref} was not in the list just read"
            return Rejected(Reason.OWNER_UNREADABLE, why)
        above = owner_references(item)
        # A ReplicaSet of any other controller counts under that one (contract 9.18).
        return _referred(above[0], view.name) if above else owner

    def owner_of(pod: Json) -> Owner | Rejected:
        references = owner_references(pod)
        if not references:
            return Rejected(Reason.STANDALONE_POD, "a pod without an owner is not backed up")
        key = tuple(map(references[0].get, ("uid", "name", "kind", "apiVersion")))
        if key not in known:
            known[key] = resolve(references[0])
        return known[key]

    return owner_of


def _referred(reference: Json, namespace: str) -> Owner:
    ref = ObjectRef(kind=kind_of(reference), name=str(reference.get("name", "")))
    return Owner(namespace=namespace, ref=ref, uid=str(reference.get("uid", "")))


def _pod_without_owner(pod: Json, view: NamespaceView, why: Rejected) -> Workload:
    ref = ObjectRef(kind=_POD, name=name_of(pod))
    owner = Owner(namespace=view.name, ref=ref, uid=uid_of(pod))
    return Workload(owners=(owner,), pods=(), request=why, type_by_template=False)


def _asking(group: _Group) -> list[Json]:
    if not group.pods:
        return []
    own = _own_values(group.item) if group.item else {}
    return [pod for pod in group.pods if enabled(own | _own_values(pod))]


def _workload(group: _Group, view: NamespaceView, settings: Settings) -> Workload | None:
    item, asking_pods = group.item, _asking(group)
    if not (asking_pods or (item and asks(item))):
        return None
    own = _own_values(item) if item else {}
    template = own | (_template_values(item) if item else {})
    running = [pod for pod in asking_pods if (pod.get("status") or {}).get("phase") == "Running"]
    asked = read(template, settings) if item and enabled(template) else None
    request: Request | Rejected
    if (lost := _unread(group, asking_pods, view)) is not None:
        request = lost
    elif not running:
        request = Rejected(Reason.NO_RUNNING_POD, "no annotated pod of it is running")
    else:
        distinct = {read(values, settings) for values in _distinct(own, running)}
        if len(distinct) == 1:
            (request,) = distinct
        else:
            # A rollout: what the owner will have everywhere soon is what counts.
            request = asked or Rejected(
                Reason.CONFLICTING_ANNOTATIONS,
                "its pods disagree about their annotations, and its template cannot be read",
            )
    # Where no template can be read, the running pods have to agree, so they speak for it.
    by_template = item is None or (isinstance(asked, Request) and _same_engine(asked, request))
    return Workload(
        owners=(group.owner,), pods=tuple(running), request=request, type_by_template=by_template
    )


def _distinct(own: dict[str, str], pods: Iterable[Json]) -> list[dict[str, str]]:
    """The pods' annotations over their owner's, each set once: they are mostly the same."""
    found: list[dict[str, str]] = []
    for pod in pods:
        values = own | _own_values(pod)
        if values not in found:
            found.append(values)
    return found


def _unread(group: _Group, pods: Iterable[Json], view: NamespaceView) -> Rejected | None:
    """Why the owner, or a pod that counts, is not known; None where there is nothing to know.

    The owner's own annotations count (contract 9.17), so without them its pods are half the truth.
    """
    ref = group.owner.ref
    wanted = (ref, *(ObjectRef(kind=_POD, name=name_of(pod)) for pod in pods))
    failed = next(filter(None, map(view.unread.get, wanted)), None) if view.unread else None
    if failed:
        return Rejected(failed.reason, failed.message)
    if group.item is not None or ref.kind not in READABLE_KINDS:
        return None
    listed = view.owners.get(ref.kind, ())
    if isinstance(listed, Failed):
        return Rejected(listed.reason, listed.message)
    return Rejected(Reason.OWNER_NOT_FOUND, f"its {ref} does not exist, its pods still do")


def _same_engine(asked: Request, request: Request | Rejected) -> bool:
    return isinstance(request, Request) and asked.engine.type == request.engine.type


def _own_values(item: Json) -> dict[str, str]:
    return {key: text for key, text in annotations_of(item).items() if key.startswith(PREFIX)}


def _template_values(item: Json) -> dict[str, str]:
    return _own_values((item.get("spec") or {}).get("template") or {})
