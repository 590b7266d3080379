"""The shortest time between two runs, held against the runs themselves."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.workloads.timing.intervals import days_between, shortest_interval
from controller.workloads.timing.run_times import next_instant

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("* * * * *", _MINUTE),
        ("*/15 * * * *", 15 * _MINUTE),
        # Every 40 minutes is none: 0 and 40, and 20 to the next hour.
        ("*/40 * * * *", 20 * _MINUTE),
        ("0 3 * * *", _DAY),
        ("@hourly", _HOUR),
        ("@daily", _DAY),
        ("@every 90s", 90),
        ("@every 1h30m", 90 * _MINUTE),
        # Rare, but two runs follow each other.
        ("0,1 0 1 1 *", _MINUTE),
        ("59 23 31 12 *", 365 * _DAY),
        ("0,59 0,23 * * *", _MINUTE),
        ("0,59 0,23 1 * *", 59 * _MINUTE),
        ("0 0 * * 0", 7 * _DAY),
        ("0 0 * * 1,3", 2 * _DAY),
        ("0 0 1,15 * *", 14 * _DAY),
        ("0 0 1 * 1", _DAY),
        ("0 0 29 2 *", 4 * 365 * _DAY + _DAY),
        # Never.
        ("0 0 31 2 *", None),
        (", * * * *", None),
    ],
)
def test_the_shortest_interval(schedule: str, expected: int | None) -> None:
    assert shortest_interval(schedule) == expected


def test_the_calendar_is_walked_once_for_all_times_of_the_same_days() -> None:
    for days in ("* * 3", "17 * *", "29 2 *"):
        before = days_between.cache_info().misses
        found = {
            shortest_interval(f"{minute} {hour} {days}")
            for minute in range(60)
            for hour in range(24)
        }
        assert len(found) == 1
        assert days_between.cache_info().misses - before <= 1


_ITEMS = st.sampled_from(["0", "5", "1", "*/2", "3-5", "1,4", "*"])


@settings(max_examples=60, deadline=None)
@given(st.lists(_ITEMS, min_size=5, max_size=5))
def test_no_two_runs_are_closer(parts: list[str]) -> None:
    schedule = " ".join(
        part.replace("0", "2") if n in {2, 3} else part for n, part in enumerate(parts)
    )
    least = shortest_interval(schedule)
    at = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    for _ in range(200):
        then = next_instant(schedule, "Etc/UTC", at)
        if then is None:
            break
        after = next_instant(schedule, "Etc/UTC", then)
        if after is None:
            break
        assert least is not None
        assert least <= after - then
        at = then
