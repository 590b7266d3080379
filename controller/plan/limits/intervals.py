"""How often the jobs of one workload may run."""

from collections.abc import Iterator

from controller.model.names import PREFIX
from controller.model.status import Reason, Rejected
from controller.plan.context import PlanContext
from controller.workloads.backup_spec import BackupSpec
from controller.workloads.timing.intervals import why_too_often
from controller.workloads.timing.spread import plain_schedule
from dumpers.contract.names import DEFAULT_CLUSTER


def too_often(spec: BackupSpec, context: PlanContext) -> Rejected | None:
    """Why a schedule of a workload runs too often; None where none does."""
    least = context.settings.min_interval
    cluster = context.view.cluster
    id_ = cluster if isinstance(cluster, str) else DEFAULT_CLUSTER
    for key, schedule in _schedules(spec, context) if least else ():
        if why := why_too_often(plain_schedule(schedule, id_, spec.owner.key), least):
            return Rejected(
                Reason.SCHEDULE_TOO_OFTEN,
                f"the annotation {PREFIX}{key} is {schedule!r}, by which {why}",
            )
    return None


def _schedules(spec: BackupSpec, context: PlanContext) -> Iterator[tuple[str, str]]:
    """The schedules that annotations ask for; those of the operator are the operator's."""
    request, settings = spec.request, context.settings
    yield "schedule", request.schedule
    if request.verify_schedule and request.verify_schedule != settings.verify_schedule:
        yield "verify-schedule", request.verify_schedule
    if request.drill_schedule and request.drill_schedule != settings.drill_schedule:
        yield "drill-schedule", request.drill_schedule
