import contextlib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.workloads import schedules
from controller.workloads.schedules import ScheduleError, check_zone, next_run, parse
from tests.fakes.schedule_table import SCHEDULES, ZONES


@pytest.mark.parametrize(("schedule", "valid"), SCHEDULES.items())
def test_schedules_as_kubernetes_takes_them(schedule: str, *, valid: bool) -> None:
    with contextlib.nullcontext() if valid else pytest.raises(ScheduleError):
        parse(schedule)


@pytest.mark.parametrize(("zone", "valid"), ZONES.items())
def test_time_zones_as_kubernetes_takes_them(zone: str, *, valid: bool) -> None:
    with contextlib.nullcontext() if valid else pytest.raises(ScheduleError):
        check_zone(zone)


@given(st.text() | st.text("0123456789*/,-?@L# monfri", max_size=30))
def test_no_schedule_makes_anything_but_a_schedule_error(text: str) -> None:
    with contextlib.suppress(ScheduleError):
        parse(text)
        next_run(text, "Etc/UTC", datetime(2026, 1, 1, tzinfo=UTC))
    with contextlib.suppress(ScheduleError):
        check_zone(text)


@pytest.mark.parametrize(
    ("schedule", "zone", "now", "following"),
    [
        ("0 3 * * *", "Etc/UTC", "2026-01-01T03:00:00+00:00", "2026-01-02T03:00:00+00:00"),
        ("0 3 * * *", "Europe/Paris", "2026-01-01T03:00:00+00:00", "2026-01-02T03:00:00+01:00"),
        ("@hourly", "Etc/UTC", "2026-01-01T03:10:00+00:00", "2026-01-01T04:00:00+00:00"),
        ("? ? ? ? ?", "Etc/UTC", "2026-01-01T03:10:00+00:00", "2026-01-01T03:11:00+00:00"),
        # Both days restricted: either counts. 2026-01-04 is the first Sunday.
        ("0 0 13 * sun", "Etc/UTC", "2026-01-01T00:00:00+00:00", "2026-01-04T00:00:00+00:00"),
        # A star with a step restricts in robfig/cron, a plain one does not.
        ("0 0 */20 * sun", "Etc/UTC", "2026-01-01T00:00:00+00:00", "2026-01-04T00:00:00+00:00"),
        ("0 0 */1 * sun", "Etc/UTC", "2026-01-01T00:00:00+00:00", "2026-01-04T00:00:00+00:00"),
        ("@every 90m", "Etc/UTC", "2026-01-01T00:00:00+00:00", "2026-01-01T01:30:00+00:00"),
        ("0 0 31 2 *", "Etc/UTC", "2026-01-01T00:00:00+00:00", None),
        (", * * * *", "Etc/UTC", "2026-01-01T00:00:00+00:00", None),
    ],
)
def test_the_next_run(schedule: str, zone: str, now: str, following: str | None) -> None:
    found = next_run(schedule, zone, datetime.fromisoformat(now))
    assert found == (datetime.fromisoformat(following) if following else None)


@given(
    st.lists(st.integers(0, 59), max_size=3),
    st.lists(st.integers(0, 23), max_size=3),
    st.sampled_from(["*", "1", "31", "*/7", "29"]),
    st.sampled_from(["*", "2", "3,10", "11"]),
    st.sampled_from(["*", "sun", "1-5"]),
    st.sampled_from(["Etc/UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)),  # noqa: DTZ001
)
def test_the_fast_way_to_the_next_run_is_croniters(
    minutes: list[int],
    hours: list[int],
    day: str,
    month: str,
    weekday: str,
    zone: str,
    now: datetime,
) -> None:
    schedule = " ".join(
        (",".join(map(str, minutes)) or "*", ",".join(map(str, hours)) or "*", day, month, weekday)
    )
    parsed, local = parse(schedule), now.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    assert isinstance(parsed, schedules.Fields)
    assert next_run(schedule, zone, local) == schedules._next_by_croniter(parsed, local)


@pytest.mark.parametrize(
    "text",
    [
        f"@every {'1' * 200_000}",
        f"@every {'1' * 200_000}s",
        f"@every {'.' * 200_000}",
        f"@every {'1s' * 100_000}x",
        f"{'1,' * 100_000} * * * *",
        "*" * 200_000,
    ],
)
def test_no_schedule_costs_more_than_its_length(text: str) -> None:
    with contextlib.suppress(ScheduleError):
        parse(text)
