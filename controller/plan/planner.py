"""What to do with every generated object of one namespace's workloads, each with its reason."""

from functools import partial

from controller.manifests.ownership import owner_of
from controller.model import names
from controller.model.fault_boundary import FaultBoundary
from controller.model.objects import ObjectRef, annotations_of, uid_of
from controller.model.status import Rejected, WorkloadStatus
from controller.model.view import ClusterView
from controller.plan import name_conflicts
from controller.plan.changes import FAULT, Plan, WorkloadPlan
from controller.plan.context import PlanContext
from controller.plan.limits import places
from controller.plan.limits.intervals import too_often
from controller.plan.owned import OwnedObjects
from controller.plan.unwanted import plan_unwanted
from controller.plan.wanted import plan_wanted
from controller.runs.due import due_at, slack_of
from controller.workloads import backup_spec
from controller.workloads.backup_spec import BackupSpec
from controller.workloads.storages.asked import check_storages
from controller.workloads.workload import Workload


def namespaces(view: ClusterView, owned: OwnedObjects) -> tuple[str, ...]:
    """The namespaces to plan for: the watched ones, and those that existing CronJobs come from."""
    return tuple(sorted({*owned.ours, *view.namespaces}))


def plan(context: PlanContext, isolate: FaultBoundary) -> Plan:
    """Decide for one namespace, from its context alone; a fault stays with its workload."""
    wanted: dict[str, BackupSpec] = {}
    rejections: dict[ObjectRef, Rejected] = {}
    for workload in context.found.items:
        spec = isolate(workload.key, partial(_spec_of, workload, context)) or FAULT
        if isinstance(spec, BackupSpec):
            wanted[spec.name] = spec
        else:
            rejections[workload.owner.ref] = spec
    for name, rejected in list(places.without_place(wanted, context)):
        rejections[wanted.pop(name).owner.ref] = rejected
    existing = context.owned.ours.get(context.namespace, {})
    gone_passes = {uid_of(cronjob): 0 for cronjob in existing.values()}
    plans = [
        isolate(name, partial(plan_wanted, spec, context)) or _faulty(context, spec.owner.key, name)
        for name, spec in wanted.items()
    ]
    # A CronJob that is yet to be created replaces nothing.
    existing_wanted = frozenset(name for name in wanted if context.owned.cronjob(name))
    for name, cronjob in existing.items():
        if name not in wanted:
            part = partial(plan_unwanted, cronjob, context, existing_wanted, rejections)
            key = annotations_of(cronjob)[names.OWNER]
            made, passes = isolate(name, part) or (_faulty(context, key, name), 0)
            plans.append(made)
            gone_passes[uid_of(cronjob)] = passes
    recorded = {owner_of(cronjob)[1] for cronjob in existing.values()}
    plans += [
        _rejected(workload, rejections[workload.owner.ref])
        for workload in context.found.items
        if workload.owner.ref in rejections and not _is_recorded(workload.owner.ref, recorded)
    ]
    return Plan(items=tuple(sorted(plans, key=_order)), gone_passes=gone_passes)


def _spec_of(workload: Workload, context: PlanContext) -> BackupSpec | Rejected:
    """The backup of a workload, which may also have the name of its CronJob."""
    if failed := context.owned.failed:
        return Rejected(failed.reason, failed.message)
    request, namespace = workload.request, workload.owner.namespace
    if not isinstance(request, Rejected) and (
        refused := check_storages(request.storages, namespace, context.settings)
    ):
        return refused
    spec = backup_spec.build_spec(workload, context.view_for(workload))
    if isinstance(spec, Rejected):
        return spec
    return name_conflicts.check(workload, spec, context) or too_often(spec, context) or spec


def _is_recorded(owner: ObjectRef, recorded: set[ObjectRef]) -> bool:
    """Whether a CronJob, and so a plan, exists for this owner; 0.6.0 recorded no kinds."""
    return owner in recorded or ObjectRef(kind="", name=owner.name) in recorded


def _faulty(context: PlanContext, workload: str, cronjob: str) -> WorkloadPlan:
    """What a fault of ours leaves of a workload's plan: its CronJob is kept as it is."""
    kept = context.owned.cronjob(cronjob)
    return WorkloadPlan(
        namespace=context.namespace,
        workload=workload,
        cronjob=cronjob,
        status=WorkloadStatus.unknown(FAULT),
        kept=kept,
        due=due_at(kept or {}, slack_of(context.settings)),
    )


def _rejected(workload: Workload, why: Rejected) -> WorkloadPlan:
    return WorkloadPlan(
        namespace=workload.owner.namespace,
        workload=workload.key,
        cronjob="",
        status=WorkloadStatus.unknown(why),
    )


def _order(made: WorkloadPlan) -> tuple[str, str, str]:
    return made.workload, made.cronjob, made.status.reason
