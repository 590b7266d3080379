"""A drill's result, as far as its verdict tells that; pure."""

from dumpers.contract.drill.result import DrillResult, Outcome
from dumpers.runs.restore.exchange.messages import Rehearsal, Verdict
from dumpers.runtime.errors import NotDrillableError


def result_of(verdict: Verdict) -> DrillResult:
    """How the drill ended, with the figures of what the client has done; nothing of the backup."""
    found = verdict.rehearsal or Rehearsal()
    outcome = Outcome.PASSED if verdict.succeeded else Outcome.FAILED
    if verdict.reason == NotDrillableError.reason:
        outcome = Outcome.NOT_DRILLABLE
    return DrillResult(
        succeeded=outcome is not Outcome.FAILED,
        exit_code=verdict.exit_code,
        reason=verdict.reason,
        message=verdict.message,
        outcome=outcome,
        server_version=found.server_version,
        tables=len(found.tables),
        differing=sum(not table.good for table in found.tables),
        start_seconds=found.start_seconds,
        restore_seconds=found.restore_seconds,
        compare_seconds=found.compare_seconds,
        checks=len(found.checks),
        checks_failed=sum(not check.good for check in found.checks),
        check_seconds=found.check_seconds,
    )
