"""Pods and their owners → the workloads that ask for backups (contract sections 3, 9.17, 9.18)."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

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


def find(view: NamespaceView, settings: Settings) -> Workloads:
    """Every workload of the namespace that asks for backups, in the order of their names."""
    if isinstance(view.pods, Failed):
        return Workloads(items=(), unresolved=True)
    groups: dict[ObjectRef, list[Json]] = defaultdict(list)
    owners: dict[ObjectRef, Owner] = {}
    rejected: list[Workload] = []
    unresolved = False
    for pod in sorted(view.pods, key=name_of):
        owner = _owner_of(pod, view)
        if isinstance(owner, Rejected):
            unresolved = unresolved or owner.reason is not Reason.STANDALONE_POD
            if _own_values(pod, enabled_only=True):
                rejected.append(_pod_without_owner(pod, view, owner))
            continue
        groups[owner.ref].append(pod)
        owners.setdefault(owner.ref, owner)
    objects = dict(_owner_objects(view))
    for ref, item in objects.items():
        owners[ref] = _read_owner(view, ref, item)
    found = (
        _workload(owner, objects.get(ref), groups[ref], view, settings)
        for ref, owner in owners.items()
    )
    items = [*filter(None, found), *rejected]
    return Workloads(
        items=tuple(sorted(items, key=lambda item: item.owner.ref)), unresolved=unresolved
    )


def asks(owner: Json) -> bool:
    """Whether an owner's own annotations, or those of its template, say enabled."""
    own = _own_values(owner)
    return enabled(own) or enabled(own | _template_values(owner))


def kind_of(reference: Json) -> str:
    """Kind of an ownerReference as ObjectRef writes it."""
    group, slash, _ = str(reference.get("apiVersion", "")).partition("/")
    kind = str(reference.get("kind", ""))
    return kind if not slash or group in _PLAIN_GROUPS else f"{kind}.{group}"


def _owner_of(pod: Json, view: NamespaceView) -> Owner | Rejected:
    references = owner_references(pod)
    if not references:
        return Rejected(Reason.STANDALONE_POD, "a pod without an owner is not backed up")
    owner = _referred(references[0], view)
    if owner.ref.kind != REPLICA_SET:
        return owner
    listed = view.owners.get(REPLICA_SET, ())
    if isinstance(listed, Failed):
        return Rejected(listed.reason, listed.message)
    for item in listed:
        if name_of(item) == owner.ref.name and uid_of(item) == owner.uid:
            above = owner_references(item)
            # A ReplicaSet of any other controller counts under that one (contract 9.18).
            return _referred(above[0], view) if above else owner
    return Rejected(Reason.OWNER_UNREADABLE, f"its {owner.ref} was not in the list just read")


def _referred(reference: Json, view: NamespaceView) -> Owner:
    ref = ObjectRef(kind=kind_of(reference), name=str(reference.get("name", "")))
    return Owner(namespace=view.name, ref=ref, uid=str(reference.get("uid", "")))


def _owner_objects(view: NamespaceView) -> Iterator[tuple[ObjectRef, Json]]:
    for kind in READABLE_KINDS:
        listed = view.owners.get(kind, ())
        for item in () if isinstance(listed, Failed) else listed:
            if kind != REPLICA_SET or not owner_references(item):
                yield ObjectRef(kind=kind, name=name_of(item)), item


def _read_owner(view: NamespaceView, ref: ObjectRef, item: Json) -> Owner:
    created = str(item["metadata"].get("creationTimestamp", ""))
    return Owner(namespace=view.name, ref=ref, uid=uid_of(item), created=created)


def _pod_without_owner(pod: Json, view: NamespaceView, why: Rejected) -> Workload:
    ref = ObjectRef(kind=_POD, name=name_of(pod))
    owner = Owner(namespace=view.name, ref=ref, uid=uid_of(pod))
    return Workload(owners=(owner,), pods=(), request=why, type_by_template=False)


def _workload(
    owner: Owner, item: Json | None, pods: list[Json], view: NamespaceView, settings: Settings
) -> Workload | None:
    own = _own_values(item) if item else {}
    template = own | (_template_values(item) if item else {})
    asking = [pod for pod in pods if enabled(own | _own_values(pod))]
    if not (asking or (item and asks(item))):
        return None
    running = [pod for pod in asking if (pod.get("status") or {}).get("phase") == "Running"]
    asked = read(template, settings) if item and enabled(template) else None
    request: Request | Rejected
    if (lost := _unread(owner, item, view)) is not None:
        request = lost
    elif not running:
        request = Rejected(Reason.NO_RUNNING_POD, "no annotated pod of it is running")
    else:
        distinct = {read(own | _own_values(pod), settings) for pod in running}
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
        owners=(owner,), pods=tuple(running), request=request, type_by_template=by_template
    )


def _unread(owner: Owner, item: Json | None, view: NamespaceView) -> Rejected | None:
    """Why an owner that should be in a list is not known; None where there is nothing to know.

    Its own annotations count (contract 9.17), so without them its pods are half the truth.
    """
    if item is not None or owner.ref.kind not in READABLE_KINDS:
        return None
    listed = view.owners.get(owner.ref.kind, ())
    if isinstance(listed, Failed):
        return Rejected(listed.reason, listed.message)
    return Rejected(Reason.OWNER_NOT_FOUND, f"its {owner.ref} does not exist, its pods still do")


def _same_engine(asked: Request, request: Request | Rejected) -> bool:
    return isinstance(request, Request) and asked.engine.type == request.engine.type


def _own_values(item: Json, *, enabled_only: bool = False) -> dict[str, str]:
    values = {key: text for key, text in annotations_of(item).items() if key.startswith(PREFIX)}
    return values if not enabled_only or enabled(values) else {}


def _template_values(item: Json) -> dict[str, str]:
    return _own_values((item.get("spec") or {}).get("template") or {})
