"""Reads the cluster into a ClusterView; a read without an answer is a ReadFailure in it.

Lists read no more than metadata where that is enough for most of their objects. Objects that have
to be known in full are remembered, and read again when they changed.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from types import MappingProxyType

from controller.kube.client import NAMESPACES, Kube
from controller.kube.failure_budget import FailureBudget
from controller.kube.object_cache import CachedObject, JsonInterner, ObjectCache
from controller.kube.reader import ClusterReader
from controller.manifests import ownership
from controller.model.fault_boundary import FaultBoundary
from controller.model.objects import Json, ObjectRef, uid_of
from controller.model.status import ReadFailure, Reason
from controller.model.view import ClusterView, ControlView
from controller.observe import control_namespace, namespace
from controller.observe.lists import find_watched, read_all_lists
from controller.observe.namespace import NamespaceReading
from controller.observe.prunes import observe_prunes
from controller.observe.readers import Readers
from controller.observe.restores import new_ends_of_restores
from controller.observe.secret_cache import CachedSecret, SecretCache
from controller.plan import owned
from controller.runs.retention.prunes import PastPrune, Prunes
from controller.settings.settings import Settings
from controller.workloads.discovery import Workloads

_KUBE_SYSTEM = "kube-system"
_CLUSTER_ID_LENGTH = 8
_THREADS = 8


@dataclass(slots=True, kw_only=True)
class ObservationCache:
    """What one observation leaves for the next; all of it may be lost at any time.

    `cluster_id` is None until it was read, and `watched` are the namespaces of the last list of
    them. `secrets` holds the Secrets and ConfigMaps that
    containers refer to, `objects` by uid the full objects whose metadata show whether they have
    changed, `interner` their equal parts. `ended_restores` are the uids of restores whose end was
    seen, None before the first look. `prunes` are those that have ended, by Job uid, None before
    the first look, and `last_prunes` what that found.
    """

    cluster_id: str | None = None
    watched: tuple[str, ...] = ()
    secrets: Mapping[tuple[object, ...], CachedSecret] = field(default_factory=dict, repr=False)
    objects: Mapping[str, CachedObject] = field(default_factory=dict, repr=False)
    interner: JsonInterner = field(default_factory=JsonInterner, repr=False)
    ended_restores: frozenset[str] | None = None
    prunes: Mapping[str, PastPrune] | None = None
    last_prunes: Prunes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A view, and by namespace the workloads that were found while it was read.

    `restores` are outcome and reason of each restore that has ended since the last observation.
    """

    view: ClusterView
    found: Mapping[str, Workloads] = field(repr=False)
    restores: tuple[tuple[str, str], ...] = ()
    prunes: Prunes = field(default_factory=Prunes)


