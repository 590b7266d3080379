import pytest
from msgspec.structs import replace

from dumpers.contract.drill.result import Outcome
from dumpers.engines.drilling.checking import CheckVerdict
from dumpers.engines.drilling.protocol import TableVerdict
from dumpers.runs.drill.result import result_of
from dumpers.runs.restore.exchange.messages import Rehearsal, Verdict, failed_verdict
from dumpers.runtime.errors import DrillDiffersError, KsnapshotError, NotDrillableError

GOOD = Verdict(succeeded=True, exit_code=0, reason="Succeeded", message="")


@pytest.mark.parametrize(
    ("verdict", "outcome", "succeeded"),
    [
        (GOOD, Outcome.PASSED, True),
        (failed_verdict(DrillDiffersError("t differs")), Outcome.FAILED, False),
        (failed_verdict(NotDrillableError("no backup")), Outcome.NOT_DRILLABLE, True),
        (failed_verdict(KsnapshotError("broken")), Outcome.FAILED, False),
    ],
)
def test_a_drill_that_cannot_be_made_is_no_failure(
    verdict: Verdict, outcome: Outcome, *, succeeded: bool
) -> None:
    result = result_of(verdict)
    assert (result.outcome, result.succeeded) == (outcome, succeeded)
    assert (result.reason, result.exit_code) == (verdict.reason, verdict.exit_code)
    assert (result.message, result.tables, result.checks) == (verdict.message, 0, 0)


def test_tables_and_checks_that_are_wrong_are_counted() -> None:
    found = Rehearsal(
        tables=tuple(TableVerdict(name=name, rows=1, good=name != "b") for name in "abc"),
        checks=tuple(
            CheckVerdict(number=number, good=number < 3, seconds=0.5) for number in (1, 2, 3, 4)
        ),
        check_seconds=2.0,
        restore_seconds=3.0,
    )
    result = result_of(replace(GOOD, rehearsal=found))
    assert (result.tables, result.differing) == (3, 1)
    assert (result.checks, result.checks_failed) == (4, 2)
    assert (result.check_seconds, result.restore_seconds) == (2.0, 3.0)
