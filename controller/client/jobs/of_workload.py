"""Jobs of a workload: which there are, and what each of them is."""

from collections.abc import Iterable
from datetime import datetime

from controller.client.cluster.workload_names import Workload
from controller.client.terminal.errors import CommandError, Exit
from controller.client.terminal.output import duration, moment_of
from controller.manifests.ownership import READERS
from controller.manifests.restore_job import variable_of
from controller.manifests.verb_job import LOOKS
from controller.model import kinds, names
from controller.model.fixes import STATE_FIXES
from controller.model.names import MANAGED_BY, MANAGED_BY_LABEL
from controller.model.objects import (
    Json,
    annotations_of,
    created_at,
    labels_of,
    name_of,
    owner_references,
    uid_of,
)
from controller.runs.job_status import end_of, started_at
from controller.runs.releases.choice import is_waiting
from dumpers.contract.names import CRONJOB, WORKLOAD

# In the name of every Job that somebody asked for, before its workload.
_PREFIX = "ksnapshot-"
_VERBS = {
    "backup": "a backup",
    "restore": "a restore",
    "fetch": "a fetch of a backup",
    "keys": "a look at the headers of backups",
    "verify": "a check of a backup",
    "drill": "a drill of a backup",
    "catalogue": "a listing of backups",
    "copy": "a copy of a backup",
    "proof": "a proof of backups",
    "prune": "a prune",
    "delete": "a deletion of backups",
    "accept": "an acceptance of a backup's size",
}


def is_a_look(job: Json) -> bool:
    """Whether a Job only looks at backups, or hands one over: no run of the workload."""
    return labels_of(job).get(names.COMPONENT_LABEL) in LOOKS


def reads_by_schedule(job: Json) -> bool:
    """Whether a Job verifies or drills by a schedule, ours or another: it keeps nothing waiting."""
    by_schedule = any(owner.get("kind") == kinds.CRONJOB for owner in owner_references(job))
    return labels_of(job).get(names.COMPONENT_LABEL) in READERS and by_schedule


def is_a_run(job: Json) -> bool:
    """Whether a Job is a run of its workload, which people follow and no backup is to go beside."""
    return not is_a_look(job) and not reads_by_schedule(job)


def cronjob_of(workload: Workload) -> Json:
    """The workload's CronJob; raises CommandError that says why there is none."""
    if workload.cronjob is not None:
        return workload.cronjob
    entry: Json = workload.reported or {}
    reason = str(entry.get("reason") or "")
    fix = STATE_FIXES.get(reason)
    raise CommandError(
        f"{workload.key} is not backed up: {entry.get('state')} ({reason}):"
        f" {entry.get('message') or 'see ksnapshot status'}{f'; to do: {fix}' if fix else ''}",
        Exit.REFUSED,
    )


def jobs_of(cronjob: Json, jobs: Iterable[Json]) -> list[Json]:
    """Select the Jobs of a CronJob's workload, newest first: its own, and those of other verbs."""
    uid, name = uid_of(cronjob), name_of(cronjob)
    found = [
        job
        for job in jobs
        if any(owner.get("uid") == uid for owner in owner_references(job))
        or _made_from(job) == name
    ]
    return newest_first(found)


def newest_first(jobs: Iterable[Json]) -> list[Json]:
    """Sort Jobs by when they were made."""
    return sorted(jobs, key=_created, reverse=True)


def unfinished(jobs: Iterable[Json]) -> list[Json]:
    """Select the Jobs that have not ended, suspended ones included."""
    return [job for job in jobs if end_of(job) is None]


def is_of_ours(job: Json) -> bool:
    """Whether a Job is one of ksnapshot's: of a dump CronJob, or of a verb."""
    labels = labels_of(job)
    is_managed = labels.get(MANAGED_BY_LABEL) == MANAGED_BY
    is_managed |= labels.get(names.PART_OF_LABEL) == names.PART_OF
    return is_managed or bool(variable_of(job, CRONJOB))


def describe_job(job: Json, now: datetime) -> str:
    """`a backup of production/database that runs since 3 min`."""
    verb = name_of(job).removeprefix(_PREFIX).partition("-")[0]
    what = _VERBS.get(verb, _VERBS["backup"])
    workload = variable_of(job, WORKLOAD)
    began = moment_of(started_at(job))
    if is_waiting(job):
        return f"{what}{f' of {workload}' if workload else ''} that waits for a place"
    since = f" that runs since {duration((now - began).total_seconds())}" if began else ""
    return f"{what}{f' of {workload}' if workload else ''}{since}"


def _created(job: Json) -> tuple[str, str]:
    return created_at(job), name_of(job)


def _made_from(job: Json) -> str:
    """The dump CronJob that a Job was made from; its variable may name another one's backups."""
    return annotations_of(job).get(names.CRONJOB) or variable_of(job, CRONJOB)
