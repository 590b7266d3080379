"""The state of a Job: whether it runs, when it began, and how and when it ended."""

from collections.abc import Container, Mapping

from controller.model.kinds import JOB
from controller.model.objects import (
    Json,
    ObjectRef,
    Objects,
    created_at,
    is_suspended,
    name_of,
    owner_references,
)
from controller.model.status import ReadFailure

_COMPLETE = "Complete"
_FAILED = "Failed"
_SUSPENDED = "Suspended"


def end_of(job: Json) -> Json | None:
    """Return the condition by which a Job has ended, None while it has not."""
    return _condition(job, {_COMPLETE, _FAILED})


def is_complete(end: Json) -> bool:
    """Whether the condition by which a Job ended says that it succeeded."""
    return bool(end.get("type") == _COMPLETE)


def is_active(job: Json) -> bool:
    """Whether a Job has neither ended nor been suspended."""
    return end_of(job) is None and not is_suspended(job) and _condition(job, {_SUSPENDED}) is None


def has_active_job(cronjob: Json, jobs: Objects) -> bool:
    """Whether a Job of the CronJob runs or is about to: by its own status, or by its Jobs."""
    if (cronjob.get("status") or {}).get("active"):
        return True
    return any(end_of(job) is None for job in jobs)


def started_at(job: Json) -> str:
    """Return when a Job began, in RFC 3339; empty where nothing shows it."""
    begun = (job.get("status") or {}).get("startTime")
    return str(begun or created_at(job))


def running_since(jobs: Objects | ReadFailure, unread: Container[ObjectRef]) -> Mapping[str, str]:
    """Say by the uid of Jobs' owners when the oldest of their active Jobs began, in RFC 3339.

    Jobs that are `unread` show no end of theirs, so nothing is said of them.
    """
    found: dict[str, str] = {}
    for job in () if isinstance(jobs, ReadFailure) else jobs:
        begun = started_at(job)
        if begun and is_active(job) and ObjectRef(kind=JOB, name=name_of(job)) not in unread:
            for owner in owner_references(job):
                uid = str(owner.get("uid", ""))
                found[uid] = min(begun, found.get(uid, begun))
    return found


def ended_at(job: Json, end: Json) -> str:
    """Return when a Job ended, in RFC 3339; empty where nothing shows it."""
    completed = (job.get("status") or {}).get("completionTime")
    return str(completed or end.get("lastTransitionTime") or "")


def _condition(job: Json, types: set[str]) -> Json | None:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return next(
        (
            condition
            for condition in conditions
            if condition.get("type") in types and condition.get("status") == "True"
        ),
        None,
    )
