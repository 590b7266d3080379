"""Runs that the annotation backup-now asks for: one Job for each new value of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.manifests.ownership import holder_of
from controller.manifests.run_now_job import build_run_now_job
from controller.manifests.sharing.indexed_job import hostname_suffix
from controller.model import names
from controller.model.kinds import JOB
from controller.model.objects import Json, Objects, annotations_of, created_at, name_of, uid_of
from controller.model.status import ReadFailure
from controller.plan.changes import Change, creation
from controller.plan.context import PlanContext
from controller.runs.job_status import end_of
from controller.workloads.backup_spec import BackupSpec

_PAUSE = timedelta(minutes=10)
# Longer than a controller is away: the Job's name shows that this value had its run.
_KEEP = 7 * 86_400
_DIGEST = 5
_BACKUP = "backup"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNow:
    """What is done about a run that was asked for.

    `marks` are annotations of the CronJob that say which value had its run. `message` says what
    the run waits for, and is empty where there is nothing to wait for.
    """

    change: Change | None = None
    marks: Mapping[str, str] = field(default_factory=dict)
    message: str = ""


_NOTHING = RunNow()


def plan_run_now(spec: BackupSpec, existing: Json | None, context: PlanContext) -> RunNow:
    """Decide about the value that the annotation has now.

    The Job's name follows from the value, so that a Job whose creation was not answered is found
    by the next pass and not made twice.
    """
    value = spec.request.backup_now
    # The first pass makes the CronJob that the Job belongs to.
    if not value or existing is None:
        return _NOTHING
    recorded = annotations_of(existing)
    jobs = context.owned.jobs
    if isinstance(jobs, ReadFailure):
        return RunNow(message="the backup that backup-now asks for waits: its Jobs are not known")
    own = jobs.get(uid_of(existing), ())
    name = _name(spec, existing, value)
    made = next((job for job in own if name_of(job) == name), None)
    if made is not None:
        at = created_at(made)
        return RunNow(marks={names.BACKUP_NOW: value, names.BACKUP_NOW_AT: at})
    if recorded.get(names.BACKUP_NOW) == value:
        return _NOTHING
    if waits := _obstacle(existing, own, context.view.now):
        return RunNow(message=f"the backup that backup-now asks for waits: {waits}")
    body = build_run_now_job(existing, name)
    body["spec"] = {**body["spec"], "ttlSecondsAfterFinished": _KEEP}
    return RunNow(change=creation(JOB, body))


def _name(spec: BackupSpec, cronjob: Json, value: str) -> str:
    digest = hashlib.sha256(f"{uid_of(cronjob)} {value}".encode()).hexdigest()[:_DIGEST]
    spare = hostname_suffix(cronjob["spec"]["jobTemplate"]["spec"])
    return names.job_name(_BACKUP, spec.owner.key, digest, spare=spare)


def _obstacle(cronjob: Json, jobs: Objects, now: datetime) -> str:
    """Say why a run cannot begin yet; empty where it can."""
    if holder := holder_of(cronjob):
        return f"the Job {holder.name} restores into its database"
    running = next((job for job in jobs if end_of(job) is None), None)
    if running is not None:
        return f"the run {name_of(running)} has not ended"
    try:
        last = datetime.fromisoformat(annotations_of(cronjob).get(names.BACKUP_NOW_AT, ""))
    except ValueError:
        return ""
    if now < last + _PAUSE:
        return f"the last one was made at {last:%H:%M} UTC, and there is one in ten minutes at most"
    return ""
