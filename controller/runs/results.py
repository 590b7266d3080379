"""Finished Jobs → how the last dump ended, kept on its CronJob (contract section 9.11).

Jobs and their pods go with the history limits; what they said must not.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from controller.model.names import CONTAINER, LAST_RESULT, LAST_SUCCESS
from controller.model.objects import Json, Objects, annotations_of, name_of, uid_of
from dumpers.contract.result import DumpResult

_COMPLETE = "Complete"
_FAILED = "Failed"
_UNKNOWN_EXIT = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """A finished Job and what its dumper said; `finished` is RFC 3339 in UTC."""

    job: str
    finished: str
    result: DumpResult = field(repr=False)


def has_active_job(cronjob: Json, jobs: Objects) -> bool:
    """Whether a Job of the CronJob runs or is about to: by its own status, or by its Jobs."""
    if (cronjob.get("status") or {}).get("active"):
        return True
    return any(_end(job) is None for job in jobs)


def unreported_jobs(cronjob: Json, jobs: Objects) -> Objects:
    """The finished ones of a CronJob's Jobs that its annotations do not tell of yet."""
    if not jobs:
        return ()
    result, success = (_finished(cronjob, key) for key in (LAST_RESULT, LAST_SUCCESS))
    return tuple(
        job
        for job in jobs
        if (end := _end(job))
        and _moment(job, end) > (min(result, success) if _succeeded(end) else result)
    )


def result_annotations(
    cronjob: Json, jobs: Objects, pods: Mapping[str, Objects]
) -> Mapping[str, str]:
    """The annotations to write on a CronJob for runs that it does not tell of yet.

    `jobs` are the CronJob's own, `pods` go by Job uid.

    What is recorded stays until a later run ended: the Job may outlive its pod, and would then
    know less than the record does.
    """
    later = unreported_jobs(cronjob, jobs)
    runs = [run for job in later if (run := _run(job, pods.get(uid_of(job), ())))]
    found: dict[str, str] = {}
    for key, candidates in (
        (LAST_RESULT, runs),
        (LAST_SUCCESS, [run for run in runs if run.result.succeeded]),
    ):
        latest = max(candidates, key=lambda run: (run.finished, run.job), default=None)
        if latest and latest.finished > _finished(cronjob, key):
            document = json.loads(latest.result.to_json())
            found[key] = json.dumps(
                {"job": latest.job, "finished": latest.finished, **document},
                ensure_ascii=False,
                separators=(",", ":"),
            )
    return found


def recorded(cronjob: Json, key: str) -> Mapping[str, Any]:
    """What an annotation tells of a run; empty where there is none or it is not readable."""
    try:
        document = json.loads(annotations_of(cronjob).get(key, ""))
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def finished_at(record: Mapping[str, Any]) -> float | None:
    """When a recorded run ended, in seconds since the epoch."""
    try:
        return datetime.fromisoformat(str(record.get("finished", ""))).timestamp()
    except (ValueError, OverflowError):
        return None


def _finished(cronjob: Json, key: str) -> str:
    return str(recorded(cronjob, key).get("finished", ""))


def _end(job: Json) -> Json | None:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return next(
        (
            item
            for item in conditions
            if item.get("type") in {_COMPLETE, _FAILED} and item.get("status") == "True"
        ),
        None,
    )


def _run(job: Json, pods: Objects) -> LastRun | None:
    end = _end(job)
    if end is None:
        return None
    succeeded = _succeeded(end)
    ended = [state for pod in pods if (state := _terminated(pod))]
    # Of a Job that succeeded, an earlier try's message would tell the wrong story.
    told = [state for state in ended if not succeeded or state.get("exitCode") == 0]
    last = max(told, key=lambda state: str(state.get("finishedAt", "")), default={})
    try:
        result = replace(DumpResult.from_json(str(last.get("message", ""))), succeeded=succeeded)
    except ValueError:
        # A dumper of 0.6.0, or one that was killed before it could say anything.
        result = DumpResult(
            succeeded=succeeded,
            exit_code=0 if succeeded else int(last.get("exitCode", _UNKNOWN_EXIT)),
            reason=str(end.get("reason") or last.get("reason") or end["type"]),
            message=str(end.get("message") or ""),
        )
    return LastRun(job=name_of(job), finished=_moment(job, end), result=result)


def _succeeded(end: Json) -> bool:
    return bool(end.get("type") == _COMPLETE)


def _moment(job: Json, end: Json) -> str:
    completed = (job.get("status") or {}).get("completionTime")
    return str(completed or end.get("lastTransitionTime") or "")


def _terminated(pod: Json) -> Json | None:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    for item in statuses:
        if item.get("name") == CONTAINER:
            found: Json | None = (item.get("state") or {}).get("terminated")
            return found
    return None
