"""`ksnapshot status --unprotected`: databases that run and that nothing backs up."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from controller.client.cluster.workload_names import Workload
from controller.kube.client import NAMESPACES, PODS, Document, ForbiddenError
from controller.kube.kubectl import Kubectl, path_of
from controller.manifests.ownership import objects_of
from controller.model.kinds import DEPLOYMENT, REPLICA_SET
from controller.model.names import owner_key
from controller.model.objects import Json, ObjectRef, labels_of, metadata, name_of, owner_references
from controller.model.owner import kind_of
from controller.settings.settings import Settings
from controller.settings.watching.watch_settings import ALL
from controller.workloads.annotations import is_enabled
from controller.workloads.owners import ksnapshot_annotations
from dumpers.engines.registry import ENGINES

_HASH_LABEL = "pod-template-hash"
_RUNNING = "status.phase=Running"
# Full pods are large, and a cluster has many.
_PAGE = "500"
NOT_ANNOTATED = "NotAnnotated"
UNWATCHED = "NamespaceUnwatched"
NOT_SEEN = "NotSeenYet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unprotected:
    """An owner of pods that run a database, and that no CronJob backs up; `reason` says why."""

    namespace: str
    owner: ObjectRef
    type: str
    image: str
    pods: int
    reason: str
    message: str

    def document(self) -> dict[str, Any]:
        """It as JSON, by the schema of docs/command.md."""
        return {
            "workload": owner_key(self.namespace, self.owner.name),
            "namespace": self.namespace,
            "name": self.owner.name,
            "kind": self.owner.kind,
            "type": self.type,
            "image": self.image,
            "pods": self.pods,
            "reason": self.reason,
            "message": self.message,
        }


def watched_namespaces(kubectl: Kubectl, settings: Settings) -> Sequence[str]:
    """The namespaces that the controller watches; `*` alone where they may not be listed."""
    if not settings.watches_all:
        return settings.watch_namespaces
    try:
        listed = kubectl.list(NAMESPACES, "", settings.watch_selector)
    except ForbiddenError:
        return settings.watch_namespaces
    return tuple(sorted({*map(name_of, listed)} - {settings.control_namespace}))


def running_pods(
    kubectl: Kubectl, namespace: str, watched: Sequence[str]
) -> tuple[list[Document], list[str]]:
    """Read the running pods of a namespace; without one those of all, else of the watched ones.

    Returns also the namespaces that may not be read.
    """
    if not namespace:
        try:
            return _pages(kubectl, ""), []
        except ForbiddenError:
            if ALL in watched:
                # Which they are, only a list of them would show.
                return [], [ALL]
    pods: list[Document] = []
    closed: list[str] = []
    for place in [namespace] if namespace else watched:
        try:
            pods += _pages(kubectl, place)
        except ForbiddenError:
            closed.append(place)
    return pods, closed


def find_unprotected(
    pods: Iterable[Json], workloads: Iterable[Workload], watched: Collection[str]
) -> list[Unprotected]:
    """Find the owners of databases among running pods that have no CronJob, sorted by name."""
    protected: set[tuple[str, str]] = set()
    reported: dict[tuple[str, str], Json] = {}
    for workload in workloads:
        if workload.cronjob is None:
            reported[workload.namespace, workload.name] = workload.reported or {}
            continue
        protected.add((workload.namespace, workload.name))
        protected |= {(workload.namespace, ref.name) for ref in objects_of(workload.cronjob)}
    found: dict[tuple[str, ObjectRef], Unprotected] = {}
    for pod in pods:
        namespace, owner = str(metadata(pod).get("namespace", "")), owner_of_pod(pod)
        if (namespace, owner.name) in protected or not (database := _database(pod)):
            continue
        kept = found.get((namespace, owner))
        reason, message = _why(pod, namespace, reported.get((namespace, owner.name)), watched)
        found[namespace, owner] = Unprotected(
            namespace=namespace,
            owner=owner,
            type=database[0],
            image=database[1],
            pods=kept.pods + 1 if kept else 1,
            reason=kept.reason if kept else reason,
            message=kept.message if kept else message,
        )
    return sorted(found.values(), key=lambda item: (item.namespace, item.owner))


@lru_cache(maxsize=4096)
def engine_of(image: str) -> str:
    """The type of the engine whose server an image holds by its name; empty for none."""
    name = image.partition("@")[0].rpartition("/")[2].partition(":")[0].lower()
    return next(
        (
            engine.type
            for engine in ENGINES
            if engine.server_images and re.fullmatch(engine.server_images, name)
        ),
        "",
    )


def _pages(kubectl: Kubectl, namespace: str) -> list[Document]:
    pods: list[Document] = []
    token = ""
    while True:
        query = {"fieldSelector": _RUNNING, "limit": _PAGE, "continue": token}
        page = kubectl.get_raw(path_of(PODS, namespace, **query))
        pods += page.get("items") or []
        token = str((page.get("metadata") or {}).get("continue") or "")
        if not token:
            return pods


def owner_of_pod(pod: Json) -> ObjectRef:
    """The owner that a person knows: of a ReplicaSet's pod its Deployment; a bare pod itself."""
    references: Iterator[Mapping[str, Any]] = (
        item for item in owner_references(pod) if item.get("controller")
    )
    reference = next(references, None)
    if reference is None:
        return ObjectRef(kind="Pod", name=name_of(pod))
    kind, name = kind_of(reference), str(reference.get("name", ""))
    suffix = labels_of(pod).get(_HASH_LABEL)
    if kind == REPLICA_SET and suffix and name.endswith(f"-{suffix}"):
        return ObjectRef(kind=DEPLOYMENT, name=name.removesuffix(f"-{suffix}"))
    return ObjectRef(kind=kind, name=name)


def _database(pod: Json) -> tuple[str, str] | None:
    """Engine and image of the pod's first container that runs a server of ours; None without."""
    for container in (pod.get("spec") or {}).get("containers") or ():
        image = str(container.get("image") or "")
        if type_ := engine_of(image):
            return type_, image
    return None


def _why(
    pod: Json, namespace: str, reported: Json | None, watched: Collection[str]
) -> tuple[str, str]:
    if reported:
        return str(reported.get("reason") or ""), str(reported.get("message") or "")
    if not is_enabled(ksnapshot_annotations(pod)):
        return NOT_ANNOTATED, "its pods are not annotated"
    if namespace not in watched and ALL not in watched:
        return UNWATCHED, "it is annotated, but the controller does not watch its namespace"
    return NOT_SEEN, "it is annotated, but the controller has no CronJob for it yet"
