"""The cluster → ClusterView. A read without an answer becomes a Failed, never an empty list.

Lists read no more than the metadata where that is enough for most of their objects. Those that
have to be known whole are remembered, and read again when they changed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TypeGuard
from zlib import crc32

from controller import inventory, names, results, specs
from controller.answers import Answers, Known
from controller.api import (
    CRONJOBS,
    JOBS,
    NAMESPACES,
    PODS,
    RESOURCES,
    SECRETS,
    SERVICES,
    Kube,
    Resource,
)
from controller.config import Settings
from controller.credentials import Reference
from controller.inventory import CRONJOB, SECRET, Inventory
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
    name_of,
    owner_references,
    uid_of,
    version_of,
)
from controller.workloads import NOTHING, READABLE_KINDS, REPLICA_SET, Workloads, asking, find

_KUBE_SYSTEM = "kube-system"
_CLUSTER_ID_LENGTH = 8
_THREADS = 8
# Pods that ended for good ask for nothing. Those that wait to run show that their owner still asks.
_LIVE = "status.phase!=Succeeded,status.phase!=Failed"
# Names in one selector; more would make the longest URL that servers take.
_NAMES = 50
# More names than these are not looked for one by one.
_SINGLE_NAMES = 20

# A Secret or ConfigMap as these versions of pods of a namespace refer to it.
_Key = tuple[str, Reference, frozenset[tuple[str, str]]]


@dataclass(slots=True, kw_only=True)
class Memory:
    """What outlives a pass; all of it may be lost at any time.

    `sent` holds by uid what was last written as which resourceVersion, as long as that object is
    written or would be. `contents` holds when and as what a container's Secrets and ConfigMaps
    were last read, `whole` the objects whose metadata tell that they have not changed, `told` what
    was last logged of each workload and CronJob.
    """

    cluster: str | None = None
    gone_passes: Mapping[str, int] = field(default_factory=dict)
    contents: dict[_Key, tuple[datetime, Content | None]] = field(default_factory=dict, repr=False)
    whole: Mapping[str, Known] = field(default_factory=dict, repr=False)
    sent: Mapping[str, Sent] = field(default_factory=dict, repr=False)
    told: Mapping[tuple[str, str], Verdict] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A view, and the workloads that were found in its namespaces on the way."""

    view: ClusterView
    found: Mapping[str, Workloads] = field(repr=False)


