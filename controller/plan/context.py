"""Indexes over one namespace's view that the planner needs."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from controller.model.objects import Json, ObjectRef, Objects, labels_of
from controller.model.status import ReadFailure
from controller.model.view import ClusterView, NamespaceView
from controller.plan.owned import OwnedObjects
from controller.settings.settings import Settings
from controller.workloads import backup_spec
from controller.workloads.discovery import NOTHING, Workloads, find_workloads
from controller.workloads.request import Request
from controller.workloads.workload import Workload

_Label = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanContext:
    """One namespace, as it is seen, within all that is known and wanted.

    `watched` is None where the namespace is not watched. `workload_by_member` goes by each object
    that a workload is made of, `claimants_by_name` by the name of the CronJob that they would have.
    `services` holds each Service under one of the labels that it selects by.
    """

    namespace: str
    watched: NamespaceView | None
    found: Workloads
    view: ClusterView
    owned: OwnedObjects = field(repr=False)
    settings: Settings
    workloads_by_owner_name: Mapping[str, tuple[Workload, ...]] = field(repr=False)
    workload_by_member: Mapping[ObjectRef, Workload] = field(repr=False)
    claimants_by_name: Mapping[str, tuple[Workload, ...]] = field(repr=False)
    services: Mapping[_Label, Objects] = field(repr=False)

    def workload(self, ref: ObjectRef) -> Workload | None:
        """The workload of a recorded owner, None without one; 0.6.0 recorded no kind."""
        named = self.workloads_by_owner_name.get(ref.name, ())
        return next(
            (item for item in named if item.owner.ref == ref or not (ref.kind or item.members)),
            None,
        )

    def view_for(self, workload: Workload) -> NamespaceView:
        """The watched namespace, without the Services that cannot select the workload's pods."""
        assert self.watched is not None
        request = workload.request
        named = isinstance(request, Request) and request.service
        if named or isinstance(self.watched.services, ReadFailure):
            return self.watched
        labels = {label: None for pod in workload.pods for label in labels_of(pod).items()}
        candidates = tuple(item for label in labels for item in self.services.get(label, ()))
        return replace(self.watched, services=candidates)


def build_context(
    view: ClusterView,
    owned: OwnedObjects,
    settings: Settings,
    namespace: str,
    found: Workloads | None = None,
) -> PlanContext:
    """Index one namespace; `found`, its workloads, saves looking for them again."""
    watched = view.namespaces.get(namespace)
    if watched is None or watched.exists is False:
        found = NOTHING
    elif found is None:
        found = find_workloads(watched, settings)
    by_owner_name: dict[str, list[Workload]] = defaultdict(list)
    claimants: dict[str, list[Workload]] = defaultdict(list)
    for item in found.items:
        by_owner_name[item.owner.ref.name].append(item)
        if name := backup_spec.wanted_name(item):
            claimants[name].append(item)
    services = watched.services if watched else ()
    return PlanContext(
        namespace=namespace,
        watched=watched,
        found=found,
        view=view,
        owned=owned,
        settings=settings,
        workloads_by_owner_name={name: tuple(items) for name, items in by_owner_name.items()},
        workload_by_member={owner.ref: item for item in found.items for owner in item.objects},
        claimants_by_name={name: tuple(items) for name, items in claimants.items()},
        services={} if isinstance(services, ReadFailure) else _by_label(services),
    )


def _by_label(services: Objects) -> Mapping[_Label, Objects]:
    """Index each Service that has a selector under one label of the selector, the rarest one."""
    selectors = [((item.get("spec") or {}).get("selector") or {}, item) for item in services]
    counts = Counter(label for selector, _ in selectors for label in selector.items())
    found: dict[_Label, list[Json]] = defaultdict(list)
    for selector, item in selectors:
        if selector:
            found[min(selector.items(), key=lambda label: counts[label])].append(item)
    return {label: tuple(items) for label, items in found.items()}
