"""How many workloads of one namespace are backed up: those that are already come first."""

from collections.abc import Iterator, Mapping

from controller.manifests.ownership import owner_of
from controller.model.objects import ObjectRef, created_at
from controller.model.status import Reason, Rejected
from controller.plan.context import PlanContext
from controller.workloads.backup_spec import BackupSpec


def without_place(
    wanted: Mapping[str, BackupSpec], context: PlanContext
) -> Iterator[tuple[str, Rejected]]:
    """The wanted backups of a namespace, by name, for which its limit leaves no place.

    Places go to the workloads that have a CronJob, the oldest first, whether or not they are wanted
    in this pass, then to the others by name. So however many are annotated, none loses its place.
    """
    limit = context.settings.workloads_per_namespace
    if not limit:
        return
    since: dict[ObjectRef, str] = {}
    for cronjob in context.owned.ours.get(context.namespace, {}).values():
        ref, created = _workload_of(owner_of(cronjob)[1], context), created_at(cronjob)
        since[ref] = min(since.get(ref, created), created)
    refs = {*since, *(spec.owner.ref for spec in wanted.values())}
    order = sorted(refs, key=lambda ref: (ref not in since, since.get(ref, ""), ref.name, ref.kind))
    placed = frozenset(order[:limit])
    for name, spec in wanted.items():
        if spec.owner.ref not in placed:
            yield (
                name,
                Rejected(
                    Reason.TOO_MANY_WORKLOADS,
                    f"{len(refs)} workloads of this namespace ask for backups or have them, and "
                    f"limits.workloadsPerNamespace is {limit}: those that have a CronJob come "
                    "first, the others by their names",
                ),
            )


def _workload_of(ref: ObjectRef, context: PlanContext) -> ObjectRef:
    """The workload that a recorded owner is by now: it may have joined a group."""
    found = context.workload_by_member.get(ref) or context.workload(ref)
    return found.owner.ref if found else ref