def read(
    kube: Kube,
    settings: Settings,
    memory: Memory,
    *,
    now: datetime,
    isolate: Isolate,
    progress: Callable[[], None] = lambda: None,
) -> Reading:
    """Everything the pass decides on; in two rounds, as lists tell what else has to be read.

    `progress` is called whenever a namespace was read.
    """
    answers = Answers(kube=kube, known=memory.whole, patience=settings.api_timeout)
    reader = _Reader(answers=answers, settings=settings, memory=memory, now=now, isolate=isolate)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="read") as pool:

        def part(name: str, what: Callable[[], _Space]) -> _Space:
            space = isolate(name, what) or _broken(name)
            progress()
            return space

        watched = settings.watch_namespaces
        lists = pool.map(lambda name: part(name, partial(reader.namespace, name)), watched)
        cluster, control = reader.cluster(), reader.control()
        spaces = [*lists]
        view = ClusterView(
            now=now,
            cluster=cluster,
            namespaces={space.view.name: space.view for space in spaces},
            control=control,
            gone_passes=memory.gone_passes,
        )
        stock = inventory.take(view, settings)
        rest = pool.map(
            lambda space: part(space.view.name, partial(reader.complete, space, stock)), spaces
        )
        control = replace(control, pods=reader.dump_pods(stock))
        control = reader.with_namesakes(control, [space.found for space in spaces])
        spaces = [*rest]
    memory.contents, memory.whole = reader.fresh, answers.fresh
    namespaces = {space.view.name: space.view for space in spaces}
    return Reading(
        view=replace(view, control=control, namespaces=namespaces),
        found={space.view.name: space.found for space in spaces},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Space:
    """A namespace as far as it was read, and what was found in it."""

    view: NamespaceView
    found: Workloads


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """The rounds of one pass; `fresh` collects the contents to remember."""

    answers: Answers
    settings: Settings
    memory: Memory
    now: datetime
    isolate: Isolate
    fresh: dict[_Key, tuple[datetime, Content | None]] = field(default_factory=dict, repr=False)

    def namespace(self, name: str) -> _Space:
        """The lists of one watched namespace, and the workloads that they show."""
        answers = self.answers
        found = answers.get(NAMESPACES, "", name)
        exists = found if isinstance(found, Failed) else found is not None
        # Nothing can be decided without these; what hangs once must not hang six times.
        if _unavailable(exists):
            return _silent(name, exists)
        pods = answers.list(PODS, name, fields=_LIVE, metadata_only=True)
        if _unavailable(pods):
            return _silent(name, pods)
        services = answers.list(SERVICES, name)
        owners: dict[str, Objects | Failed] = {}
        unread: dict[ObjectRef, Failed] = {}
        for kind in READABLE_KINDS:
            owners[kind], lost = self._owners(RESOURCES[kind], name)
            unread |= lost
        view = NamespaceView(
            name=name, exists=exists, pods=pods, services=services, owners=owners, unread=unread
        )
        if not isinstance(pods, Failed):
            wanted = {name_of(pod) for pod in asking(view)}
            pods, lost = answers.whole(PODS, name, pods, wanted, fields=_LIVE)
            view = replace(view, pods=pods, unread={**unread, **lost})
        return _Space(view=view, found=find(view, self.settings))

    def control(self) -> ControlView:
        """The lists of the control namespace, without the dumps' pods."""
        # Before the Jobs: one that starts in between shows among them.
        cronjobs = self._known(CRONJOBS, lambda _: True, names.SELECTOR)
        secrets = self.answers.list(SECRETS, self.settings.control_namespace, names.SELECTOR)
        jobs = self._known(JOBS, _of_cronjob)
        return ControlView(cronjobs=cronjobs, secrets=secrets, jobs=jobs, pods=())

    def _known(
        self, resource: Resource, wanted: Callable[[Json], bool], selector: str = ""
    ) -> Objects | Failed:
        """Objects of the control namespace; those that did not change are not read again."""
        space = self.settings.control_namespace
        listed = self.answers.list(resource, space, selector, metadata_only=True)
        if isinstance(listed, Failed):
            return listed
        found = {name_of(item) for item in listed if wanted(item)}
        whole, lost = self.answers.whole(resource, space, listed, found, selector=selector)
        return next(iter(lost.values()), whole)

    def cluster(self) -> str | Failed:
        """The cluster id; once read it holds for as long as the process, as that uid does."""
        if self.settings.cluster_name:
            return self.settings.cluster_name
        if self.memory.cluster is None:
            found = self.answers.get(NAMESPACES, "", _KUBE_SYSTEM)
            if isinstance(found, Failed):
                return found
            if found is None:
                return Failed(Reason.UNAVAILABLE, f"there is no namespace {_KUBE_SYSTEM}")
            self.memory.cluster = uid_of(found)[:_CLUSTER_ID_LENGTH]
        return self.memory.cluster

    def complete(self, space: _Space, stock: Inventory) -> _Space:
        """The second round of one namespace."""
        ours = stock.ours.get(space.view.name, {})
        recorded = {inventory.owner_of(cronjob)[1] for cronjob in ours.values()}
        contents = dict(self._contents(space))
        absent = dict(self._absent(space.view, recorded))
        view = self._adopted(space.view, recorded)
        return replace(space, view=replace(view, contents=contents, absent=absent))

    def dump_pods(self, stock: Inventory) -> Objects | Failed:
        """The pods of the Jobs that ended since their CronJob was told how."""
        if isinstance(stock.jobs, Failed):
            return stock.jobs
        ended = [
            name_of(job)
            for ours in stock.ours.values()
            for cronjob in ours.values()
            for job in results.untold(cronjob, stock.jobs.get(uid_of(cronjob), ()))
        ]
        found: list[Json] = []
        for start in range(0, len(ended), _NAMES):
            selector = f"job-name in ({','.join(ended[start : start + _NAMES])})"
            pods = self.answers.list(PODS, self.settings.control_namespace, selector)
            if isinstance(pods, Failed):
                return pods
            found += pods
        return tuple(found)

    def with_namesakes(self, control: ControlView, found: Iterable[Workloads]) -> ControlView:
        """Add what has the name of a wanted object without being labelled as ours."""
        if isinstance(control.cronjobs, Failed) or isinstance(control.secrets, Failed):
            return control
        listed: dict[str, dict[str, Json]] = {
            CRONJOB: {name_of(item): item for item in control.cronjobs},
            SECRET: {name_of(item): item for item in control.secrets},
        }
        unread: dict[ObjectRef, Failed] = {}
        for kind, wanted in _expected(found).items():
            lacking = [name for name in wanted if name not in listed[kind]]
            for name, item in self._namesakes(kind, lacking):
                if isinstance(item, Failed):
                    unread[ObjectRef(kind=kind, name=name)] = item
                elif item is not None:
                    listed[kind][name] = item
        return replace(
            control,
            cronjobs=tuple(listed[CRONJOB].values()),
            secrets=tuple(listed[SECRET].values()),
            unread=unread,
        )

    def _namesakes(
        self, kind: str, lacking: Sequence[str]
    ) -> Iterator[tuple[str, Json | Failed | None]]:
        """What there is of these names; of many, first which of them there are at all."""
        resource, space = RESOURCES[kind], self.settings.control_namespace
        if len(lacking) > _SINGLE_NAMES:
            listed = self.answers.list(resource, space, metadata_only=True)
            if isinstance(listed, Failed):
                yield from ((name, listed) for name in lacking)
                return
            taken = {name_of(item) for item in listed}
            lacking = [name for name in lacking if name in taken]
        for name in lacking:
            yield name, self.answers.get(resource, space, name)

    def _owners(
        self, resource: Resource, namespace: str
    ) -> tuple[Objects | Failed, Mapping[ObjectRef, Failed]]:
        """The owners of a kind, whole where they may speak for pods: at the top, no revisions."""
        listed = self.answers.list(resource, namespace, metadata_only=True)
        if isinstance(listed, Failed):
            return listed, {}
        revisions = resource.kind == REPLICA_SET
        wanted = {name_of(item) for item in listed if not (revisions and owner_references(item))}
        return self.answers.whole(resource, namespace, listed, wanted)

    def _adopted(self, view: NamespaceView, recorded: Iterable[ObjectRef]) -> NamespaceView:
        """Add the templates of owners of existing CronJobs that another object owns by now."""
        listed, resource = view.owners[REPLICA_SET], RESOURCES[REPLICA_SET]
        known = {ref.name for ref in recorded if ref.kind == REPLICA_SET}
        if isinstance(listed, Failed) or not known:
            return view
        owned = {name_of(item) for item in listed if owner_references(item)}
        whole, lost = self.answers.whole(resource, view.name, listed, known & owned)
        owners = {**view.owners, REPLICA_SET: whole}
        return replace(view, owners=owners, unread={**view.unread, **lost})

    def _absent(
        self, view: NamespaceView, recorded: Iterable[ObjectRef]
    ) -> Iterator[tuple[ObjectRef, bool | Failed]]:
        """Read those owners of existing CronJobs by name that their list does not show."""
        shown = {
            kind: {name_of(item) for item in listed}
            for kind, listed in view.owners.items()
            if not isinstance(listed, Failed)
        }
        for ref in sorted(recorded):
            if ref.name not in shown.get(ref.kind, {ref.name}):
                found = self.answers.get(RESOURCES[ref.kind], view.name, ref.name)
                yield ref, found if isinstance(found, Failed) else found is None

    def _contents(self, space: _Space) -> Iterator[tuple[ObjectRef, Content | Failed | None]]:
        """What containers refer to, read anew when a pod changed or it is due.

        Each object once, with the keys that all its workloads want: an answer is whole, or it is
        Failed for all of them.
        """
        keys: dict[ObjectRef, set[str]] = defaultdict(set)
        pods: dict[ObjectRef, set[tuple[str, str]]] = defaultdict(set)
        for workload in space.found.items:
            # What is wrong with this workload is told when it is planned.
            part = partial(specs.references, workload)
            for reference in self.isolate(workload.key, part) or ():
                keys[reference.ref] |= reference.keys
                pods[reference.ref].add((uid_of(workload.pods[0]), version_of(workload.pods[0])))
        for ref in sorted(keys):
            wanted = Reference(ref=ref, keys=frozenset(keys[ref]))
            yield ref, self._content((space.view.name, wanted, frozenset(pods[ref])))

    def _content(self, key: _Key) -> Content | Failed | None:
        namespace, wanted, _ = key
        known = self.memory.contents.get(key)
        if known is None or self._due(key, known[0]):
            found = self.answers.get(RESOURCES[wanted.ref.kind], namespace, wanted.ref.name)
            if isinstance(found, Failed):
                return found
            known = (self.now, None if found is None else _trim(found, wanted))
        self.fresh[key] = known
        return known[1]

    def _due(self, key: _Key, last: datetime) -> bool:
        """Whether its turn has come since; turns are spread, so that no pass reads everything."""
        # It may come one pass late.
        period = self.settings.credentials_refresh - self.settings.poll_interval
        if period <= 0:
            return True
        namespace, reference, _ = key
        offset = period * crc32(f"{namespace}/{reference.ref}".encode()) / 2**32
        # Also unequal when the clock was set back.
        before, now = ((at.timestamp() + offset) // period for at in (last, self.now))
        return before != now


def _unavailable(answer: object) -> TypeGuard[Failed]:
    return isinstance(answer, Failed) and answer.reason is Reason.UNAVAILABLE


def _broken(name: str) -> _Space:
    """A namespace that a fault of ours keeps from being read."""
    message = f"{name}: a fault of the controller, see its log"
    return _silent(name, Failed(Reason.INTERNAL_ERROR, message))


def _silent(name: str, why: Failed) -> _Space:
    """A namespace of which nothing is known."""
    owners: dict[str, Objects | Failed] = dict.fromkeys(READABLE_KINDS, why)
    view = NamespaceView(name=name, exists=why, pods=why, services=why, owners=owners)
    return _Space(view=view, found=NOTHING)


def _of_cronjob(job: Json) -> bool:
    return any(reference.get("kind") == CRONJOB for reference in owner_references(job))


def _trim(found: Json, wanted: Reference) -> Content:
    data = found.get("data") or {}
    return Content(data={key: str(data[key]) for key in wanted.keys & data.keys()})


def _expected(found: Iterable[Workloads]) -> Mapping[str, Sequence[str]]:
    """The names by kind that the workloads' objects would have."""
    items = (specs.name_of(workload) for workloads in found for workload in workloads.items)
    wanted = [name for name in items if name]
    return {CRONJOB: wanted, SECRET: [names.secret_name(name) for name in wanted]}
