"""How the dump in one pod ended: the dumper's own word, else what Kubernetes shows."""

from dataclasses import replace

from controller.model.objects import Json
from controller.runs.causes.pod_causes import VAGUE_ENDS, cause_in_pod, container_end
from controller.runs.reasons import UNKNOWN_EXIT, Cause, shortened
from dumpers.contract.result import DumpResult
from dumpers.runtime.errors import InterruptedRunError

_SUCCEEDED = "Succeeded"


def exit_code_of(pod: Json) -> int | None:
    """Return the dump container's exit code, None while it has not ended."""
    end = container_end(pod)
    return int(end.get("exitCode", UNKNOWN_EXIT)) if end else None


def finished_in(pod: Json) -> str:
    """Return when the dump container ended, in RFC 3339; empty while it has not."""
    return str((container_end(pod) or {}).get("finishedAt") or "")


def success_in(pod: Json | None) -> DumpResult:
    """Return the result of a dump that succeeded; `pod` is None if its pod is gone."""
    told = _dumper_result(pod) if pod else None
    if told:
        return replace(told, succeeded=True)
    # A dumper of 0.6.0 leaves no result.
    return DumpResult(succeeded=True, exit_code=0, reason=_SUCCEEDED, message="")


def failure_in(pod: Json) -> DumpResult | None:
    """Return why the dump in this pod failed; None if the pod shows no failure.

    The dumper's own result counts first, then what Kubernetes shows. A dumper that was told to stop
    does not know why: where Kubernetes does, its reason counts.
    """
    told, cause = _dumper_result(pod), cause_in_pod(pod)
    if told and not told.succeeded:
        if not says_why(told) and cause and cause.reason not in VAGUE_ENDS:
            why = f"{cause.message}; {told.message}" if cause.message else told.message
            return replace(told, reason=str(cause.reason), message=shortened(why))
        return told
    if cause is None:
        return None
    return failure_by(cause)


def says_why(failure: DumpResult) -> bool:
    """Whether a failure names more than that the dump was ended by somebody."""
    return failure.reason not in {InterruptedRunError.reason, *VAGUE_ENDS}


def failure_by(cause: Cause) -> DumpResult:
    """Return the result of a dump that could not say itself why it failed."""
    return DumpResult(
        succeeded=False,
        exit_code=cause.exit_code,
        reason=cause.reason,
        message=cause.message,
    )


def _dumper_result(pod: Json) -> DumpResult | None:
    """Read the dumper's termination message; None if it is not one of ours."""
    end = container_end(pod)
    try:
        return DumpResult.from_json(str(end.get("message", ""))) if end else None
    except ValueError:
        return None