def observe_cluster(
    kube: Kube,
    settings: Settings,
    cache: ObservationCache,
    *,
    now: datetime,
    gone_passes: Mapping[str, int] = MappingProxyType({}),
    isolate: FaultBoundary,
    progress: Callable[[], None] = lambda: None,
) -> Observation:
    """Read everything that a pass decides on, and update `cache`.

    There are two rounds, as the lists of the first one show which single objects to read in the
    second one. `gone_passes` goes into the view. `progress` is called whenever a namespace was
    read.
    """
    readers = _readers(kube, settings, cache, now)

    def guard(name: str, read: Callable[[], NamespaceReading]) -> NamespaceReading:
        reading = isolate(name, read) or _broken(name)
        progress()
        return reading

    watched = find_watched(readers.cluster, settings, cache.watched)

    def read_lists(name: str) -> NamespaceReading:
        if watched.failure:
            return namespace.unreadable_namespace(name, watched.failure)
        lists = at_once.get(name)
        read = partial(namespace.read_namespace, is_listed=watched.is_listed, lists=lists)
        return guard(name, partial(read, name, readers, settings))

    # The control namespace is read by this thread while the others read the watched ones.
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="read") as threads:
        many = watched.names if watched.are_many else ()
        at_once = read_all_lists(readers.cluster, many) if many else {}
        if many:
            progress()
            readers = namespace.with_all_owners(readers, at_once.values())
            progress()
        pending = threads.map(read_lists, watched.names)
        cluster_id = _cluster_id(readers.cluster, settings, cache)
        control = control_namespace.read_control_namespace(readers, settings)
        lists = tuple(pending)

        recorded = _recorded_objects(control, watched.names, settings)

        def read_details(reading: NamespaceReading) -> NamespaceReading:
            name = reading.view.name
            refs = recorded.get(name, frozenset())
            complete = namespace.complete_namespace
            return guard(name, partial(complete, reading, refs, readers, isolate))

        pending = threads.map(read_details, lists)
        found = {reading.view.name: reading.found for reading in lists}
        control = control_namespace.complete_control_namespace(
            control, found.values(), readers, settings, now
        )
        namespaces = {reading.view.name: reading.view for reading in pending}
    cache.watched = watched.names
    # Without the list nothing was read, so that all that was remembered still is.
    kept = cache if watched.failure else ObservationCache()
    cache.secrets = {**kept.secrets, **readers.secrets.next_cache}
    cache.objects = {**kept.objects, **readers.objects.next_cache}
    view = ClusterView(
        now=now,
        cluster=cluster_id,
        namespaces=namespaces,
        control=control,
        gone_passes=gone_passes,
        unlisted=watched.failure,
    )
    restores, cache.ended_restores = new_ends_of_restores(
        control, readers.cluster, settings, cache.ended_restores
    )
    prunes, cache.prunes = observe_prunes(
        control, readers.cluster, settings, cache.last_prunes, cache.prunes, now=now
    )
    cache.last_prunes = prunes if prunes.is_known else None
    return Observation(view=view, found=found, restores=restores, prunes=prunes)


def _readers(kube: Kube, settings: Settings, cache: ObservationCache, now: datetime) -> Readers:
    """Prepare the reads of one pass, with what earlier ones remembered."""
    budget = FailureBudget(limit=settings.api_timeout)
    reader = ClusterReader(kube=kube, budget=budget)
    return Readers(
        cluster=reader,
        objects=ObjectCache(reader=reader, cache=cache.objects, interner=cache.interner),
        secrets=SecretCache(reader=reader, settings=settings, cache=cache.secrets, now=now),
    )


def _recorded_objects(
    control: ControlView, watched: Collection[str], settings: Settings
) -> Mapping[str, Collection[ObjectRef]]:
    """Collect the owners that our CronJobs record, by namespace."""
    ours = owned.ours_by_namespace(control.cronjobs, watched, settings)
    return {name: _objects_of(cronjobs.values()) for name, cronjobs in ours.items()}


def _objects_of(cronjobs: Iterable[Json]) -> Collection[ObjectRef]:
    return {ref for cronjob in cronjobs for ref in ownership.objects_of(cronjob)}


def _cluster_id(
    reader: ClusterReader, settings: Settings, cache: ObservationCache
) -> str | ReadFailure:
    """Return the cluster id; once read it holds for as long as the process, as that uid does."""
    if settings.cluster_name:
        return settings.cluster_name
    if cache.cluster_id is None:
        found = reader.get(NAMESPACES, "", _KUBE_SYSTEM)
        if isinstance(found, ReadFailure):
            return found
        if found is None:
            return ReadFailure(Reason.UNAVAILABLE, f"there is no namespace {_KUBE_SYSTEM}")
        cache.cluster_id = uid_of(found)[:_CLUSTER_ID_LENGTH]
    return cache.cluster_id


def _broken(name: str) -> NamespaceReading:
    """Return a namespace that a fault of ours keeps from being read."""
    message = f"{name}: a fault of the controller, see its log"
    return namespace.unreadable_namespace(name, ReadFailure(Reason.INTERNAL_ERROR, message))
