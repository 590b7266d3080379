"""The pods of a namespace by the objects that own them (contract sections 3 and 9.18)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.model.kinds import READABLE_KINDS, REPLICA_SET
from controller.model.names import PREFIX
from controller.model.objects import (
    Json,
    ObjectRef,
    Objects,
    annotations_of,
    labels_of,
    name_of,
    owner_references,
    uid_of,
)
from controller.model.owner import Owner, kind_of
from controller.model.status import ReadFailure, Reason, Rejected
from controller.model.view import NamespaceView
from controller.workloads.annotations import is_enabled


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerWithPods:
    """An owner and its pods, sorted by name; `item` is the owner's object, None if not readable."""

    owner: Owner
    item: Json | None = field(default=None, repr=False)
    pods: list[Json] = field(default_factory=list, repr=False)

    @property
    def own_annotations(self) -> dict[str, str]:
        """Our annotations on the owner itself; those of a pod win over them (contract 9.17)."""
        return ksnapshot_annotations(self.item) if self.item else {}

    @property
    def template_annotations(self) -> dict[str, str]:
        """Our annotations that the owner's next pods will have; empty if it is not readable."""
        return self.own_annotations | (_template_values(self.item) if self.item else {})

    @property
    def own_labels(self) -> Mapping[str, str]:
        """Labels of the owner itself; empty if it is not readable."""
        return labels_of(self.item or {})

    @property
    def template_labels(self) -> Mapping[str, str]:
        """Labels of the owner's next pods.

        Where only its metadata was read, these are its own labels, which are mostly the same.
        """
        item = self.item or {}
        return labels_of(_template(item) if "spec" in item else item)

    def enabled_pods(self) -> list[Json]:
        """The owner's pods that ask for backups."""
        if not self.pods:
            return []
        own = annotations_of(self.item or {})
        return [pod for pod in self.pods if is_enabled(annotations_of(pod), own)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodsByOwner:
    """The pods of a namespace.

    `owners` holds the owners with their pods, `pods_without_owner` the pods of which no owner is
    known, each with the reason.
    """

    owners: Mapping[ObjectRef, OwnerWithPods]
    pods_without_owner: Sequence[tuple[Json, Rejected]]

    def with_pods(self, pods: Objects) -> "PodsByOwner":
        """Replace each pod by the one of its name in `pods`, read later, or drop it without one."""
        later = {name_of(pod): pod for pod in pods}

        def replace_pods(owner: OwnerWithPods) -> OwnerWithPods:
            found = filter(None, map(later.get, map(name_of, owner.pods)))
            return OwnerWithPods(owner=owner.owner, item=owner.item, pods=[*found])

        return PodsByOwner(
            owners={ref: replace_pods(owner) for ref, owner in self.owners.items()},
            pods_without_owner=[
                (later[name_of(pod)], why)
                for pod, why in self.pods_without_owner
                if name_of(pod) in later
            ],
        )

    def enabled_pods(self) -> Iterator[Json]:
        """The pods of owners that ask for backups; they have to be read whole."""
        for owner in self.owners.values():
            yield from owner.enabled_pods()


def pods_by_owner(view: NamespaceView) -> PodsByOwner | None:
    """Group the pods by their owners; None where the pods are not known."""
    if isinstance(view.pods, ReadFailure):
        return None
    owners = {owner.owner.ref: owner for owner in _owner_objects(view)}
    pods_without_owner: list[tuple[Json, Rejected]] = []
    owner_of = _owner_lookup(view)
    for pod in sorted(view.pods, key=name_of):
        owner = owner_of(pod)
        if isinstance(owner, Rejected):
            pods_without_owner.append((pod, owner))
            continue
        known = owners.get(owner.ref)
        if known is None:
            known = owners[owner.ref] = OwnerWithPods(owner=owner)
        known.pods.append(pod)
    return PodsByOwner(owners=owners, pods_without_owner=pods_without_owner)


def owner_is_enabled(owner: Json) -> bool:
    """Whether an owner's own annotations, or those of its template, say enabled."""
    own = annotations_of(owner)
    return is_enabled(own) or is_enabled(annotations_of(_template(owner)), own)


def ksnapshot_annotations(item: Json) -> dict[str, str]:
    """The annotations of an object that have our prefix."""
    return {key: text for key, text in annotations_of(item).items() if key.startswith(PREFIX)}


def _template(item: Json) -> Json:
    found: Json = (item.get("spec") or {}).get("template") or {}
    return found


def _template_values(item: Json) -> dict[str, str]:
    return ksnapshot_annotations(_template(item))


def _owner_objects(view: NamespaceView) -> Iterator[OwnerWithPods]:
    for kind in READABLE_KINDS:
        listed = view.owners.get(kind, ())
        for item in () if isinstance(listed, ReadFailure) else listed:
            if kind != REPLICA_SET or not owner_references(item):
                owner = Owner(
                    namespace=view.name,
                    ref=ObjectRef(kind=kind, name=name_of(item)),
                    uid=uid_of(item),
                    created=str(item["metadata"].get("creationTimestamp", "")),
                    makers=tuple(str(above.get("uid", "")) for above in owner_references(item)),
                )
                yield OwnerWithPods(owner=owner, item=item)


def _owner_lookup(view: NamespaceView) -> Callable[[Json], Owner | Rejected]:
    """A function that finds a pod's owner; it remembers owners, which most pods share."""
    listed = view.owners.get(REPLICA_SET, ())
    revisions = {} if isinstance(listed, ReadFailure) else {uid_of(item): item for item in listed}
    known: dict[tuple[Any, ...], Owner | Rejected] = {}

    def resolve(reference: Json) -> Owner | Rejected:
        owner = _referred(reference, view.name)
        if owner.ref.kind != REPLICA_SET:
            return owner
        if isinstance(listed, ReadFailure):
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
    """The owner that an ownerReference names."""
    ref = ObjectRef(kind=kind_of(reference), name=str(reference.get("name", "")))
    return Owner(namespace=namespace, ref=ref, uid=str(reference.get("uid", "")))
