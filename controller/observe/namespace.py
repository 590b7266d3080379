"""One watched namespace: its pods, their owners and Services, what their containers refer to."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeGuard

from controller.kube.client import NAMESPACES, PODS, RESOURCES, SERVICES, Resource
from controller.kube.reader import ClusterReader
from controller.model.fault_boundary import FaultBoundary
from controller.model.kinds import READABLE_KINDS, REPLICA_SET
from controller.model.objects import (
    Json,
    ObjectRef,
    Objects,
    labels_of,
    name_of,
    owner_references,
    uid_of,
    version_of,
)
from controller.model.status import ReadFailure, Reason
from controller.model.view import NamespaceView, SecretData
from controller.observe.secret_cache import SecretCache
from controller.settings.settings import Settings
from controller.workloads import backup_spec, discovery
from controller.workloads.credentials.login import SecretKeys
from controller.workloads.discovery import NOTHING, Workloads
from controller.workloads.owners import pods_by_owner

# Pods that ended well ask for nothing any more, and may be many. All others show that their owner
# still asks.
_LIVE = "status.phase!=Succeeded"
_ALL = ("",)
_HASH = "pod-template-hash"
# In one selector; beyond that all are listed. A hash has ten characters.
_HASHES = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceReading:
    """A namespace as far as it was read, and what was found in it."""

    view: NamespaceView
    found: Workloads


def read_namespace(name: str, answers: ClusterReader, settings: Settings) -> NamespaceReading:
    """The lists of one namespace, and the workloads that they show."""
    found = answers.get(NAMESPACES, "", name)
    exists = found if isinstance(found, ReadFailure) else found is not None
    # Nothing can be decided without these; what hangs once must not hang six times.
    if _unavailable(exists):
        return unreadable_namespace(name, exists)
    pods = answers.list(PODS, name, fields=_LIVE, metadata_only=True)
    if _unavailable(pods):
        return unreadable_namespace(name, pods)
    services = answers.list(SERVICES, name)
    owners: dict[str, Objects | ReadFailure] = {}
    unread: dict[ObjectRef, ReadFailure] = {}
    for kind in READABLE_KINDS:
        selectors = _with_pods(pods) if kind == REPLICA_SET else _ALL
        owners[kind], failed = _owners(RESOURCES[kind], name, selectors, answers)
        unread |= failed
    view = NamespaceView(
        name=name, exists=exists, pods=pods, services=services, owners=owners, unread=unread
    )
    by_owner = pods_by_owner(view)
    if by_owner is None or isinstance(pods, ReadFailure):
        return NamespaceReading(view=view, found=NOTHING)
    wanted = {name_of(pod) for pod in by_owner.enabled_pods()}
    pods, failed = answers.whole(PODS, name, pods, wanted, fields=_LIVE)
    view = replace(view, pods=pods, unread={**unread, **failed})
    return NamespaceReading(
        view=view, found=discovery.find_workloads(view, settings, by_owner.with_pods(pods))
    )


def complete_namespace(
    space: NamespaceReading,
    recorded: Collection[ObjectRef],
    answers: ClusterReader,
    sources: SecretCache,
    isolate: FaultBoundary,
) -> NamespaceReading:
    """What the lists tell to read: the owners of existing CronJobs, and the sources."""
    view = _with_recorded(space.view, recorded, answers)
    references = _references(space.found, isolate)
    contents: dict[ObjectRef, SecretData | ReadFailure | None] = dict(
        sources.read(view.name, references)
    )
    return replace(space, view=replace(view, contents=contents))


def unreadable_namespace(name: str, why: ReadFailure) -> NamespaceReading:
    """A namespace of which nothing is known."""
    owners: dict[str, Objects | ReadFailure] = dict.fromkeys(READABLE_KINDS, why)
    view = NamespaceView(name=name, exists=why, pods=why, services=why, owners=owners)
    return NamespaceReading(view=view, found=NOTHING)


def _unavailable(answer: object) -> TypeGuard[ReadFailure]:
    return isinstance(answer, ReadFailure) and answer.reason is Reason.UNAVAILABLE


def _with_pods(pods: Objects | ReadFailure) -> Iterable[str]:
    """Selectors of all ReplicaSets but old revisions without pods, which are most of them.

    A Deployment marks a ReplicaSet and its pods by the same hash; other ReplicaSets have none.
    """
    if isinstance(pods, ReadFailure):
        return _ALL
    hashes = sorted({text for pod in pods if (text := labels_of(pod).get(_HASH))})
    if len(hashes) > _HASHES:
        return _ALL
    others = f"!{_HASH}"
    return (others, f"{_HASH} in ({','.join(hashes)})") if hashes else (others,)


def _owners(
    resource: Resource, namespace: str, selectors: Iterable[str], answers: ClusterReader
) -> tuple[Objects | ReadFailure, Mapping[ObjectRef, ReadFailure]]:
    """The owners of a kind, whole where they may speak for pods: at the top, no revisions."""
    listed: list[Json] = []
    for selector in selectors:
        part = answers.list(resource, namespace, selector, metadata_only=True)
        if isinstance(part, ReadFailure):
            return part, {}
        listed += part
    revisions = resource.kind == REPLICA_SET
    wanted = {name_of(item) for item in listed if not (revisions and owner_references(item))}
    return answers.whole(resource, namespace, tuple(listed), wanted)


def _with_recorded(
    view: NamespaceView, recorded: Collection[ObjectRef], answers: ClusterReader
) -> NamespaceView:
    """Add the owners of existing CronJobs that the lists lack, or show as metadata alone."""
    shown = {
        kind: {name_of(item) for item in listed}
        for kind, listed in view.owners.items()
        if not isinstance(listed, ReadFailure)
    }
    lacking = {
        ref: answers.get(RESOURCES[ref.kind], view.name, ref.name)
        for ref in sorted(recorded)
        if ref.name not in shown.get(ref.kind, {ref.name})
    }
    absent = {
        ref: found if isinstance(found, ReadFailure) else found is None
        for ref, found in lacking.items()
    }
    view = replace(view, absent=absent)
    revisions, resource = view.owners[REPLICA_SET], RESOURCES[REPLICA_SET]
    if isinstance(revisions, ReadFailure):
        return view
    # Its list lacks those without pods, and of what others own by now it has metadata alone.
    known = {ref.name for ref in recorded if ref.kind == REPLICA_SET}
    owned = {name_of(item) for item in revisions if owner_references(item)}
    whole, failed = answers.whole(resource, view.name, revisions, known & owned)
    whole += tuple(
        found
        for ref, found in lacking.items()
        if ref.kind == REPLICA_SET and found and not isinstance(found, ReadFailure)
    )
    owners = {**view.owners, REPLICA_SET: whole}
    return replace(view, owners=owners, unread={**view.unread, **failed})


def _references(
    found: Workloads, isolate: FaultBoundary
) -> Mapping[SecretKeys, frozenset[tuple[str, str]]]:
    """Each Secret and ConfigMap once, with the keys that all its workloads want, and their pods.

    So an answer is whole, or it is Failed for all of them.
    """
    keys: dict[ObjectRef, set[str]] = defaultdict(set)
    pods: dict[ObjectRef, set[tuple[str, str]]] = defaultdict(set)
    for workload in found.items:
        # What is wrong with this workload is told when it is planned.
        for reference in isolate(workload.key, partial(backup_spec.references, workload)) or ():
            keys[reference.ref] |= reference.keys
            pods[reference.ref].add((uid_of(workload.pods[0]), version_of(workload.pods[0])))
    return {
        SecretKeys(ref=ref, keys=frozenset(names)): frozenset(pods[ref])
        for ref, names in keys.items()
    }
