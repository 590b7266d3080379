"""What a verdict against a backup says; pure."""

from collections.abc import Sequence

from dumpers.engines.drilling.checking import CheckVerdict
from dumpers.engines.drilling.protocol import Comparison

# So many tables, or checks, are named in a message; the record has all.
_NAMED = 5


def what_differs(found: Comparison) -> str:
    """The message where a comparison has found something else than was dumped."""
    bad = [f"{table.name}: {table.why}" for table in found.tables if not table.good]
    told = "; ".join((*_first(bad, "tables"), *found.faults))
    return f"what was restored is not what was dumped: {told}"


def what_does_not_hold(checks: Sequence[CheckVerdict]) -> str:
    """The message where checks of the user's own do not hold."""
    bad = [f"check {check.number} {check.why}" for check in checks if not check.good]
    told = "; ".join(_first(bad, "checks"))
    return f"what was restored is what was dumped, and does not pass drill-sql: {told}"


def _first(sentences: Sequence[str], what: str) -> Sequence[str]:
    left = len(sentences) - _NAMED
    return [*sentences[:_NAMED], *([f"{left} {what} more"] if left > 0 else [])]
