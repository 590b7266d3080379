"""Drills, by a schedule or asked for → how the last one ended, kept on the dump CronJob.

A drill fails in two ways that are told apart everywhere. It came to a verdict against the backup,
which is in doubt until a later drill clears it; or it came to none, as the environment did not let
it. One that is not possible here is no failure. It is no success, either, but an answer: a schedule
whose every drill says so is not overdue for ever.

What somebody edited in an annotation counts as not said.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from controller.model.names import LAST_DRILL, LAST_SUCCESS
from controller.model.objects import Json, Objects, recorded, uid_of
from controller.runs.causes.job_end import JobEnd, job_end
from controller.runs.due import seconds_of
from controller.runs.proving.jobs import finished_in, is_drill, jobs_with_open_proof
from controller.runs.proving.record_members import (
    LONGEST_WORD,
    moment_in,
    name_in,
    number_in,
    word_in,
)
from controller.runs.proving.schedules import DRILLS
from controller.runs.reasons import shortened
from dumpers.contract.drill.result import DrillResult, Outcome
from dumpers.runtime.errors import DRILL_VERDICTS

# Of a drill whose Job says nothing.
NO_VERDICT = "NoVerdict"
# Of one that found no backup, though there must be one.
BACKUPS_MISSING = "BackupsMissing"
_ANSWERS = frozenset(map(str, (Outcome.PASSED, Outcome.NOT_DRILLABLE)))
_NO_VERDICT_MESSAGE = "its Job succeeded and left no result, so nobody knows what it found"
_MISSING_MESSAGE = "the bucket holds no backup of the workload, and its dumps have stored some"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDrill:
    """How the last drill ended; moments are RFC 3339.

    `last_success` is when the last one ended that passed, `answered` when the last one did that
    passed or said that no drill is possible; both are empty before the first. While `in_doubt`, a
    drill found that the backup `doubted` holds something else than was dumped, and none has passed
    since of it or of one that began later than it did, at `doubted_began`. The other members are as
    in a DrillResult: empty and 0 where the drill left none.
    """

    job: str
    finished: str
    outcome: Outcome
    reason: str
    message: str
    last_success: str = ""
    answered: str = ""
    in_doubt: bool = False
    doubted: str = ""
    doubted_began: str = ""
    backup: str = ""
    began: str = ""
    server_version: str = ""
    image: str = ""
    tables: int = 0
    differing: int = 0
    checks: int = 0
    checks_failed: int = 0
    age_seconds: float = 0.0
    seconds: float = 0.0
    start_seconds: float = 0.0
    restore_seconds: float = 0.0
    compare_seconds: float = 0.0
    check_seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        """Whether the backup was restored, and holds what was dumped."""
        return self.outcome is Outcome.PASSED

    @property
    def has_failed(self) -> bool:
        """Whether it came to a verdict against the backup, or to none."""
        return self.outcome is Outcome.FAILED

    @property
    def is_impossible(self) -> bool:
        """Whether no drill can be made of the backup here, which is no fault of it."""
        return self.outcome is Outcome.NOT_DRILLABLE

    @property
    def is_against(self) -> bool:
        """Whether it came to a verdict against the backup."""
        return self.has_failed and (self.differing > 0 or self.reason in DRILL_VERDICTS)


def verdict_of_drill(result: DrillResult) -> bool | None:
    """Whether a backup holds what was dumped; None where a drill of it came to no verdict."""
    if result.succeeded:
        return True if result.outcome == Outcome.PASSED and result.backup else None
    return False if result.differing > 0 or result.reason in DRILL_VERDICTS else None


def drill_annotations(
    cronjob: Json, jobs: Iterable[Json], pods: Mapping[str, Objects]
) -> Mapping[str, str]:
    """The annotation to write on a CronJob for drills that it does not record yet.

    `jobs` are those that prove its backups, `pods` go by Job uid.
    """
    ended = [job for job in jobs_with_open_proof(cronjob, tuple(jobs)) if is_drill(job)]
    if not ended:
        return {}
    runs = sorted(
        (job_end(job, pods.get(uid_of(job), ()), DrillResult.from_json) for job in ended),
        key=lambda end: (end.finished, end.job),
    )
    last = last_drill_of(cronjob)
    for end in runs:
        last = _following(last, _drill(end, cronjob))
    if last is None:
        return {}
    empty = {field.name for field in fields(last) if field.default == getattr(last, field.name)}
    record = {name: value for name, value in asdict(last).items() if name not in empty}
    return {LAST_DRILL: json.dumps(record, ensure_ascii=False, separators=(",", ":"))}


def last_drill_of(cronjob: Json) -> LastDrill | None:
    """How the last drill ended; None before the first one, or where that cannot be read."""
    record = recorded(cronjob, LAST_DRILL)
    finished, outcome = moment_in(record, "finished"), str(record.get("outcome"))
    if not finished or outcome not in set(Outcome):
        return None
    figures: dict[str, Any] = {name: number_in(record, name) for name in _SECONDS}
    figures |= {name: int(number_in(record, name)) for name in _NUMBERS}
    return LastDrill(
        job=str(record.get("job") or ""),
        finished=finished,
        outcome=Outcome(outcome),
        reason=word_in(record, "reason"),
        message=str(record.get("message") or ""),
        last_success=moment_in(record, "last_success"),
        answered=moment_in(record, "answered"),
        in_doubt=record.get("in_doubt") is True,
        doubted=word_in(record, "doubted"),
        doubted_began=moment_in(record, "doubted_began"),
        backup=word_in(record, "backup"),
        began=moment_in(record, "began"),
        server_version=name_in(record, "server_version"),
        image=name_in(record, "image"),
        **figures,
    )


def drill_due(cronjob: Json, deadline: int, slack: int) -> int | None:
    """When the next drill must have passed, or have said that it is not possible.

    In seconds since the epoch; None if none must. A drill may take `deadline` seconds, and be
    recorded `slack` seconds after its end.
    """
    last = last_drill_of(cronjob)
    return DRILLS.due(cronjob, last.answered if last else "", deadline + slack)


def failed_drill_of(cronjob: Json) -> LastDrill | None:
    """The last drill, where it failed and that is to be told; None otherwise.

    Without a schedule one that came to no verdict is the concern of whoever asked for it alone.
    """
    last = last_drill_of(cronjob)
    if last is None or not last.has_failed:
        return None
    return last if last.is_against or DRILLS.is_asked(cronjob) else None


def _drill(end: JobEnd[DrillResult], cronjob: Json) -> LastDrill:
    """How one drill of a CronJob's backups ended, as if it were the first."""
    told = end.result
    outcome, reason, message = Outcome.FAILED, end.reason, end.message
    if told and told.succeeded and told.outcome in _ANSWERS:
        # Its reader was through: what then became of the server in its pod says nothing of that.
        outcome, reason, message = Outcome(told.outcome), told.reason, told.message
        if outcome is Outcome.NOT_DRILLABLE and not told.backup and _has_stored(cronjob, end):
            # There is none yet, says the reader, which knows the bucket alone.
            outcome, reason, message = Outcome.FAILED, BACKUPS_MISSING, _MISSING_MESSAGE
    elif end.succeeded:
        # A Job ends well in either case: no answer must not count as a good one.
        reason, message = NO_VERDICT, _NO_VERDICT_MESSAGE
    figures: dict[str, Any] = {}
    if told:
        figures = {name: getattr(told, name) for name in (*_TEXTS, *_NUMBERS, *_SECONDS)}
    return LastDrill(
        job=end.job,
        finished=end.finished,
        outcome=outcome,
        reason=reason[:LONGEST_WORD],
        message=shortened(message),
        **figures,
    )


