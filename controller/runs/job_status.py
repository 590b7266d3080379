"""The state of a Job: whether it runs, when it began, and how and when it ended."""

from controller.model.objects import Json, metadata

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
    return end_of(job) is None and _condition(job, {_SUSPENDED}) is None


def started_at(job: Json) -> str:
    """Return when a Job began, in RFC 3339; empty where nothing shows it."""
    begun = (job.get("status") or {}).get("startTime")
    return str(begun or metadata(job).get("creationTimestamp") or "")


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
