"""A period begins when backups can have been made, or it is refused."""

from datetime import UTC, datetime

import pytest

from dumpers.repository.retention.period import begin_of_period

UNTIL = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_period_begins_so_long_ago() -> None:
    assert begin_of_period("1y1d", UNTIL) == datetime(2025, 2, 28, 12, tzinfo=UTC)
    assert begin_of_period("56y", UNTIL).year == 1970


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("57y", "it begins before 1970, which no backup does: write 56y at most"),
        ("1025y", "before 1970"),
        ("3000y", "before 1970"),
        ("999999y", "before 1970"),
        ("soon", "write numbers"),
    ],
)
def test_a_period_that_cannot_be_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        begin_of_period(text, UNTIL)
