"""How the dump in one pod ended: the dumper's own word, else what Kubernetes shows."""

from dataclasses import replace

from controller.model.objects import Json
from controller.runs.causes.pod_causes import VAGUE_ENDS, cause_in_pod, container_end
from controller.runs.causes.shards import is_part, named_by_shard, shard_of
from controller.runs.reasons import UNKNOWN_EXIT, Cause, RunReason, shortened
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
    if (found := _failure(told, cause)) is None:
        return None
    return replace(found, message=shortened(named_by_shard(found, pod)))


def _failure(told: DumpResult | None, cause: Cause | None) -> DumpResult | None:
    if told and not told.succeeded:
        if not says_why(told) and cause and cause.reason not in VAGUE_ENDS:
            why = f"{cause.message}; {told.message}" if cause.message else told.message
            return replace(told, reason=str(cause.reason), message=shortened(why))
        return told
    if cause is None:
        return None
    return failure_by(cause)


def stored_part(pod: Json) -> bool:
    """Whether the dump in this pod stored a shard, and left the backup to another pod."""
    return exit_code_of(pod) == 0 and is_part(_dumper_result(pod))


def has_stored(pod: Json) -> bool:
    """Whether the dump in this pod succeeded and made the backup.

    Of a pod that has a shard, its own word alone says so: others may still run.
    """
    told = _dumper_result(pod)
    says_so = not is_part(told) if told else shard_of(pod) is None
    return exit_code_of(pod) == 0 and says_so


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


# Of a Job all of whose pods left the backup to another one.
NO_MANIFEST = failure_by(
    Cause(
        reason=RunReason.MANIFEST_MISSING,
        message="every pod stored its shard, and none found those of all others: there is no "
        "backup of this run",
    )
)
