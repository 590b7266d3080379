"""How a Job ended whose container tells it: by its own word, else by what Kubernetes shows."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from controller.model.objects import Json, Objects, name_of
from controller.runs.causes.pod_causes import cause_in_pod, container_end, pods_newest_first
from controller.runs.causes.stopped import why_stopped
from controller.runs.job_status import end_of, ended_at, is_complete
from controller.runs.reasons import shortened

_FAILED, _SUCCEEDED = "Failed", "Succeeded"


class Told(Protocol):
    """What a container says of its end."""

    @property
    def succeeded(self) -> bool:
        """Whether it did what it was to do."""

    @property
    def reason(self) -> str:
        """Its word for how it ended."""

    @property
    def message(self) -> str:
        """The rest of it, for people."""


T = TypeVar("T", bound=Told)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd(Generic[T]):
    """How the Job of the name `job` ended; `finished` is RFC 3339.

    `result` is None where its pod left none, or is gone: then no figure of it is known.
    """

    job: str
    finished: str
    succeeded: bool
    reason: str
    message: str
    result: T | None = field(default=None, repr=False)


def job_end(job: Json, pods: Objects, read: Callable[[str], T]) -> JobEnd[T]:
    """How a Job ended that has ended; `read` takes a termination message, or raises ValueError."""
    end = end_of(job) or {}
    finished, succeeded = ended_at(job, end), is_complete(end)
    tries = pods_newest_first(pods)
    results = ((pod, result) for pod in tries if (result := _result(pod, read)))
    pod, told = next(results, ({}, None))
    if told and told.succeeded == succeeded:
        stopped = why_stopped(told.reason, pod, end)
        reason, message = str(stopped.reason) if stopped else told.reason, told.message
    elif succeeded:
        reason, message = _SUCCEEDED, ""
    else:
        cause = next((found for pod in tries if (found := cause_in_pod(pod))), None)
        reason = str(cause.reason) if cause else str(end.get("reason") or _FAILED)
        message = shortened(cause.message if cause else end.get("message"))
    return JobEnd(
        job=name_of(job),
        finished=finished,
        succeeded=succeeded,
        reason=reason,
        message=message,
        result=told,
    )


def _result(pod: Json, read: Callable[[str], T]) -> T | None:
    try:
        return read(str((container_end(pod) or {}).get("message") or ""))
    except ValueError:
        return None
