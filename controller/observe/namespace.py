"""Reads one watched namespace: pods, their owners, Services, and what containers refer to."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from controller.kube.client import NAMESPACES, PODS, RESOURCES, Resource
from controller.model.fault_boundary import FaultBoundary
from controller.model.kinds import READABLE_KINDS, REPLICA_SET
from controller.model.objects import (
    Json,
    ObjectRef,
    Objects,
    name_of,
    owner_references,
    uid_of,
    version_of,
)
from controller.model.status import ReadFailure
from controller.model.view import NamespaceView, SecretData
from controller.observe.lists import LIVE, NamespaceLists, is_unavailable, read_lists
from controller.observe.readers import Readers
from controller.observe.secret_cache import PodVersions
from controller.settings.settings import Settings
from controller.workloads import backup_spec, discovery
from controller.workloads.credentials.login import SecretKeys
from controller.workloads.discovery import NOTHING, Workloads
from controller.workloads.owners import pods_by_owner


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceReading:
    """A namespace as far as it was read, and the workloads that were found in it."""

    view: NamespaceView
    found: Workloads


def read_namespace(
    name: str,
    readers: Readers,
    settings: Settings,
    *,
    is_listed: bool = False,
    lists: NamespaceLists | None = None,
) -> NamespaceReading:
    """Read the lists of one namespace, and find the workloads that they show.

    `is_listed`: a list has just shown that it exists. `lists` are those that were read already.
    """
    found = is_listed or readers.cluster.get(NAMESPACES, "", name)
    exists = found if isinstance(found, ReadFailure) else found is not None
    # Nothing can be decided without these two reads; what hangs once must not hang six times.
    if is_unavailable(exists):
        return unreadable_namespace(name, exists)
    lists = lists or read_lists(readers.cluster, name)
    if is_unavailable(lists.pods):
        return unreadable_namespace(name, lists.pods)
    owners: dict[str, Objects | ReadFailure] = {}
    unread: dict[ObjectRef, ReadFailure] = {}
    for kind, listed in lists.owners.items():
        owners[kind], unread_owners = _full_owners(RESOURCES[kind], name, listed, readers)
        unread |= unread_owners
    view = NamespaceView(
        name=name,
        exists=exists,
        pods=lists.pods,
        services=lists.services,
        owners=owners,
        unread=unread,
    )
    return _with_workloads(view, readers, settings)


def with_all_owners(readers: Readers, lists: Iterable[NamespaceLists]) -> Readers:
    """Readers that know the owners in many namespaces, of which each would be read singly."""
    objects, places = readers.objects, tuple(lists)
    for kind in READABLE_KINDS:
        every = (place.owners[kind] for place in places)
        known = (item for listed in every if not isinstance(listed, ReadFailure) for item in listed)
        speaking = tuple(item for item in known if _may_speak(kind, item))
        objects = objects.with_all(RESOURCES[kind], speaking)
    return replace(readers, objects=objects)


def complete_namespace(
    reading: NamespaceReading,
    recorded: Collection[ObjectRef],
    readers: Readers,
    isolate: FaultBoundary,
) -> NamespaceReading:
    """Read the single objects that the lists made necessary.

    These are the owners that existing CronJobs record (`recorded`) and the lists lack, and the
    Secrets and ConfigMaps that the workloads' containers refer to.
    """
    view = _with_recorded_owners(reading.view, recorded, readers)
    references = _references(reading.found, isolate)
    contents: dict[ObjectRef, SecretData | ReadFailure | None] = dict(
        readers.secrets.read(view.name, references)
    )
    return replace(reading, view=replace(view, contents=contents))


def unreadable_namespace(name: str, why: ReadFailure) -> NamespaceReading:
    """Return a namespace of which nothing is known."""
    owners: dict[str, Objects | ReadFailure] = dict.fromkeys(READABLE_KINDS, why)
    view = NamespaceView(name=name, exists=why, pods=why, services=why, owners=owners)
    return NamespaceReading(view=view, found=NOTHING)


def _full_owners(
    resource: Resource, namespace: str, listed: Objects | ReadFailure, readers: Readers
) -> tuple[Objects | ReadFailure, Mapping[ObjectRef, ReadFailure]]:
    """Read in full the owners of a kind that may speak for pods; also returns failed reads."""
    if isinstance(listed, ReadFailure):
        return listed, {}
    wanted = {name_of(item) for item in listed if _may_speak(resource.kind, item)}
    return readers.objects.load_full(resource, namespace, listed, wanted)


def _may_speak(kind: str, owner: Json) -> bool:
    """Whether an owner may speak for its pods: not a ReplicaSet that a Deployment owns."""
    return not (kind == REPLICA_SET and owner_references(owner))


def _with_workloads(view: NamespaceView, readers: Readers, settings: Settings) -> NamespaceReading:
    """Read the pods of owners that ask for backups in full, and find the workloads."""
    by_owner = pods_by_owner(view)
    if by_owner is None or isinstance(view.pods, ReadFailure):
        return NamespaceReading(view=view, found=NOTHING)
    wanted = {name_of(pod) for pod in by_owner.enabled_pods()}
    pods, unread = readers.objects.load_full(PODS, view.name, view.pods, wanted, fields=LIVE)
    view = replace(view, pods=pods, unread={**view.unread, **unread})
    found = discovery.find_workloads(view, settings, by_owner.with_pods(pods))
    return NamespaceReading(view=view, found=found)


def _with_recorded_owners(
    view: NamespaceView, recorded: Collection[ObjectRef], readers: Readers
) -> NamespaceView:
    """Add the owners of existing CronJobs that the lists lack, or show as metadata alone."""
    listed_names = {
        kind: {name_of(item) for item in listed}
        for kind, listed in view.owners.items()
        if not isinstance(listed, ReadFailure)
    }
    lacking = {
        ref: readers.cluster.get(RESOURCES[ref.kind], view.name, ref.name)
        for ref in sorted(recorded)
        if ref.name not in listed_names.get(ref.kind, {ref.name})
    }
    absent = {
        ref: found if isinstance(found, ReadFailure) else found is None
        for ref, found in lacking.items()
    }
    view = replace(view, absent=absent)
    revisions = view.owners[REPLICA_SET]
    if isinstance(revisions, ReadFailure):
        return view
    # The list lacks ReplicaSets without pods, and has metadata alone of those that got an owner.
    recorded_names = {ref.name for ref in recorded if ref.kind == REPLICA_SET}
    owned_names = {name_of(item) for item in revisions if owner_references(item)}
    full, unread = readers.objects.load_full(
        RESOURCES[REPLICA_SET], view.name, revisions, recorded_names & owned_names
    )
    full += tuple(
        found
        for ref, found in lacking.items()
        if ref.kind == REPLICA_SET and found and not isinstance(found, ReadFailure)
    )
    owners = {**view.owners, REPLICA_SET: full}
    return replace(view, owners=owners, unread={**view.unread, **unread})


def _references(found: Workloads, isolate: FaultBoundary) -> Mapping[SecretKeys, PodVersions]:
    """Collect each Secret and ConfigMap once, with the keys that all its workloads want.

    So its content is complete, or a ReadFailure for all of them. It goes with the versions of the
    pods that refer to it.
    """
    keys: dict[ObjectRef, set[str]] = defaultdict(set)
    pods: dict[ObjectRef, set[tuple[str, str]]] = defaultdict(set)
    for workload in found.items:
        # What is wrong with this workload is reported when it is planned.
        for reference in isolate(workload.key, partial(backup_spec.references, workload)) or ():
            keys[reference.ref] |= reference.keys
            pods[reference.ref].add((uid_of(workload.pods[0]), version_of(workload.pods[0])))
    return {
        SecretKeys(ref=ref, keys=frozenset(names)): frozenset(pods[ref])
        for ref, names in keys.items()
    }
