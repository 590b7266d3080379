from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from dumpers.repository.retention.duration import Duration, parse_duration


@pytest.mark.parametrize(
    ("start", "age", "zone", "end"),
    [
        ("2026-03-31T12:00:00Z", "1m", "UTC", "2026-03-03T12:00:00Z"),
        ("2024-02-29T12:00:00Z", "1y", "UTC", "2023-03-01T12:00:00Z"),
        ("2026-01-15T12:00:00Z", "13m", "UTC", "2024-12-15T12:00:00Z"),
        ("2026-01-15T12:00:00.5Z", "1y1m1d1h", "UTC", "2024-12-14T11:00:00.5Z"),
        # A day by the clock is 23 or 25 hours long, an hour never.
        ("2026-03-29T10:00:00Z", "1d", "Europe/Paris", "2026-03-28T11:00:00Z"),
        ("2026-03-29T10:00:00Z", "24h", "Europe/Paris", "2026-03-28T10:00:00Z"),
        ("2026-10-25T11:00:00Z", "1d", "Europe/Paris", "2026-10-24T10:00:00Z"),
        # A time that the clocks show twice, or never.
        ("2026-10-26T01:30:00Z", "1d", "Europe/Paris", "2026-10-25T01:30:00Z"),
        ("2026-11-02T06:30:00Z", "1d", "America/New_York", "2026-11-01T05:30:00Z"),
        ("2026-03-30T00:30:00Z", "1d", "Europe/Paris", "2026-03-29T01:30:00Z"),
        ("2026-01-15T12:00:00Z", "9999y", "UTC", "0001-01-01T00:00:00Z"),
        ("2026-01-15T12:00:00Z", "999999d999999h", "UTC", "0001-01-01T00:00:00Z"),
    ],
)
def test_what_lies_before(start: str, age: str, zone: str, end: str) -> None:
    found = parse_duration(age).before(datetime.fromisoformat(start), ZoneInfo(zone))
    assert found == datetime.fromisoformat(end)
    assert found.tzinfo is UTC


def test_units_come_in_any_order_and_print_in_one() -> None:
    assert str(parse_duration("2h1y7d5m")) == "1y5m7d2h"
    assert str(Duration()) == "0h"


@pytest.mark.parametrize("text", ["", "7", "d", "1.5d", "1d ", "1 d", "+1d", "1D", "1234567d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write numbers of at most six digits"):
        parse_duration(text)
