"""Indexes over one namespace's view that the planner needs."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from controller.manifests.ownership import owner_of
from controller.model import names
from controller.model.kinds import OWNER_GROUP
from controller.model.objects import Json, ObjectRef, Objects, labels_of, name_of
from controller.model.status import ReadFailure, Rejected
from controller.model.view import ClusterView, NamespaceView
from controller.plan.laid_manifests import LaidManifests
from controller.plan.owned import OwnedObjects
from controller.settings.settings import Settings
from controller.workloads import backup_spec
from controller.workloads.discovery import NOTHING, Workloads, find_workloads
from controller.workloads.hosts.chosen import chooses_hosts
from controller.workloads.owner_groups import as_group
from controller.workloads.request import Request
from controller.workloads.services.facts import index_keys, index_labels, selector_of
from controller.workloads.workload import Workload

_Label = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanContext:
    """One namespace, as it is seen, within all that is known and wanted.

    `watched` is None where the namespace is not watched. `workload_by_member` goes by each object
    that a workload is made of, `claimants_by_name` by the name of the CronJob that they would have.
    `services` holds each Service under one of the labels that it selects by, and
    `services_by_key` those without a selector under what they may be found by.
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
    services_by_key: Mapping[str, Objects] = field(repr=False)
    laid: LaidManifests = field(default_factory=LaidManifests, repr=False)

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
        chooses = isinstance(request, Request) and chooses_hosts(request)
        if chooses or isinstance(self.watched.services, ReadFailure):
            return self.watched
        labels = {label: None for pod in workload.pods for label in labels_of(pod).items()}
        candidates = [item for label in labels for item in self.services.get(label, ())]
        if self.services_by_key:
            keys = backup_spec.database_names(workload) | backup_spec.maker_uids(workload)
            beside = (item for key in keys for item in self.services_by_key.get(key, ()))
            candidates += {name_of(item): item for item in beside}.values()
        return replace(self.watched, services=tuple(candidates))


def build_context(
    view: ClusterView,
    owned: OwnedObjects,
    settings: Settings,
    namespace: str,
    found: Workloads | None = None,
    *,
    laid: LaidManifests | None = None,
) -> PlanContext:
    """Index one namespace; `found`, its workloads, saves looking for them again.

    `laid` remembers manifests from pass to pass.
    """
    watched = view.namespaces.get(namespace)
    if watched is None or watched.exists is False:
        found = NOTHING
    elif found is None:
        found = find_workloads(watched, settings)
    found = _with_remaining_groups(found, owned.ours.get(namespace, {}), namespace)
    by_owner_name: dict[str, list[Workload]] = defaultdict(list)
    claimants: dict[str, list[Workload]] = defaultdict(list)
    for item in found.items:
        by_owner_name[item.owner.ref.name].append(item)
        if name := backup_spec.wanted_name(item):
            claimants[name].append(item)
    services = watched.services if watched else ()
    if isinstance(services, ReadFailure):
        services = ()
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
        services=_by_label(services),
        services_by_key=_by_key(services),
        laid=laid or LaidManifests(),
    )


def _with_remaining_groups(
    found: Workloads, cronjobs: Mapping[str, Json], namespace: str
) -> Workloads:
    """The workloads, where an owner that is left of a group stays that group.

    So a CronJob keeps its name while an operator replaces the instances of its database.
    """

    def settled(workload: Workload) -> Workload:
        if not workload.group or isinstance(workload.request, Rejected):
            return workload
        key = names.owner_key(namespace, workload.group)
        cronjob = cronjobs.get(names.cronjob_name(workload.request.engine.type, key))
        is_known = cronjob and owner_of(cronjob)[1].kind == OWNER_GROUP
        return as_group(workload) if is_known else workload

    if not cronjobs or not any(workload.group for workload in found.items):
        return found
    items = sorted(map(settled, found.items), key=lambda workload: workload.owner.ref)
    return replace(found, items=tuple(items))


def _by_label(services: Objects) -> Mapping[_Label, Objects]:
    """Index each Service that has a selector under one label of the selector, the rarest one."""
    selecting = [(index_labels(item), item) for item in services if selector_of(item)]
    counts = Counter(label for labels, _ in selecting for label in labels.items())
    found: dict[_Label, list[Json]] = defaultdict(list)
    for labels, item in selecting:
        found[min(labels.items(), key=lambda label: counts[label])].append(item)
    return {label: tuple(items) for label, items in found.items()}


def _by_key(services: Objects) -> Mapping[str, Objects]:
    """Index each Service without a selector under everything that it may be found by."""
    found: dict[str, list[Json]] = defaultdict(list)
    for item in services:
        if not selector_of(item):
            for key in index_keys(item):
                found[key].append(item)
    return {key: tuple(items) for key, items in found.items()}
