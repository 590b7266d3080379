"""The cluster → ClusterView. A read without an answer becomes a Failed, never an empty list.

Lists read no more than the metadata where that is enough for most of their objects. Those that
have to be known whole are remembered, and read again when they changed.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from controller import control, watched
from controller.kube.client import NAMESPACES, Kube
from controller.kube.object_cache import Pool
from controller.kube.reader import Answers, Known
from controller.manifests import ownership
from controller.model.fault_boundary import Isolate
from controller.model.objects import uid_of
from controller.model.status import Failed, Reason, Verdict
from controller.model.view import ClusterView, Sent
from controller.plan import owned
from controller.settings.settings import Settings
from controller.sources import Source, Sources
from controller.watched import Space
from controller.workloads.discovery import Workloads

_KUBE_SYSTEM = "kube-system"
_CLUSTER_ID_LENGTH = 8
_THREADS = 8


@dataclass(slots=True, kw_only=True)
class Memory:
    """What outlives a pass; all of it may be lost at any time.

    `sent` holds by uid what was last written as which resourceVersion, as long as that object is
    written or would be. `sources` are the Secrets and ConfigMaps that containers refer to, `whole`
    the objects whose metadata tell that they have not changed, `pool` their parts, `told` what was
    last logged of each workload and CronJob.
    """

    cluster: str | None = None
    gone_passes: Mapping[str, int] = field(default_factory=dict)
    sources: Mapping[tuple[object, ...], Source] = field(default_factory=dict, repr=False)
    whole: Mapping[str, Known] = field(default_factory=dict, repr=False)
    pool: Pool = field(default_factory=Pool, repr=False)
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
    patience = settings.api_timeout
    answers = Answers(kube=kube, known=memory.whole, pool=memory.pool, patience=patience)
    sources = Sources(answers=answers, settings=settings, known=memory.sources, now=now)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="read") as pool:

        def part(name: str, what: Callable[[], Space]) -> Space:
            space = isolate(name, what) or _broken(name)
            progress()
            return space

        first = pool.map(
            lambda name: part(name, partial(watched.read, name, answers, settings)),
            settings.watch_namespaces,
        )
        cluster = _cluster(answers, settings, memory)
        ours = control.read(answers, settings)
        spaces = [*first]
        view = ClusterView(
            now=now,
            cluster=cluster,
            namespaces={space.view.name: space.view for space in spaces},
            control=ours,
            gone_passes=memory.gone_passes,
        )
        stock = owned.take(view, settings)

        def complete(space: Space) -> Space:
            cronjobs = stock.ours.get(space.view.name, {}).values()
            recorded = {ref for cronjob in cronjobs for ref in ownership.objects_of(cronjob)}
            return watched.complete(space, recorded, answers, sources, isolate)

        second = pool.map(lambda space: part(space.view.name, partial(complete, space)), spaces)
        found = {space.view.name: space.found for space in spaces}
        ours = control.complete(ours, found.values(), answers, settings)
        spaces = [*second]
    memory.sources, memory.whole = sources.fresh, answers.fresh
    namespaces = {space.view.name: space.view for space in spaces}
    return Reading(view=replace(view, control=ours, namespaces=namespaces), found=found)


def _cluster(answers: Answers, settings: Settings, memory: Memory) -> str | Failed:
    """The cluster id; once read it holds for as long as the process, as that uid does."""
    if settings.cluster_name:
        return settings.cluster_name
    if memory.cluster is None:
        found = answers.get(NAMESPACES, "", _KUBE_SYSTEM)
        if isinstance(found, Failed):
            return found
        if found is None:
            return Failed(Reason.UNAVAILABLE, f"there is no namespace {_KUBE_SYSTEM}")
        memory.cluster = uid_of(found)[:_CLUSTER_ID_LENGTH]
    return memory.cluster


def _broken(name: str) -> Space:
    """A namespace that a fault of ours keeps from being read."""
    message = f"{name}: a fault of the controller, see its log"
    return watched.silent(name, Failed(Reason.INTERNAL_ERROR, message))
