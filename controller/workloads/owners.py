"""The pods of a namespace by the objects that own them (contract sections 3 and 9.18)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    """An owner, as an object where it may be read, and its pods in the order of their names."""

    owner: Owner
    item: Json | None = field(default=None, repr=False)
    pods: list[Json] = field(default_factory=list, repr=False)

    @property
    def own(self) -> dict[str, str]:
        """Our annotations on the owner itself; those of a pod win over them (contract 9.17)."""
        return own_values(self.item) if self.item else {}

    @property
    def template(self) -> dict[str, str]:
        """Our annotations as its next pods will have them, as far as it can be read."""
        return self.own | (_template_values(self.item) if self.item else {})

    @property
    def template_labels(self) -> Mapping[str, str]:
        """Labels of its next pods; its own, which are mostly the same, where it is not whole."""
        item = self.item or {}
        return labels_of(_template(item) if "spec" in item else item)

    def asking(self) -> list[Json]:
        """Its pods that ask for backups."""
        own = self.own if self.pods else {}
        return [pod for pod in self.pods if is_enabled(own | own_values(pod))]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodsByOwner:
    """The pods of a namespace: those of each owner, and those without a known one."""

    owned: Mapping[ObjectRef, OwnerWithPods]
    others: Sequence[tuple[Json, Rejected]]

    def of(self, pods: Objects) -> "PodsByOwner":
        """The same with these pods, as they were read later; those that are not there are gone."""
        later = {name_of(pod): pod for pod in pods}

        def of(item: OwnerWithPods) -> OwnerWithPods:
            return replace(item, pods=[*filter(None, map(later.get, map(name_of, item.pods)))])

        return PodsByOwner(
            owned={ref: of(item) for ref, item in self.owned.items()},
            others=[
                (later[name_of(pod)], why) for pod, why in self.others if name_of(pod) in later
            ],
        )

    def asking(self) -> Iterator[Json]:
        """The pods of owners that ask for backups: the ones that have to be known whole."""
        for item in self.owned.values():
            yield from item.asking()


def pods_by_owner(view: NamespaceView) -> PodsByOwner | None:
    """The pods by their owners; None where the pods are not known."""
    if isinstance(view.pods, ReadFailure):
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
            known = owned[owner.ref] = OwnerWithPods(owner=owner)
        known.pods.append(pod)
    return PodsByOwner(owned=owned, others=others)


def owner_is_enabled(owner: Json) -> bool:
    """Whether an owner's own annotations, or those of its template, say enabled."""
    own = own_values(owner)
    return is_enabled(own) or is_enabled(own | _template_values(owner))


def own_values(item: Json) -> dict[str, str]:
    """Our annotations of an object."""
    return {key: text for key, text in annotations_of(item).items() if key.startswith(PREFIX)}


def _template(item: Json) -> Json:
    found: Json = (item.get("spec") or {}).get("template") or {}
    return found


def _template_values(item: Json) -> dict[str, str]:
    return own_values(_template(item))


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
                )
                yield OwnerWithPods(owner=owner, item=item)


def _owners(view: NamespaceView) -> Callable[[Json], Owner | Rejected]:
    """The owner of a pod of the namespace; most pods have one that was asked for before."""
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
    ref = ObjectRef(kind=kind_of(reference), name=str(reference.get("name", "")))
    return Owner(namespace=namespace, ref=ref, uid=str(reference.get("uid", "")))