def _has_stored(cronjob: Json, end: JobEnd[DrillResult]) -> bool:
    """Whether a backup was stored before a drill ended; none of ksnapshot 0.6.0 counts."""
    stored = seconds_of(finished_in(cronjob, LAST_SUCCESS))
    ended = seconds_of(end.finished)
    has_record = bool(recorded(cronjob, LAST_SUCCESS).get("record"))
    return has_record and stored is not None and ended is not None and stored < ended


def _following(before: LastDrill | None, new: LastDrill) -> LastDrill:
    """A drill with what lasts of those before it."""
    success = before.last_success if before else ""
    answered = before.answered if before else ""
    doubt: dict[str, Any] = {name: getattr(before, name) for name in _DOUBT} if before else {}
    if new.is_against and not (before and before.in_doubt and _is_older(new, before)):
        doubt = {"in_doubt": True, "doubted": new.backup, "doubted_began": new.began}
    elif before and before.in_doubt and _clears(before, new):
        doubt = {}
    return replace(
        new,
        last_success=new.finished if new.succeeded else success,
        answered=answered if new.has_failed else new.finished,
        **doubt,
    )


def _is_older(new: LastDrill, before: LastDrill) -> bool:
    """Whether a drill was of an older backup than the one in doubt."""
    doubted, began = seconds_of(before.doubted_began), seconds_of(new.began)
    return doubted is not None and began is not None and began < doubted


def _clears(before: LastDrill, new: LastDrill) -> bool:
    """Whether a drill takes back a doubt: it passed, and not of a backup that is older."""
    if not new.succeeded:
        return False
    doubted, began = seconds_of(before.doubted_began), seconds_of(new.began)
    is_later = doubted is None or (began is not None and began > doubted)
    return is_later or new.backup == before.doubted


_TEXTS = ("backup", "began", "server_version", "image")
_NUMBERS = ("tables", "differing", "checks", "checks_failed")
_SECONDS = (
    *("age_seconds", "seconds", "start_seconds", "restore_seconds", "compare_seconds"),
    "check_seconds",
)
_DOUBT = ("in_doubt", "doubted", "doubted_began")
