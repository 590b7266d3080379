"""The calls that the controller makes to a cluster, the kinds of objects, and how a call can fail.

This is the seam in front of `http_client`. A call either returns the API server's answer or raises
one of the errors here, whose texts never hold the content of an object.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Protocol, TypeAlias

from controller.kube import projections

Document = dict[str, Any]
# Returns what is kept of an object, None for nothing of it.
Keep: TypeAlias = Callable[[Document], Document | None]
# Code, headers and body of an answer.
Answer: TypeAlias = tuple[int, Mapping[str, str], bytearray]
# How many seconds a write may take that is sent now; 0 where it must not be sent.
WriteLimit: TypeAlias = Callable[[], float]
_VERBS: Mapping[str, str] = {"POST": "create", "PUT": "update", "DELETE": "delete"}
# How often a call is made that gets no answer.
ATTEMPTS = 3
# The code of requests that got no answer.
_NO_CODE = "none"


class KubeError(Exception):
    """A call that failed; the text names the call and why."""


class UnavailableError(KubeError):
    """No answer came, or none that can be trusted; `wait` is its Retry-After in seconds, if any."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class NotFoundError(KubeError):
    """The API server itself said that exactly this object does not exist."""


class ForbiddenError(KubeError):
    """The rights do not allow the call (403)."""


class ConflictError(KubeError):
    """The object changed since it was read, or exists already (409)."""


class RefusedError(KubeError):
    """The API server refused the object itself (400, 422)."""


class NotLeadingError(KubeError):
    """A write was not sent, as another controller may act by now."""


def no_limit() -> float:
    """The WriteLimit of who is the only one."""
    return math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A kind of object; `root` is the path of its API group.

    `shape` is the type with the fields that are kept of its objects; None keeps everything but
    `managedFields`.
    """

    kind: str
    root: str
    plural: str
    namespaced: bool = True
    shape: type | None = None

    @property
    def version(self) -> str:
        """The `apiVersion` of objects of this kind."""
        return self.root.removeprefix("/apis/").removeprefix("/api/")


NAMESPACES = Resource(kind="Namespace", root="/api/v1", plural="namespaces", namespaced=False)
PODS = Resource(kind="Pod", root="/api/v1", plural="pods", shape=projections.Pod)
# The pods of dumps, of which only the status counts.
RUN_PODS = replace(PODS, shape=projections.RunPod)
EVENTS = Resource(kind="Event", root="/api/v1", plural="events", shape=projections.Event)
SERVICES = Resource(kind="Service", root="/api/v1", plural="services", shape=projections.Service)
SECRETS = Resource(kind="Secret", root="/api/v1", plural="secrets")
CONFIG_MAPS = Resource(kind="ConfigMap", root="/api/v1", plural="configmaps")
DEPLOYMENTS = Resource(
    kind="Deployment", root="/apis/apps/v1", plural="deployments", shape=projections.Owner
)
REPLICA_SETS = Resource(
    kind="ReplicaSet", root="/apis/apps/v1", plural="replicasets", shape=projections.Owner
)
STATEFUL_SETS = Resource(
    kind="StatefulSet", root="/apis/apps/v1", plural="statefulsets", shape=projections.Owner
)
CRONJOBS = Resource(kind="CronJob", root="/apis/batch/v1", plural="cronjobs")
JOBS = Resource(kind="Job", root="/apis/batch/v1", plural="jobs", shape=projections.Job)
# To be written back.
WHOLE_JOBS = replace(JOBS, shape=None)
LEASES = Resource(kind="Lease", root="/apis/coordination.k8s.io/v1", plural="leases")
RESOURCES: Mapping[str, Resource] = {
    resource.kind: resource
    for resource in (
        NAMESPACES,
        PODS,
        EVENTS,
        SERVICES,
        SECRETS,
        CONFIG_MAPS,
        DEPLOYMENTS,
        REPLICA_SETS,
        STATEFUL_SETS,
        CRONJOBS,
        JOBS,
        LEASES,
    )
}


class Kube(Protocol):
    """A cluster's API; `namespace` is empty for cluster-scoped kinds.

    Every call raises subclasses of KubeError and nothing else. Reads are tried again within
    bounds; a write may be, too, as each write carries what makes a second one harmless.
    """

    def list(
        self,
        resource: Resource,
        namespace: str,
        selector: str = "",
        *,
        fields: str = "",
        metadata_only: bool = False,
        keep: Keep | None = None,
    ) -> list[Document]:
        """Read all objects of a kind; raises UnavailableError rather than return some of them.

        An empty `namespace` means all of them. `selector` selects by labels, `fields` by fields.
        With `metadata_only` the objects have no more than `metadata`. `keep` sees each object as
        soon as its page was read, so that no long list is ever in memory in full.
        """

    def get(self, resource: Resource, namespace: str, name: str, *, since: str = "") -> Document:
        """Read one object; raises NotFoundError only if the object surely does not exist.

        With `since`, a resourceVersion of the object, the answer may come from the API server's
        cache, but is not older than that version: this spares the server half of the work.
        """

    def create(self, resource: Resource, namespace: str, body: Mapping[str, Any]) -> Document:
        """Create an object and return it as stored; raises ConflictError if it exists already."""

    def replace(self, resource: Resource, namespace: str, body: Mapping[str, Any]) -> Document:
        """Replace an object and return it as stored.

        Raises ConflictError unless `body` has the newest resourceVersion.
        """

    def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str, version: str
    ) -> None:
        """Delete exactly this version of an object and, in the background, the objects it owns."""


class CallCounts:
    """Requests by verb, as Kubernetes calls it, and by the code of the answer; for all threads."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = Lock()

    def count(self, method: str, name: str, ask: Callable[[], Answer]) -> Answer:
        """Make one request, whose answer begins with its code, and count it, however it ends.

        `name` is empty for a list.
        """
        verb, code = _VERBS.get(method) or ("get" if name else "list"), _NO_CODE
        try:
            answer = ask()
            code = str(answer[0])
            return answer
        finally:
            with self._lock:
                self._counts[verb, code] += 1

    def counted(self) -> Mapping[tuple[str, str], int]:
        """The counts so far, by verb and code."""
        with self._lock:
            return dict(self._counts)
