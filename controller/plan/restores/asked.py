"""All restores that the annotations of one workload ask for, together."""

from dataclasses import dataclass, field

from controller.manifests.overlay import overlay
from controller.model.objects import Json
from controller.model.status import Reason
from controller.plan.changes import Change
from controller.plan.context import PlanContext
from controller.plan.restores.beside import follow_beside, marks_of, plan_beside
from controller.plan.restores.bootstrap import follow_bootstrap, plan_bootstrap
from controller.workloads.backup_spec import BackupSpec

# What somebody has to look at comes first.
_ORDER = (
    Reason.RESTORE_FAILED,
    Reason.RESTORE_REFUSED,
    Reason.RESTORING_BESIDE,
    Reason.RESTORED_BESIDE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRestores:
    """The CronJob as it will be, the Jobs to make, and what is to be known of them.

    `reason` is None where nobody has to know anything.
    """

    cronjob: Json = field(repr=False)
    changes: tuple[Change, ...] = ()
    reason: Reason | None = None
    messages: tuple[str, ...] = ()


def plan_restores(
    spec: BackupSpec, cronjob: Json | None, target: Json, context: PlanContext
) -> AskedRestores:
    """Decide about what the annotations ask for now; `cronjob` is None before the first pass."""
    begun = plan_bootstrap(spec, cronjob, target, context)
    target, steps = begun.cronjob, [begun.step]
    if cronjob is not None:
        steps += plan_beside(spec, cronjob, target, context)
    for step in steps:
        if step.marks:
            target = overlay(target, {"metadata": {"annotations": step.marks}})
    reasons = [step.reason for step in steps if step.reason]
    return AskedRestores(
        cronjob=target,
        changes=tuple(step.change for step in steps if step.change),
        reason=min(reasons, key=_ORDER.index, default=None),
        messages=tuple(step.message for step in steps if step.message),
    )


def follow_restores(cronjob: Json, target: Json, context: PlanContext) -> Json:
    """The target of a CronJob with how restores ended that had begun; none begins."""
    target = follow_bootstrap(cronjob, target, context).cronjob
    restored, forgotten = follow_beside(cronjob, context)
    marks = marks_of(restored, forgotten)
    return overlay(target, {"metadata": {"annotations": marks}}) if marks else target
