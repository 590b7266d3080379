"""The Jobs of restores that annotations ask for: their names, which of them go on, their ends."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.model import names
from controller.model.kinds import JOB
from controller.model.objects import Json, ObjectRef, name_of, uid_of
from controller.model.status import ReadFailure, Reason
from controller.plan.changes import Change
from controller.plan.context import PlanContext
from controller.runs.blocked import blocked_run
from controller.runs.job_status import end_of
from controller.runs.restores import RestoreRecord, followed
from controller.workloads.backup_spec import BackupSpec

PAUSE = timedelta(minutes=10)
# Longer than a controller is away: the Job's name shows that this value had its Job.
WEEK = 7 * 86_400
AGAIN = "give another value, such as with #2 behind it"
_DIGEST = 5
_NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is done about what one annotation asks for.

    `marks` are annotations of the CronJob. `reason` is None where nobody has to know; `message`
    says what happens, or what is waited for.
    """

    change: Change | None = None
    marks: Mapping[str, str] = field(default_factory=dict)
    reason: Reason | None = None
    message: str = ""


NOTHING = Step()


def job_name(verb: str, spec: BackupSpec, value: str) -> str:
    """Name of the Job for a value: the same as long as the owner is the same object.

    So a Job is not made twice where its creation was not answered, or the CronJob was lost.
    """
    text = f"{spec.name} {spec.owner.ref} {spec.owner.uid} {value}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
    return names.job_name(verb, spec.owner.key, digest)


def find_job(name: str, cronjob: Json, context: PlanContext) -> Json | None:
    """The Job of this name that was made from the CronJob; None without one."""
    jobs = context.owned.restore_jobs.get(name_of(cronjob), ())
    return next((job for job in jobs if name_of(job) == name), None)


def are_jobs_known(context: PlanContext) -> bool:
    """Whether a Job that does not show is not there."""
    return not isinstance(context.owned.jobs, ReadFailure)


def follow(record: RestoreRecord, cronjob: Json, context: PlanContext) -> RestoreRecord:
    """The record with what is known of its Job by now; as it is while nothing is known."""
    pods = context.owned.pods
    if not record.is_open or not are_jobs_known(context) or isinstance(pods, ReadFailure):
        return record
    if ObjectRef(kind=JOB, name=record.job) in context.view.control.unread:
        return record
    job = find_job(record.job, cronjob, context)
    return followed(record, job, pods.get(uid_of(job), ()) if job else ())


def going_on(cronjob: Json, context: PlanContext) -> str:
    """The first Job of the workload that has not ended, a dump or a restore; or empty."""
    jobs = context.owned.jobs
    assert not isinstance(jobs, ReadFailure)
    asked = context.owned.restore_jobs.get(name_of(cronjob), ())
    running = (job for job in (*jobs.get(uid_of(cronjob), ()), *asked) if end_of(job) is None)
    return name_of(next(running, {}))


def why_blocked(record: RestoreRecord, cronjob: Json, context: PlanContext) -> str:
    """Why a Job that goes on does not begin; empty where it does, or nothing shows it."""
    job, pods = find_job(record.job, cronjob, context), context.owned.pods
    if job is None or isinstance(pods, ReadFailure):
        return ""
    found = blocked_run(job, pods.get(uid_of(job), ()), (), context.view.now)
    return f"; it does not begin: {found.cause.reason}: {found.cause.message}" if found else ""


def is_past(moment: str, pause: timedelta, now: datetime) -> bool:
    """Whether so much time has gone since a moment in RFC 3339; one that cannot be read is past."""
    try:
        return now - datetime.fromisoformat(moment) >= pause
    except (ValueError, TypeError):
        return True


def shown_copies(record: RestoreRecord) -> str:
    """The names of what a restore left beside its database, or some of them."""
    listed = ", ".join(record.beside[:_NAMES_SHOWN])
    more = len(record.beside) - _NAMES_SHOWN + record.left_out
    return f"{listed} and {more} more" if more > 0 else listed
