from collections import Counter
from datetime import UTC, datetime

import pytest

from controller.workloads.timing.run_times import next_run
from controller.workloads.timing.schedules import Every, ScheduleError, parse
from controller.workloads.timing.spread import is_spread, plain_schedule, read_schedule

_KEYS = [f"team-{number % 40}/database-{number}" for number in range(2000)]


def _values(schedule: str, key: str = "demo/db") -> tuple[frozenset[int], ...]:
    parsed = parse(plain_schedule(schedule, "cluster", key))
    assert not isinstance(parsed, Every)
    return parsed.values


@pytest.mark.parametrize("schedule", ["0 3 * * *", "@daily", "@every 1h", " 0  3 * * THU ", ""])
def test_a_schedule_that_leaves_nothing_to_us_stays_as_it_is(schedule: str) -> None:
    assert not is_spread(schedule)
    assert plain_schedule(schedule, "cluster", "demo/db") == schedule


@pytest.mark.parametrize(
    ("schedule", "field", "count", "low", "high"),
    [
        ("H * * * *", 0, 1, 0, 59),
        ("* H * * *", 1, 1, 0, 23),
        ("0 0 H * *", 2, 1, 1, 28),
        ("0 0 1 H *", 3, 1, 1, 12),
        ("0 0 * * H", 4, 1, 0, 6),
        ("H(10-20) * * * *", 0, 1, 10, 20),
        ("0 H(0-5) * * *", 1, 1, 0, 5),
        ("0 0 * * H(mon-FRI)", 4, 1, 1, 5),
        ("0 0 H(29-31) * *", 2, 1, 29, 31),
        ("H/15 * * * *", 0, 4, 0, 59),
        ("H/60 * * * *", 0, 1, 0, 59),
        ("H(0-29)/10 * * * *", 0, 3, 0, 29),
        ("H/1 * * * *", 0, 1, 0, 59),
        ("@hourly-random", 0, 1, 0, 59),
        ("@daily-random", 1, 1, 0, 23),
        ("@weekly-random", 4, 1, 0, 6),
    ],
)
def test_what_is_left_to_us_reaches_every_value_and_no_other(
    schedule: str, field: int, count: int, low: int, high: int
) -> None:
    found = [_values(schedule, key)[field] for key in _KEYS]
    assert {len(values) for values in found} == {count}
    assert set[int]().union(*found) == set(range(low, high + 1))


def test_a_step_goes_on_from_one_of_the_first_values() -> None:
    for key in _KEYS[:100]:
        first, *others = sorted(_values("H/15 * * * *", key)[0])
        assert first < 15
        assert others == [first + 15, first + 30, first + 45]


def test_a_list_may_hold_both() -> None:
    minutes = _values("7,H(30-35) * * * *")[0]
    assert 7 in minutes
    assert len(minutes) == 2


@pytest.mark.parametrize(
    "schedule",
    [
        "H", "H H", "H * * *", "H * * * * *", "HH * * * *", "H-5 * * * *", "H(5) * * * *",
        "H(5-1) * * * *", "H(0-60) * * * *", "H(a-b) * * * *", "H/0 * * * *", "H/61 * * * *",
        "H/x * * * *", "H(0-5)/7 * * * *", "H()/2 * * * *", "h * * * *", "H * * * 7",
        "TZ=UTC H * * *", "TZ=UTC H * * * *", "@yearly-random", "@Daily-random", "@daily-random ",
        "H(1-2-3) * * * *",
    ],
)  # fmt: skip
def test_a_wrong_one_is_refused(schedule: str) -> None:
    with pytest.raises(ScheduleError):
        read_schedule(schedule)


def test_a_workload_keeps_its_time_for_ever() -> None:
    # Written down, so that no later version moves the runs of everybody.
    assert plain_schedule("@daily-random", "12345678", "demo/db") == "27 4 * * *"
    assert plain_schedule("H H(0-5) * * *", "12345678", "demo/db") == "34 1 * * *"
    others = {plain_schedule("@daily-random", cluster, "demo/db") for cluster in ("a", "b", "c")}
    assert len(others) == 3


def test_two_thousand_workloads_share_the_day_evenly() -> None:
    runs = [
        next_run(plain_schedule("@daily-random", "12345678", key), "Etc/UTC", _MIDNIGHT)
        for key in _KEYS
    ]
    minutes = Counter((run.hour, run.minute) for run in runs if run)
    hours = Counter(run.hour for run in runs if run)
    assert max(minutes.values()) <= 8
    assert max(hours.values()) <= 1.4 * len(_KEYS) / 24
    assert hours.total() == len(_KEYS)


_MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
