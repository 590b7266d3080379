"""Reads the lists of one namespace, or of many at once, and which namespaces there are."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from controller.kube.client import NAMESPACES, PODS, RESOURCES, SERVICES, Document
from controller.kube.reader import ClusterReader
from controller.model.kinds import READABLE_KINDS, REPLICA_SET
from controller.model.objects import Json, Objects, labels_of, metadata, name_of
from controller.model.status import ReadFailure, Reason
from controller.settings.settings import Settings

# Pods that ended well show nothing, and may be many. All others show that their owner still asks
# for backups.
LIVE = "status.phase!=Succeeded"
_ALL = ("",)
_HASH = "pod-template-hash"
# A hash has ten characters; a selector with more of them would be longer than servers take.
_MAX_HASHES = 300
# Each namespace takes six lists: of more namespaces one list of all of them is cheaper.
_ONE_BY_ONE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceLists:
    """The lists of a namespace: pods and owners as metadata, Services in full.

    Of ReplicaSets, old revisions without pods are left out, which are most of them.
    """

    pods: Objects | ReadFailure = field(repr=False)
    services: Objects | ReadFailure = field(repr=False)
    owners: Mapping[str, Objects | ReadFailure] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The namespaces to read; with `failure` nobody knows them, and `names` are those of before.

    `is_listed`: they were found by a list, and so exist.
    """

    names: tuple[str, ...]
    is_listed: bool = False
    failure: ReadFailure | None = None

    @property
    def are_many(self) -> bool:
        """Whether lists of the whole cluster cost less than those of each namespace."""
        return self.is_listed and len(self.names) > _ONE_BY_ONE


def find_watched(reader: ClusterReader, settings: Settings, before: tuple[str, ...]) -> Watched:
    """Find the watched namespaces: those that are named, or those that a list shows.

    The control namespace and those that are being deleted are not among the latter. `before` are
    the names of the last list that was answered.
    """
    if not settings.watches_all:
        return Watched(names=settings.watch_namespaces)
    listed = reader.list(NAMESPACES, "", settings.watch_selector)
    if isinstance(listed, ReadFailure):
        return Watched(names=before, failure=_explained(listed))
    names = {name_of(item) for item in listed if not metadata(item).get("deletionTimestamp")}
    return Watched(names=tuple(sorted(names - {settings.control_namespace})), is_listed=True)


def read_lists(
    reader: ClusterReader, namespace: str, names: Collection[str] = ()
) -> NamespaceLists:
    """Read the lists of a namespace; an empty `namespace` stands for all of those in `names`."""

    def keep(item: Document) -> Document | None:
        return item if namespace or _namespace_of(item) in names else None

    pods = reader.list(PODS, namespace, fields=LIVE, metadata_only=True, keep=keep)
    # What hangs once must not hang six times.
    if is_unavailable(pods):
        return _failed(pods)
    owners: dict[str, Objects | ReadFailure] = {}
    services = reader.list(SERVICES, namespace, keep=keep)
    for kind in READABLE_KINDS:
        selectors = _revisions_with_pods(pods) if kind == REPLICA_SET else _ALL
        parts = [
            reader.list(RESOURCES[kind], namespace, selector, metadata_only=True, keep=keep)
            for selector in selectors
        ]
        failures = (part for part in parts if isinstance(part, ReadFailure))
        owners[kind] = next(failures, None) or tuple(
            item for part in parts if not isinstance(part, ReadFailure) for item in part
        )
    return NamespaceLists(pods=pods, services=services, owners=owners)


def read_all_lists(reader: ClusterReader, names: Collection[str]) -> Mapping[str, NamespaceLists]:
    """Read the lists of many namespaces, each kind at once."""
    wanted = frozenset(names)
    whole = read_lists(reader, "", wanted)
    pods, services = _split(whole.pods), _split(whole.services)
    owners = {kind: _split(listed) for kind, listed in whole.owners.items()}

    def of(name: str, parts: Mapping[str, Objects] | ReadFailure) -> Objects | ReadFailure:
        return parts if isinstance(parts, ReadFailure) else parts.get(name, ())

    return {
        name: NamespaceLists(
            pods=of(name, pods),
            services=of(name, services),
            owners={kind: of(name, parts) for kind, parts in owners.items()},
        )
        for name in wanted
    }


def is_unavailable(answer: object) -> TypeGuard[ReadFailure]:
    """Whether a read got no answer at all."""
    return isinstance(answer, ReadFailure) and answer.reason is Reason.UNAVAILABLE


def _explained(failure: ReadFailure) -> ReadFailure:
    if failure.reason is not Reason.FORBIDDEN:
        return failure
    return ReadFailure(
        failure.reason,
        f"{failure.message}: WATCH_NAMESPACES is *, for which the controller must be able to list"
        " namespaces: give it the chart's ClusterRole, or name the namespaces",
    )


def _failed(why: ReadFailure) -> NamespaceLists:
    return NamespaceLists(pods=why, services=why, owners=dict.fromkeys(READABLE_KINDS, why))


def _split(listed: Objects | ReadFailure) -> Mapping[str, Objects] | ReadFailure:
    if isinstance(listed, ReadFailure):
        return listed
    parts: dict[str, list[Json]] = defaultdict(list)
    for item in listed:
        parts[_namespace_of(item)].append(item)
    return {name: tuple(items) for name, items in parts.items()}


def _namespace_of(item: Mapping[str, Any]) -> str:
    return str(metadata(item).get("namespace", ""))


def _revisions_with_pods(pods: Objects | ReadFailure) -> Iterable[str]:
    """Return selectors of all ReplicaSets but old revisions without pods, which are most of them.

    A Deployment marks a ReplicaSet and its pods by the same hash; other ReplicaSets have none.
    """
    if isinstance(pods, ReadFailure):
        return _ALL
    hashes = sorted({text for pod in pods if (text := labels_of(pod).get(_HASH))})
    parts = (hashes[at : at + _MAX_HASHES] for at in range(0, len(hashes), _MAX_HASHES))
    return (f"!{_HASH}", *(f"{_HASH} in ({','.join(part)})" for part in parts))
