"""Jobs → how the last dump ended, kept on its CronJob (contract section 9.11).

Jobs and their pods go with the history limits; how they ended must not.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from controller.model.names import (
    HISTORY,
    LAST_RESULT,
    LAST_SUCCESS,
    SIZE_ACCEPTED,
    STORAGES,
)
from controller.model.objects import Json, Objects, name_of, recorded, uid_of
from controller.runs.causes.event_causes import cause_in_events
from controller.runs.causes.pod_causes import pods_newest_first, running_containers
from controller.runs.causes.shards import failed_shards_first, parts_alone, shard_of
from controller.runs.dump_outcome import (
    NO_MANIFEST,
    exit_code_of,
    failure_by,
    failure_in,
    finished_in,
    has_stored,
    says_why,
    stored_part,
    success_in,
)
from controller.runs.history import history_of, history_with, past_run
from controller.runs.job_status import end_of, ended_at, is_active, is_complete, started_at
from controller.runs.reasons import UNKNOWN_EXIT, RunReason, shortened
from controller.runs.storage_marks import stored_with
from dumpers.contract.result import DumpResult

_FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """How a Job's dump ended; `finished` is RFC 3339 in UTC.

    `job_reason` is the Job's own reason for its failure, which is often a generic one
    (`BackoffLimitExceeded`); empty where the Job has not failed. `recorded` is the end by which the
    CronJob records this very run already; empty where it does not, or records a later run.
    """

    job: str
    finished: str
    result: DumpResult = field(repr=False)
    job_reason: str = ""
    recorded: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Records:
    """The two runs that a CronJob records, parsed once, as there are many Jobs to compare."""

    result: Mapping[str, Any]
    success: Mapping[str, Any]


def jobs_with_open_result(cronjob: Json, jobs: Objects) -> Objects:
    """Select the Jobs whose pods have to be read: those that run, and those not recorded yet."""
    if not jobs:
        return ()
    records = _records(cronjob)
    return tuple(job for job in jobs if is_active(job) or _is_unreported(records, job))


def result_annotations(
    cronjob: Json,
    jobs: Objects,
    pods: Mapping[str, Objects],
    events: Mapping[str, Objects] = MappingProxyType({}),
) -> Mapping[str, str]:
    """Return the annotations to write on a CronJob for runs that it does not record yet.

    `jobs` are the CronJob's own, `pods` and `events` go by Job uid.

    A record stays until a later run ended: the Job may outlive its pod, and would then know less
    than the record does.
    """
    if not jobs:
        return {}
    records = _records(cronjob)
    runs = [
        replace(run, recorded=_finished(records.result)) if _is_of(records.result, job) else run
        for job in jobs
        if (run := _run(records, job, pods.get(uid_of(job), ()), events.get(uid_of(job), ())))
    ]
    annotations: dict[str, str] = {}
    for key, record, candidates in (
        (LAST_RESULT, records.result, runs),
        (LAST_SUCCESS, records.success, [run for run in runs if run.result.succeeded]),
    ):
        latest = max(candidates, key=lambda run: (run.finished, run.job), default=None)
        if latest and latest.finished > _finished(record):
            annotations[key] = _record(latest)
            if key == LAST_SUCCESS and latest.result.size_accepted:
                annotations[SIZE_ACCEPTED] = latest.finished
    if annotations and (history := _history(cronjob, records, runs)):
        annotations[HISTORY] = history
    ends = ((run.finished, run.result) for run in runs)
    if annotations and (stored := stored_with(cronjob, ends)):
        annotations[STORAGES] = stored
    return annotations


def lacks_cause(cronjob: Json, job: Json, pods: Objects) -> bool:
    """Whether a Job has failed, is not recorded, and its pods do not show why."""
    end = end_of(job)
    if end is None or is_complete(end) or not _is_unreported(_records(cronjob), job):
        return False
    return not any(has_stored(pod) or failure_in(pod) for pod in pods)


def finished_at(record: Mapping[str, Any]) -> float | None:
    """Return when a recorded run ended, in seconds since the epoch; None if that is unreadable."""
    try:
        return datetime.fromisoformat(str(record.get("finished", ""))).timestamp()
    except (ValueError, OverflowError):
        return None


def _record(run: LastRun) -> str:
    document = {"job": run.job, "finished": run.finished, **json.loads(run.result.to_json())}
    if run.job_reason:
        document["job_reason"] = run.job_reason
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _records(cronjob: Json) -> _Records:
    return _Records(result=recorded(cronjob, LAST_RESULT), success=recorded(cronjob, LAST_SUCCESS))


def _history(cronjob: Json, records: _Records, runs: list[LastRun]) -> str | None:
    """Write the history with all runs that a result is recorded for now; None if there are none.

    A run whose Job had not ended when it was recorded takes the place of that record.
    """
    result, success = _finished(records.result), _finished(records.success)
    new = [
        run
        for run in sorted(runs, key=lambda run: (run.finished, run.job))
        if run.finished > (min(result, success) if run.result.succeeded else result)
    ]
    return history_with(
        history_of(cronjob),
        [past_run(run.finished, run.result) for run in new],
        {run.recorded for run in new if run.recorded},
    )


def _is_unreported(records: _Records, job: Json) -> bool:
    """Whether a Job has ended and its result is not recorded yet."""
    end = end_of(job)
    if end is None or _is_of(records.success, job):
        # A dump that succeeded did so, whatever became of its Job afterwards.
        return False
    result, success = _finished(records.result), _finished(records.success)
    return ended_at(job, end) > (min(result, success) if is_complete(end) else result)


def _is_of(record: Mapping[str, Any], job: Json) -> bool:
    """Whether a record is of this very Job, not of an earlier one with its name."""
    return record.get("job") == name_of(job) and _finished(record) >= started_at(job)


def _finished(record: Mapping[str, Any]) -> str:
    return str(record.get("finished", ""))


def _run(records: _Records, job: Json, pods: Objects, events: Objects) -> LastRun | None:
    """Return how a Job's dump ended; None while it has not, or if that is recorded already."""
    end, tries = end_of(job), pods_newest_first(pods)
    good = next(filter(has_stored, tries), None)
    if end is None:
        is_known = good is not None and _is_of(records.success, job)
        return None if is_known else _run_of_active_job(job, tries, good)
    if not _is_unreported(records, job):
        return None
    if is_complete(end) and not good and parts_alone(job, filter(stored_part, tries)):
        return LastRun(job=name_of(job), finished=ended_at(job, end), result=NO_MANIFEST)
    if is_complete(end):
        return LastRun(job=name_of(job), finished=ended_at(job, end), result=success_in(good))
    if good:
        # Its backup stands: what failed the Job came later, such as a sidecar that never ends.
        # Of two clocks, of which the node's may be ahead.
        finished = min(filter(None, (finished_in(good), ended_at(job, end))), default="")
        return LastRun(job=name_of(job), finished=finished, result=success_in(good))
    return LastRun(
        job=name_of(job),
        finished=ended_at(job, end),
        result=_failure(records.result, job, tries, events),
        job_reason=str(end.get("reason") or ""),
    )


