"""The cluster → ClusterView. A read without an answer becomes a ReadFailure, never an empty list.

Lists read no more than the metadata where that is enough for most of their objects. Those that
have to be known whole are remembered, and read again when they changed.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from types import MappingProxyType

from controller.kube.client import NAMESPACES, Kube
from controller.kube.object_cache import JsonInterner
from controller.kube.reader import CachedObject, ClusterReader
from controller.manifests import ownership
from controller.model.fault_boundary import FaultBoundary
from controller.model.objects import uid_of
from controller.model.status import ReadFailure, Reason
from controller.model.view import ClusterView
from controller.observe import control_namespace, namespace
from controller.observe.namespace import NamespaceReading
from controller.observe.secret_cache import CachedSecret, SecretCache
from controller.plan import owned
from controller.settings.settings import Settings
from controller.workloads.discovery import Workloads

_KUBE_SYSTEM = "kube-system"
_CLUSTER_ID_LENGTH = 8
_THREADS = 8


@dataclass(slots=True, kw_only=True)
class ObservationCache:
    """What one observation leaves for the next; all of it may be lost at any time.

    `cluster_id` is None until it was read. `secrets` holds the Secrets and ConfigMaps that
    containers refer to, `objects` by uid the whole objects whose metadata show whether they have
    changed, `interner` their equal parts.
    """

    cluster_id: str | None = None
    secrets: Mapping[tuple[object, ...], CachedSecret] = field(default_factory=dict, repr=False)
    objects: Mapping[str, CachedObject] = field(default_factory=dict, repr=False)
    interner: JsonInterner = field(default_factory=JsonInterner, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A view, and the workloads that were found in its namespaces on the way."""

    view: ClusterView
    found: Mapping[str, Workloads] = field(repr=False)


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
    """Read all that a pass decides on, in two rounds, as lists show what else has to be read.

    `gone_passes` is what the view says of earlier passes. `progress` is called whenever a
    namespace was read.
    """
    patience = settings.api_timeout
    answers = ClusterReader(kube=kube, known=cache.objects, pool=cache.interner, patience=patience)
    sources = SecretCache(answers=answers, settings=settings, known=cache.secrets, now=now)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="read") as pool:

        def part(name: str, what: Callable[[], NamespaceReading]) -> NamespaceReading:
            space = isolate(name, what) or _broken(name)
            progress()
            return space

        first = pool.map(
            lambda name: part(name, partial(namespace.read_namespace, name, answers, settings)),
            settings.watch_namespaces,
        )
        cluster = _cluster(answers, settings, cache)
        ours = control_namespace.read_control_namespace(answers, settings)
        spaces = [*first]
        view = ClusterView(
            now=now,
            cluster=cluster,
            namespaces={space.view.name: space.view for space in spaces},
            control=ours,
            gone_passes=gone_passes,
        )
        stock = owned.index_owned(view, settings)

        def complete(space: NamespaceReading) -> NamespaceReading:
            cronjobs = stock.ours.get(space.view.name, {}).values()
            recorded = {ref for cronjob in cronjobs for ref in ownership.objects_of(cronjob)}
            return namespace.complete_namespace(space, recorded, answers, sources, isolate)

        second = pool.map(lambda space: part(space.view.name, partial(complete, space)), spaces)
        found = {space.view.name: space.found for space in spaces}
        ours = control_namespace.complete_control_namespace(
            ours, found.values(), answers, settings, now
        )
        spaces = [*second]
    cache.secrets, cache.objects = sources.fresh, answers.fresh
    namespaces = {space.view.name: space.view for space in spaces}
    return Observation(view=replace(view, control=ours, namespaces=namespaces), found=found)


def _cluster(
    answers: ClusterReader, settings: Settings, cache: ObservationCache
) -> str | ReadFailure:
    """The cluster id; once read it holds for as long as the process, as that uid does."""
    if settings.cluster_name:
        return settings.cluster_name
    if cache.cluster_id is None:
        found = answers.get(NAMESPACES, "", _KUBE_SYSTEM)
        if isinstance(found, ReadFailure):
            return found
        if found is None:
            return ReadFailure(Reason.UNAVAILABLE, f"there is no namespace {_KUBE_SYSTEM}")
        cache.cluster_id = uid_of(found)[:_CLUSTER_ID_LENGTH]
    return cache.cluster_id


def _broken(name: str) -> NamespaceReading:
    """A namespace that a fault of ours keeps from being read."""
    message = f"{name}: a fault of the controller, see its log"
    return namespace.unreadable_namespace(name, ReadFailure(Reason.INTERNAL_ERROR, message))
