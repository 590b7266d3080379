"""Runs that read backups back by a schedule → how the last one ended, kept on the dump CronJob.

That CronJob records the cron line, too, and so all that is told of these runs comes from it alone.
What somebody edited in an annotation counts as not said.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from controller.model.names import LAST_VERIFY, SUSPENDED_SINCE, VERIFY_SCHEDULE, VERIFY_SINCE
from controller.model.objects import Json, Objects, annotations_of, recorded, uid_of
from controller.runs.causes.job_end import job_end
from controller.runs.due import Expectation, due, seconds_of
from controller.runs.proofs import is_scheduled, jobs_with_open_proof
from controller.runs.reasons import shortened
from controller.workloads.verifying import DEADLINE
from dumpers.contract.verify.result import VerifyResult

_LONGEST_WORD = 64
_UTC = "Etc/UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastVerification:
    """How the last run by schedule ended; `finished`, `last_success` are RFC 3339.

    `last_success` is empty before the first good one. The other members are as in a VerifyResult:
    empty and 0 where the run left none, but for `damaged` and `oldest_unread`, which then stay.
    """

    job: str
    finished: str
    last_success: str
    succeeded: bool
    reason: str
    message: str
    seconds: float = 0.0
    verified: int = 0
    damaged: int = 0
    stored_bytes: int = 0
    oldest_unread: str = ""

    @property
    def outcome(self) -> str:
        """The word for it."""
        return "succeeded" if self.succeeded else "failed"


def verification_annotations(
    cronjob: Json, jobs: Iterable[Json], pods: Mapping[str, Objects]
) -> Mapping[str, str]:
    """The annotation to write on a CronJob for runs that it does not record yet.

    `jobs` are those that verify its backups, `pods` go by Job uid. Nothing without a schedule.
    """
    if VERIFY_SCHEDULE not in annotations_of(cronjob):
        return {}
    ended = [job for job in jobs_with_open_proof(cronjob, tuple(jobs)) if is_scheduled(job)]
    runs = sorted(
        (job_end(job, pods.get(uid_of(job), ()), VerifyResult.from_json) for job in ended),
        key=lambda end: (end.finished, end.job),
    )
    if not runs:
        return {}
    last = runs[-1]
    good = [end.finished for end in runs if end.succeeded]
    before = last_verification_of(cronjob)
    # A run that did not come to look at the backups takes nothing back that is known of them.
    looks = (end.result for end in reversed(runs) if _has_looked(end.result))
    known = next(looks, None) or before
    figures = {name: getattr(last.result, name) for name in _FIGURES} if last.result else {}
    lasting = {name: getattr(known, name) for name in _LASTING} if known else {}
    record = {
        "job": last.job,
        "finished": last.finished,
        "last_success": good[-1] if good else before.last_success if before else "",
        "succeeded": last.succeeded,
        "reason": last.reason[:_LONGEST_WORD],
        "message": shortened(last.message),
        **figures,
        **lasting,
    }
    return {LAST_VERIFY: json.dumps(record, ensure_ascii=False, separators=(",", ":"))}


def verification_marks(target: Json, existing: Json | None, now: datetime) -> Mapping[str, str]:
    """The annotation that says since when the schedule is in force; empty where it stays.

    Where a suspended CronJob goes on, its schedule counts as in force from then.
    """
    schedule = annotations_of(target).get(VERIFY_SCHEDULE)
    if schedule is None:
        return {}
    before: Mapping[str, str] = annotations_of(existing or {})
    was_suspended = SUSPENDED_SINCE in before and not _is_suspended(target)
    is_known = VERIFY_SINCE in before and _line_of(existing or {}) == _line_of(target)
    if is_known and not was_suspended:
        return {}
    return {VERIFY_SINCE: now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


def last_verification_of(cronjob: Json) -> LastVerification | None:
    """How the last run ended; None without a schedule, before the first run, or if unreadable."""
    if VERIFY_SCHEDULE not in annotations_of(cronjob):
        return None
    record = recorded(cronjob, LAST_VERIFY)
    if seconds_of(record.get("finished")) is None:
        return None
    success = record.get("last_success")
    return LastVerification(
        job=str(record.get("job") or ""),
        finished=str(record["finished"]),
        last_success=str(success) if seconds_of(success) is not None else "",
        succeeded=record.get("succeeded") is True,
        reason=str(record.get("reason") or "")[:_LONGEST_WORD],
        message=str(record.get("message") or ""),
        seconds=_number(record.get("seconds")),
        verified=int(_number(record.get("verified"))),
        damaged=int(_number(record.get("damaged"))),
        stored_bytes=int(_number(record.get("stored_bytes"))),
        oldest_unread=str(record.get("oldest_unread") or "")[:_LONGEST_WORD],
    )


def verification_due(cronjob: Json, slack: int) -> int | None:
    """When the next good run must have ended, in seconds since the epoch; None if none must.

    `slack` is how many seconds after its end a run may be recorded.
    """
    annotations = annotations_of(cronjob)
    since = seconds_of(annotations.get(VERIFY_SINCE))
    if VERIFY_SCHEDULE not in annotations or since is None or _is_suspended(cronjob):
        return None
    last = last_verification_of(cronjob)
    since = max(since, (seconds_of(last.last_success) if last else None) or 0)
    schedule, zone = _line_of(cronjob)
    return due(
        Expectation(
            schedule=schedule,
            zone=zone,
            since=since,
            anchor=since,
            allowance=DEADLINE + slack,
        )
    )


def _has_looked(result: VerifyResult | None) -> bool:
    """Whether a run came to know how many backups are damaged."""
    return result is not None and (result.succeeded or bool(result.finished or result.damaged))


def _line_of(cronjob: Json) -> tuple[str, str]:
    """The cron line, and its time zone."""
    schedule = annotations_of(cronjob).get(VERIFY_SCHEDULE, "")
    return schedule, str((cronjob.get("spec") or {}).get("timeZone") or _UTC)


def _is_suspended(cronjob: Json) -> bool:
    return (cronjob.get("spec") or {}).get("suspend") is True


def _number(value: object) -> float:
    """A number that is none below 0; 0 for anything else."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < _MOST:
        return 0.0
    return float(value)


# Of that run, and of the backups.
_FIGURES = ("seconds", "verified", "stored_bytes")
_LASTING = ("damaged", "oldest_unread")
_MOST = 2**60
