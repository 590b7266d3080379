"""Why a run was ended from outside, which its own containers cannot know."""

from controller.model.objects import Json
from controller.runs.causes.pod_causes import VAGUE_ENDS, cause_in_pod
from controller.runs.reasons import Cause, RunReason
from dumpers.runtime.errors import InterruptedRunError


def why_stopped(reason: str, pod: Json, end: Json) -> Cause | None:
    """The cause that stands behind a run's own `reason`, by its pod, else by its Job's `end`.

    None where the run names more than that it was told to stop, or nothing shows why it was.
    """
    if reason != InterruptedRunError.reason:
        return None
    cause = cause_in_pod(pod)
    if cause and cause.reason not in VAGUE_ENDS:
        return cause
    if end.get("reason") == RunReason.DEADLINE_EXCEEDED:
        return Cause(reason=RunReason.DEADLINE_EXCEEDED)
    return None
