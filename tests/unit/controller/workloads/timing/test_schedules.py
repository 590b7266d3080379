import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.workloads.timing.run_times import next_run
from controller.workloads.timing.schedules import ScheduleError, check_zone, parse
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
