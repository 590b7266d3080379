"""CronJobs that a restore holds: suspended while its Job writes into their database.

The command suspends the CronJob and notes why. What it was before is put back here once that Job
has ended, whether the command still runs or not.
"""

from datetime import datetime, timedelta

from controller.manifests.optional_fields import SUSPEND, recorded_fields
from controller.manifests.overlay import overlay
from controller.manifests.ownership import PENDING, Holder, hold, holder_of
from controller.model import names
from controller.model.kinds import JOB
from controller.model.objects import DELETE, Json, ObjectRef, created_at, name_of, uid_of
from controller.model.status import ReadFailure
from controller.model.view import ClusterView
from controller.runs.job_status import end_of, is_active
from controller.runs.restores import Stage, read_record

# A Job is made suspended, and let go once its identity is there. One that is still suspended after
# this was left by a command that died.
_LEFT_AFTER = timedelta(minutes=15)


def with_hold(target: Json, existing: Json | None, view: ClusterView) -> Json:
    """The target of a CronJob that is held, still suspended, or let go as it was before.

    `target` has the value of the annotation `suspend`, where there is one.
    """
    holder = holder_of(existing or {})
    if holder is None:
        return target
    if holder.uid == PENDING and _is_awaited(existing):
        # By restores.bootstrap, which makes the Job, or lets the CronJob go.
        return target
    if is_holding(holder, view):
        return overlay(target, hold(holder))
    return let_go(target, holder)


def let_go(target: Json, holder: Holder) -> Json:
    """The target of a CronJob without its holder, and suspended as it was before."""
    marks = {names.HELD_BY: DELETE, names.HELD_SUSPEND: DELETE}
    by_annotation = SUSPEND in recorded_fields(target)
    suspend = target["spec"].get("suspend") if by_annotation else holder.suspended
    return overlay(target, {"metadata": {"annotations": marks}, "spec": {"suspend": suspend}})


def is_holding(holder: Holder, view: ClusterView) -> bool:
    """Whether a Job still holds its CronJob: unless it has ended or is gone for certain."""
    jobs = view.control.jobs
    if isinstance(jobs, ReadFailure):
        return True
    job = next((job for job in jobs if name_of(job) == holder.name), None)
    if job is None or uid_of(job) != holder.uid:
        return False
    if ObjectRef(kind=JOB, name=holder.name) in view.control.unread:
        return True
    if end_of(job) is not None:
        return False
    return is_active(job) or not _was_left(job, view.now)


def _is_awaited(cronjob: Json | None) -> bool:
    """Whether a CronJob records that the Job that is to hold it is yet to be made."""
    record = read_record(cronjob, names.BOOTSTRAP)
    return record is not None and record.stage is Stage.WAITING


def _was_left(job: Json, now: datetime) -> bool:
    created = created_at(job)
    try:
        return now - datetime.fromisoformat(created) > _LEFT_AFTER
    except ValueError:
        return False
