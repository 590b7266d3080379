"""Where a Job stands, by itself, its pods and its Events; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from controller.model.objects import Json, Objects, name_of
from controller.runs.causes.event_causes import cause_in_events
from controller.runs.causes.pod_causes import cause_in_pod, pods_newest_first
from controller.runs.causes.shards import (
    failed_shards_first,
    is_part_message,
    parts_alone,
    shard_of,
)
from controller.runs.dump_outcome import NO_MANIFEST
from controller.runs.job_status import end_of, is_complete
from controller.runs.reasons import RunReason, shortened

# A container that waits for these reasons is on its way.
_STARTING = {"ContainerCreating": "its container is being made", "PodInitializing": "it starts"}
_RUNNING = "Running"


class Outcome(Enum):
    """How a Job ended for somebody who follows it."""

    SUCCEEDED = auto()
    FAILED = auto()
    # It was deleted while it ran.
    GONE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """How a Job ended.

    `message` is the termination message of the container that knows the result, empty where there
    is none; `exit_code` is None where no container ended. `reason` and `why` are what Kubernetes
    shows, empty where the container speaks for itself. `is_late` says that the Job's deadline ended
    it.
    """

    outcome: Outcome
    exit_code: int | None = None
    message: str = ""
    reason: str = ""
    why: str = ""
    is_late: bool = False


def newest_pod(pods: Iterable[Json]) -> Json | None:
    """The pod of the Job's last try; None without any."""
    return next(iter(pods_newest_first(tuple(pods))), None)


def state_of(pod: Json, container: str) -> Json:
    """A container's state, init containers included; empty where none is reported yet."""
    status = pod.get("status") or {}
    for kind in ("containerStatuses", "initContainerStatuses"):
        for item in status.get(kind) or ():
            if item.get("name") == container:
                state: Json = item.get("state") or {}
                return state
    return {}


def has_begun(pod: Json, containers: Sequence[str]) -> bool:
    """Whether all of these containers run or have ended, so that there are logs."""
    return all({"running", "terminated"} & state_of(pod, name).keys() for name in containers)


def end_of_job(job: Json, pods: Objects, events: Objects, container: str) -> JobEnd | None:
    """How the Job ended, by its container that knows the result; None while it has not.

    A result of success counts at once, whatever else keeps the pod; a failure does when the Job
    has ended, too, as it may try again, or when its pod is kept running by others.
    """
    tries = failed_shards_first(job, pods_newest_first(pods))
    ends = [(pod, ended) for pod in tries if (ended := state_of(pod, container).get("terminated"))]
    for pod, ended in ends:
        if ended.get("exitCode") == 0 and _made_it(pod, ended):
            return JobEnd(outcome=Outcome.SUCCEEDED, exit_code=0, message=_message(ended))
    end = end_of(job)
    if end is None:
        lingers = ends and ends[0][0] is tries[0] and _phase(tries[0]) == _RUNNING
        # Of pods that have a shard each, the others go on.
        return _failure(*ends[0], events) if lingers and not shard_of(tries[0]) else None
    if is_complete(end):
        if parts_alone(job, [pod for pod, ended in ends if is_part_message(_message(ended))]):
            return JobEnd(
                outcome=Outcome.FAILED, reason=NO_MANIFEST.reason, why=NO_MANIFEST.message
            )
        return JobEnd(outcome=Outcome.SUCCEEDED, exit_code=0)
    is_late = end.get("reason") == RunReason.DEADLINE_EXCEEDED
    if ends:
        return replace(_failure(*ends[0], events), is_late=is_late)
    cause = next(filter(None, map(cause_in_pod, tries)), None) or cause_in_events(events)
    return JobEnd(
        outcome=Outcome.FAILED,
        reason=str(cause.reason if cause else end.get("reason") or ""),
        why=cause.message if cause else shortened(end.get("message")),
        is_late=is_late,
    )


def describe_wait(pods: Objects, events: Objects, containers: Sequence[str]) -> str:
    """Say what a Job waits for that has not begun, in one line."""
    newest = newest_pod(pods)
    cause = (cause_in_pod(newest) if newest else None) or cause_in_events(events)
    if newest is None:
        return (
            f"no pod can be made: {cause.reason}: {cause.message}" if cause else "waits for a pod"
        )
    if cause:
        return f"the pod does not start: {cause.reason}: {cause.message}"
    waits = [state_of(newest, name).get("waiting") or {} for name in containers]
    for wait in waits:
        if (reason := wait.get("reason")) and reason not in _STARTING:
            return f"the pod does not start: {reason}: {shortened(wait.get('message'))}"
    steps = (_STARTING[wait["reason"]] for wait in waits if wait)
    return f"pod {name_of(newest)}: {next(steps, 'waits for a node')}"


def describe_retry(pod: Json, container: str) -> str:
    """Say that a try failed and why, or that a shard is stored, while the Job goes on."""
    cause = cause_in_pod(pod)
    ended = state_of(pod, container).get("terminated") or {}
    if ended.get("exitCode") == 0:
        return f"pod {name_of(pod)} has stored shard {shard_of(pod)}; the run goes on"
    why = f"exit code {ended.get('exitCode')}" if ended else "it did not begin"
    if cause and not _message(ended):
        why = f"{cause.reason}: {cause.message}"
    return f"pod {name_of(pod)} failed ({why}); Kubernetes decides on another try"


def _failure(pod: Json, ended: Any, events: Objects) -> JobEnd:
    cause = cause_in_pod(pod) or cause_in_events(events)
    return JobEnd(
        outcome=Outcome.FAILED,
        exit_code=int(ended.get("exitCode", -1)),
        message=_message(ended),
        reason=str(cause.reason if cause else ""),
        why=cause.message if cause else "",
    )


def _made_it(pod: Json, ended: Any) -> bool:
    """Whether a pod that ended well did what its Job is for; a shard's has to say so."""
    message = _message(ended)
    return not is_part_message(message) if message else shard_of(pod) is None


def _message(ended: Any) -> str:
    return str(ended.get("message") or "")


def _phase(pod: Json) -> str:
    return str((pod.get("status") or {}).get("phase", ""))
