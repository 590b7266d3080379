"""News and messages as a pass makes them."""

from datetime import datetime

from controller.report.notifications.messages import Affected, Message
from controller.report.proof_ends import DrillFinished, ProofBefore, VerificationFinished
from controller.report.transitions import RunBefore, RunFinished, WorkloadOverdue
from controller.runs.causes.failure_causes import FailureCause
from controller.settings.choices import Occasion
from dumpers.contract.drill.result import Outcome

GOOD = RunBefore(succeeded=True, reason="Succeeded")
AT = "2026-01-01T00:00:00Z"
MOMENT = int(datetime.fromisoformat(AT).timestamp())
SLACK = 60


def run(
    reason: str = "",
    before: RunBefore | None = None,
    workload: str = "demo/db",
    *,
    due: int | None = None,
) -> RunFinished:
    """The end of a run, which is good without a reason."""
    return RunFinished(
        workload=workload,
        cronjob="c",
        job="j",
        succeeded=not reason,
        reason=reason or "Succeeded",
        message="why" if reason else "",
        finished=AT,
        before=before,
        due=due,
    )


def failed(reason: str = "StorageFailed") -> RunBefore:
    return RunBefore(succeeded=False, reason=reason)


def overdue(reason: str = "", workload: str = "demo/db") -> WorkloadOverdue:
    return WorkloadOverdue(
        workload=workload,
        cronjob="c",
        due=AT,
        last_success="",
        reason=reason,
        message="why" if reason else "",
    )


def verification(reason: str = "", before: ProofBefore | None = None) -> VerificationFinished:
    """The end of a verification by schedule, which is good without a reason."""
    return VerificationFinished(
        workload="demo/db",
        cronjob="c",
        job="j",
        succeeded=not reason,
        reason=reason or "Succeeded",
        message="why" if reason else "",
        finished=AT,
        is_against=reason == "BackupDamaged",
        before=before,
    )


def drill(
    reason: str = "",
    before: ProofBefore | None = None,
    *,
    in_doubt: bool = False,
    is_told: bool = True,
) -> DrillFinished:
    """The end of a drill, which passed without a reason."""
    outcome = Outcome.FAILED if reason else Outcome.PASSED
    is_against = reason in {"DrillDiffers", "BackupDamaged"}
    return DrillFinished(
        workload="demo/db",
        cronjob="c",
        job="j",
        outcome=Outcome.NOT_DRILLABLE if reason == "NotDrillable" else outcome,
        reason=reason or "Succeeded",
        message="why" if reason else "",
        finished=AT,
        is_against=is_against,
        in_doubt=in_doubt or is_against,
        is_told=is_told,
        before=before,
    )


def proof_failed(reason: str, *, in_doubt: bool = False) -> ProofBefore:
    """A proof before that failed."""
    is_against = reason in {"DrillDiffers", "BackupDamaged"}
    return ProofBefore(
        has_failed=True,
        reason=reason,
        is_against=is_against,
        in_doubt=in_doubt or is_against,
    )


def affected(workload: str = "demo/db", reason: str = "StorageFailed") -> Affected:
    message = "why" if reason else ""
    return Affected(workload=workload, cronjob="c", reason=reason, message=message, at=AT)


def message(
    count: int = 1,
    occasion: Occasion = Occasion.FAILURE,
    cause: FailureCause = FailureCause.STORE,
    reason: str = "StorageFailed",
) -> Message:
    """A message about so many workloads, of which at most ten are named."""
    named = tuple(affected(f"demo/db-{number}", reason) for number in range(min(count, 10)))
    return Message(occasion=occasion, cause=cause, count=count, affected=named)
