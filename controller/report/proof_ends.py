"""Which end of what proves backups a write has recorded: of verifications by schedule, of drills.

Pure; see transitions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from controller.model.objects import Json
from controller.runs.proving.drills import failed_drill_of, last_drill_of
from controller.runs.proving.verifications import last_verification_of
from dumpers.contract.drill.result import Outcome


class ProofBefore(NamedTuple):
    """How the one before ended, as it was recorded: whether it failed, and why.

    `is_against` says that it spoke against a backup, `in_doubt` that one did, and none cleared it.
    """

    has_failed: bool
    reason: str
    is_against: bool
    in_doubt: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationFinished:
    """How a run ended that verifies by schedule was recorded on the dump CronJob.

    `verified` and `damaged` count the backups that were found good, and those that were not.
    `finished` is RFC 3339. `before` is None for the first one that is recorded.
    """

    workload: str
    cronjob: str
    job: str
    succeeded: bool
    reason: str
    message: str
    verified: int = 0
    damaged: int = 0
    finished: str = ""
    is_against: bool = False
    before: ProofBefore | None = None

    @property
    def has_failed(self) -> bool:
        """Whether it spoke against backups, or came to no verdict."""
        return not self.succeeded


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillFinished:
    """How a drill ended was recorded on the dump CronJob; as above.

    `is_told` is false where it failed and that concerns only whoever asked for it. `backup` is the
    id of the one that was tried, empty where there was none; `tables` were compared. `in_doubt`
    says that this drill or an earlier one spoke against a backup, and none has cleared it.
    """

    workload: str
    cronjob: str
    job: str
    outcome: Outcome
    reason: str
    message: str
    backup: str = ""
    tables: int = 0
    differing: int = 0
    seconds: float = 0.0
    finished: str = ""
    is_against: bool = False
    in_doubt: bool = False
    is_told: bool = True
    before: ProofBefore | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the backup was restored, and holds what was dumped."""
        return self.outcome is Outcome.PASSED

    @property
    def has_failed(self) -> bool:
        """Whether it spoke against the backup, or came to no verdict that is to be told."""
        return self.outcome is Outcome.FAILED and self.is_told


ProofFinished: TypeAlias = VerificationFinished | DrillFinished


def finished_proofs(
    workload: str, cronjob: str, before: Json, after: Json
) -> Iterator[ProofFinished]:
    """Yield the verification and the drill whose ends a write recorded."""
    yield from _verification(workload, cronjob, before, after)
    yield from _drill(workload, cronjob, before, after)


def _verification(
    workload: str, cronjob: str, before: Json, after: Json
) -> Iterator[VerificationFinished]:
    last, known = last_verification_of(after), last_verification_of(before)
    if last is None or (known and (known.job, known.finished) == (last.job, last.finished)):
        return
    before_it = None
    if known:
        damaged = known.found_damage
        before_it = ProofBefore(not known.succeeded, known.reason, damaged, in_doubt=damaged)
    yield VerificationFinished(
        workload=workload,
        cronjob=cronjob,
        job=last.job,
        succeeded=last.succeeded,
        reason=last.reason,
        message=last.message,
        verified=last.verified,
        damaged=last.damaged,
        finished=last.finished,
        is_against=last.found_damage,
        before=before_it,
    )


def _drill(workload: str, cronjob: str, before: Json, after: Json) -> Iterator[DrillFinished]:
    last, known = last_drill_of(after), last_drill_of(before)
    if last is None or (known and (known.job, known.finished) == (last.job, last.finished)):
        return
    before_it = None
    if known:
        was_told = failed_drill_of(before) is not None
        before_it = ProofBefore(was_told, known.reason, known.is_against, known.in_doubt)
    yield DrillFinished(
        workload=workload,
        cronjob=cronjob,
        job=last.job,
        outcome=last.outcome,
        reason=last.reason,
        message=last.message,
        backup=last.backup,
        tables=last.tables,
        differing=last.differing,
        seconds=last.seconds,
        finished=last.finished,
        is_against=last.is_against,
        in_doubt=last.in_doubt,
        is_told=not last.has_failed or failed_drill_of(after) is not None,
        before=before_it,
    )
