"""Runs that read backups back by a schedule → how the last one ended, kept on the dump CronJob.

What somebody edited in an annotation counts as not said.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.model.names import LAST_VERIFY
from controller.model.objects import Json, Objects, recorded, uid_of
from controller.runs.causes.job_end import job_end
from controller.runs.proving.jobs import is_scheduled_verification, jobs_with_open_proof
from controller.runs.proving.record_members import LONGEST_WORD, moment_in, number_in, word_in
from controller.runs.proving.schedules import VERIFICATIONS
from controller.runs.reasons import shortened
from controller.workloads.verifying import DEADLINE
from dumpers.contract.verify.result import VerifyResult
from dumpers.runtime.errors import BackupDamagedError


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

    @property
    def found_damage(self) -> bool:
        """Whether it failed because a backup is damaged, and not for want of a verdict."""
        return not self.succeeded and self.reason == BackupDamagedError.reason


def verification_annotations(
    cronjob: Json, jobs: Iterable[Json], pods: Mapping[str, Objects]
) -> Mapping[str, str]:
    """The annotation to write on a CronJob for runs that it does not record yet.

    `jobs` are those that verify its backups, `pods` go by Job uid. Nothing without a schedule.
    """
    if not VERIFICATIONS.is_asked(cronjob):
        return {}
    opened = jobs_with_open_proof(cronjob, tuple(jobs))
    ended = [job for job in opened if is_scheduled_verification(job)]
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
        "reason": last.reason[:LONGEST_WORD],
        "message": shortened(last.message),
        **figures,
        **lasting,
    }
    return {LAST_VERIFY: json.dumps(record, ensure_ascii=False, separators=(",", ":"))}


def last_verification_of(cronjob: Json) -> LastVerification | None:
    """How the last run ended; None without a schedule, before the first run, or if unreadable."""
    record = recorded(cronjob, LAST_VERIFY) if VERIFICATIONS.is_asked(cronjob) else {}
    finished = moment_in(record, "finished")
    if not finished:
        return None
    return LastVerification(
        job=str(record.get("job") or ""),
        finished=finished,
        last_success=moment_in(record, "last_success"),
        succeeded=record.get("succeeded") is True,
        reason=word_in(record, "reason"),
        message=str(record.get("message") or ""),
        seconds=number_in(record, "seconds"),
        verified=int(number_in(record, "verified")),
        damaged=int(number_in(record, "damaged")),
        stored_bytes=int(number_in(record, "stored_bytes")),
        oldest_unread=word_in(record, "oldest_unread"),
    )


def verification_due(cronjob: Json, slack: int) -> int | None:
    """When the next good run must have ended, in seconds since the epoch; None if none must.

    `slack` is how many seconds after its end a run may be recorded.
    """
    last = last_verification_of(cronjob)
    return VERIFICATIONS.due(cronjob, last.last_success if last else "", DEADLINE + slack)


def _has_looked(result: VerifyResult | None) -> bool:
    """Whether a run came to know how many backups are damaged."""
    return result is not None and (result.succeeded or bool(result.finished or result.damaged))


# Of that run, and of the backups.
_FIGURES = ("seconds", "verified", "stored_bytes")
_LASTING = ("damaged", "oldest_unread")