def _run_of_active_job(job: Json, tries: list[Json], good: Json | None) -> LastRun | None:
    """Return how the dump ended in a Job that other containers (a mesh's proxy) keep from ending.

    `good` is the pod of the try that succeeded: its backup stands, even if a proxy that failed
    later has made the Job try again. None while the dump runs, or if it failed and its pod has
    ended: then another try or the Job's end follows.
    """
    if good:
        return LastRun(job=name_of(job), finished=finished_in(good), result=success_in(good))
    newest = tries[0] if tries else {}
    if shard_of(newest):
        # The other shards go on.
        return None
    # A pod without such containers is about to end, and its Job: that end is the one to record.
    if exit_code_of(newest) is None or not running_containers(newest):
        return None
    if (failed := failure_in(newest)) is None:
        return None
    return LastRun(job=name_of(job), finished=finished_in(newest), result=failed)


def _failure(
    record: Mapping[str, Any], job: Json, tries: list[Json], events: Objects
) -> DumpResult:
    """Find why a Job failed: from its pods, else the record, else Events, else the Job itself.

    Where the Job's deadline ended its last try, what an earlier one failed by took the time.
    """
    end = end_of(job) or {}
    pods = failed_shards_first(job, tries)
    in_pods = [failed for pod in pods if (failed := failure_in(pod))]
    if in_pods and end.get("reason") == RunReason.DEADLINE_EXCEEDED:
        late = replace(in_pods[0], reason=str(RunReason.DEADLINE_EXCEEDED))
        return next(filter(says_why, in_pods), late)
    if in_pods:
        return in_pods[0]
    if _is_of(record, job):
        try:
            return DumpResult.from_json(json.dumps(record))
        except ValueError:
            pass
    if cause := cause_in_events(events):
        return failure_by(cause)
    return DumpResult(
        succeeded=False,
        exit_code=UNKNOWN_EXIT,
        reason=str(end.get("reason") or _FAILED),
        message=shortened(end.get("message")),
    )
