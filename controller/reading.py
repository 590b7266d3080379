"""The cluster → ClusterView. A read without an answer becomes a Failed, never an empty list."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TypeGuard, TypeVar
from zlib import crc32

from controller import inventory, names, specs
from controller.api import (
    CRONJOBS,
    JOBS,
    NAMESPACES,
    PODS,
    RESOURCES,
    SECRETS,
    SERVICES,
    ForbiddenError,
    Kube,
    KubeError,
    NotFoundError,
    Resource,
)
from controller.config import Settings
from controller.credentials import Reference
from controller.inventory import CRONJOB, SECRET
from controller.reasons import Failed, Reason, Verdict
from controller.view import (
    ClusterView,
    Content,
    ControlView,
    Isolate,
    Json,
    NamespaceView,
    ObjectRef,
    Objects,
    Sent,
    metadata,
    name_of,
    uid_of,
)
from controller.workloads import READABLE_KINDS, find

_KUBE_SYSTEM = "kube-system"
_CLUSTER_ID_LENGTH = 8
_THREADS = 8

T = TypeVar("T")
# A Secret or ConfigMap as these versions of pods of a namespace refer to it.
_Key = tuple[str, Reference, frozenset[tuple[str, str]]]


@dataclass(slots=True, kw_only=True)
class Memory:
    """What outlives a pass; all of it may be lost at any time.

    `sent` holds by uid what was last written as which resourceVersion, as long as that object is
    written or would be. `contents` holds when and as what a container's Secrets and ConfigMaps
    were last read, `told` what was last logged of each workload and CronJob.
    """

    cluster: str | None = None
    gone_passes: Mapping[str, int] = field(default_factory=dict)
    contents: dict[_Key, tuple[datetime, Content | None]] = field(default_factory=dict, repr=False)
    sent: Mapping[str, Sent] = field(default_factory=dict, repr=False)
    told: Mapping[tuple[str, str], Verdict] = field(default_factory=dict)


def read(
    kube: Kube,
    settings: Settings,
    memory: Memory,
    *,
    now: datetime,
    isolate: Isolate,
    progress: Callable[[], None] = lambda: None,
) -> ClusterView:
    """Everything the pass decides on; in two rounds, as lists tell what else has to be read.

    `progress` is called whenever a namespace was read.
    """
    reader = _Reader(kube=kube, settings=settings, memory=memory, now=now, isolate=isolate)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="read") as pool:

        def begin(name: str) -> NamespaceView:
            space = isolate(name, partial(reader.namespace, name)) or _broken(name)
            progress()
            return space

        lists = pool.map(begin, settings.watch_namespaces)
        view = ClusterView(
            now=now,
            cluster=reader.cluster(),
            namespaces={item.name: item for item in lists},
            control=reader.control(),
            gone_passes=memory.gone_passes,
        )
        recorded = inventory.take(view, settings).ours

        def complete(space: NamespaceView) -> NamespaceView:
            owned = recorded.get(space.name, {}).values()
            part = partial(reader.complete, space, {inventory.owner_of(item)[1] for item in owned})
            whole = isolate(space.name, part) or _broken(space.name)
            progress()
            return whole

        completed = {item.name: item for item in pool.map(complete, view.namespaces.values())}
    memory.contents = reader.fresh
    view = replace(view, namespaces=completed)
    return replace(view, control=reader.with_namesakes(view))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """The reads of one pass; `fresh` collects the contents to remember."""

    kube: Kube
    settings: Settings
    memory: Memory
    now: datetime
    isolate: Isolate
    fresh: dict[_Key, tuple[datetime, Content | None]] = field(default_factory=dict, repr=False)

    def namespace(self, name: str) -> NamespaceView:
        """The lists of one watched namespace."""
        found = self._get(NAMESPACES, "", name)
        exists = found if isinstance(found, Failed) else found is not None
        # Nothing can be decided without these; what hangs once must not hang six times.
        if _unavailable(exists):
            return _silent(name, exists)
        pods = self._list(PODS, name)
        if _unavailable(pods):
            return _silent(name, pods)
        return NamespaceView(
            name=name,
            exists=exists,
            pods=pods,
            services=self._list(SERVICES, name),
            owners={kind: self._list(RESOURCES[kind], name) for kind in READABLE_KINDS},
        )

    def control(self) -> ControlView:
        """The lists of the control namespace."""
        space = self.settings.control_namespace
        # Before the Jobs: one that starts in between shows among them.
        cronjobs = self._list(CRONJOBS, space, names.SELECTOR)
        return ControlView(
            cronjobs=cronjobs,
            secrets=self._list(SECRETS, space, names.SELECTOR),
            jobs=self._list(JOBS, space),
            pods=self._list(PODS, space, names.SELECTOR),
        )

    def cluster(self) -> str | Failed:
        """The cluster id; once read it holds for as long as the process, as that uid does."""
        if self.settings.cluster_name:
            return self.settings.cluster_name
        if self.memory.cluster is None:
            found = self._get(NAMESPACES, "", _KUBE_SYSTEM)
            if isinstance(found, Failed):
                return found
            if found is None:
                return Failed(Reason.UNAVAILABLE, f"there is no namespace {_KUBE_SYSTEM}")
            self.memory.cluster = uid_of(found)[:_CLUSTER_ID_LENGTH]
        return self.memory.cluster

    def complete(self, space: NamespaceView, owners: Iterable[ObjectRef]) -> NamespaceView:
        """The second round of one namespace."""
        contents = dict(self._contents(space))
        return replace(space, contents=contents, absent=dict(self._absent(space, owners)))

    def with_namesakes(self, view: ClusterView) -> ControlView:
        """Add what has the name of a wanted object without being labelled as ours."""
        control = view.control
        if isinstance(control.cronjobs, Failed) or isinstance(control.secrets, Failed):
            return control
        found: dict[str, dict[str, Json]] = {
            CRONJOB: {name_of(item): item for item in control.cronjobs},
            SECRET: {name_of(item): item for item in control.secrets},
        }
        unread: dict[ObjectRef, Failed] = {}
        for ref in _expected(view, self.settings):
            if ref.name in found[ref.kind]:
                continue
            item = self._get(RESOURCES[ref.kind], self.settings.control_namespace, ref.name)
            if isinstance(item, Failed):
                unread[ref] = item
            elif item is not None:
                found[ref.kind][ref.name] = item
        return replace(
            control,
            cronjobs=tuple(found[CRONJOB].values()),
            secrets=tuple(found[SECRET].values()),
            unread=unread,
        )

    def _absent(
        self, view: NamespaceView, owners: Iterable[ObjectRef]
    ) -> Iterator[tuple[ObjectRef, bool | Failed]]:
        """Read those owners of existing CronJobs by name that their list does not show."""
        for ref in sorted(owners):
            listed = view.owners.get(ref.kind)
            if listed is None or isinstance(listed, Failed):
                continue
            if all(name_of(item) != ref.name for item in listed):
                found = self._get(RESOURCES[ref.kind], view.name, ref.name)
                yield ref, found if isinstance(found, Failed) else found is None

    def _contents(self, view: NamespaceView) -> Iterator[tuple[ObjectRef, Content | Failed | None]]:
        """What containers refer to, read anew when a pod changed or it is due.

        Each object once, with the keys that all its workloads want: an answer is whole, or it is
        Failed for all of them.
        """
        keys: dict[ObjectRef, set[str]] = defaultdict(set)
        pods: dict[ObjectRef, set[tuple[str, str]]] = defaultdict(set)
        for workload in find(view, self.settings).items:
            # What is wrong with this workload is told when it is planned.
            part = partial(specs.references, workload)
            for reference in self.isolate(workload.key, part) or ():
                keys[reference.ref] |= reference.keys
                pods[reference.ref].add(_version(workload.pods[0]))
        for ref in sorted(keys):
            wanted = Reference(ref=ref, keys=frozenset(keys[ref]))
            yield ref, self._content((view.name, wanted, frozenset(pods[ref])))

    def _content(self, key: _Key) -> Content | Failed | None:
        namespace, wanted, _ = key
        known = self.memory.contents.get(key)
        lifetime = _lifetime(key, self.settings)
        # A clock that was set back must not stop the reading.
        if known is None or not 0 <= (self.now - known[0]).total_seconds() < lifetime:
            found = self._get(RESOURCES[wanted.ref.kind], namespace, wanted.ref.name)
            if isinstance(found, Failed):
                return found
            known = (self.now, None if found is None else _trim(found, wanted))
        self.fresh[key] = known
        return known[1]

    def _get(self, resource: Resource, namespace: str, name: str) -> Json | Failed | None:
        """One object by its name; None is a sure 404."""
        try:
            return _ask(lambda: self.kube.get(resource, namespace, name))
        except NotFoundError:
            return None

    def _list(self, resource: Resource, namespace: str, selector: str = "") -> Objects | Failed:
        try:
            return _ask(lambda: tuple(self.kube.list(resource, namespace, selector)))
        except NotFoundError as error:
            # A list is never absent; whoever says so is not the API server.
            return Failed(Reason.UNAVAILABLE, str(error))


def _ask(call: Callable[[], T]) -> T | Failed:
    try:
        return call()
    except NotFoundError:
        raise
    except ForbiddenError as error:
        return Failed(Reason.FORBIDDEN, str(error))
    except KubeError as error:
        return Failed(Reason.UNAVAILABLE, str(error))


def _unavailable(answer: object) -> TypeGuard[Failed]:
    return isinstance(answer, Failed) and answer.reason is Reason.UNAVAILABLE


def _broken(name: str) -> NamespaceView:
    """A namespace that a fault of ours keeps from being read."""
    message = f"{name}: a fault of the controller, see its log"
    return _silent(name, Failed(Reason.INTERNAL_ERROR, message))


def _silent(name: str, why: Failed) -> NamespaceView:
    """A namespace of which nothing is known."""
    owners: dict[str, Objects | Failed] = dict.fromkeys(READABLE_KINDS, why)
    return NamespaceView(name=name, exists=why, pods=why, services=why, owners=owners)


def _version(pod: Json) -> tuple[str, str]:
    return uid_of(pod), str(metadata(pod).get("resourceVersion", ""))


def _lifetime(key: _Key, settings: Settings) -> float:
    """Seconds until it is read again: spread out, so that no pass reads everything."""
    namespace, reference, _ = key
    spread = crc32(f"{namespace}/{reference.ref}".encode()) / 2**32
    return max(0.0, (settings.credentials_refresh - settings.poll_interval) * (1 + spread) / 2)


def _trim(found: Json, wanted: Reference) -> Content:
    data = found.get("data") or {}
    return Content(data={key: str(data[key]) for key in wanted.keys & data.keys()})


def _expected(view: ClusterView, settings: Settings) -> Iterator[ObjectRef]:
    for namespace in view.namespaces.values():
        for workload in find(namespace, settings).items:
            if name := specs.name_of(workload):
                yield ObjectRef(kind=CRONJOB, name=name)
                yield ObjectRef(kind=SECRET, name=names.secret_name(name))
