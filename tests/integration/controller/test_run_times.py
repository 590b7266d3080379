"""When schedules run, against the library of Kubernetes' own CronJob controller."""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from controller.workloads.timing.run_times import next_instant
from tests.testbed.toolchain.tools import tool

_FROM = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp())
# Two years, with a 29 February.
_UNTIL = int(datetime(2029, 1, 1, tzinfo=UTC).timestamp())
_HOUR, _DAY = 3600, 86400
_ZONES = (
    "Europe/Paris",
    "America/New_York",
    # Clocks change at midnight: it does not come, or comes twice.
    "America/Santiago",
    "Asia/Beirut",
    "Africa/Cairo",
    "America/Havana",
    # By half an hour, by two, by Ramadan; a winter that is negative.
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "Europe/Dublin",
    "Europe/London",
    "Pacific/Chatham",
    "America/Nuuk",
    "Asia/Kolkata",
    "Pacific/Kiritimati",
    "Etc/UTC",
)
# Run by run over the two years.
_SELDOM = (
    "0 3 * * *", "0 0 * * *", "30 2 * * *", "0 2 * * *", "59 1 * * *", "30 1 * * *", "15 2 * * *",
    "1 0 * * *", "30 0 * * *", "0 1 * * *", "59 23 * * *", "45 2 * * sun", "30 0 * * sat,sun",
    "0 0 31 * *", "0 0 30 * *", "0 0 29 2 *", "0 0 29 * *", "0 12 28-31 * *", "30 2 29 3 *",
    "0 0 13 * fri", "0 0 */20 * sun", "0 0 */1 * sun", "0 0 1 */3 *", "0 4 * * mon-fri",
    "0 4 * JAN-Mar SUN", "0 0 1 1 *", "0 22 1-7 * mon", "0 0 * * 0", "0 3 * * mon/2",
    "0 0 ? * ?", "0 3 ? 3,10 ?", "0 0 15,31 3-10/7 *", "0 0 , * 1", "5 4 31 1-12/2 *",
    "0 0 31 2 *", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually",
    "@every 36h", "@every 24h", "+5 05 003 * *",
)  # fmt: skip
# After many moments around each change of clocks.
_OFTEN = (
    "*/5 * * * *", "* * * * *", "? ? ? ? ?", "0 * * * *", "@hourly", "30 */2 * * *",
    "0,30 0-6,22 * * mon-fri", "10-20/3 * * * *", "5/15 * * * *", "0 0-23/3 * * *",
    "*/7 1,2,3 * * *", "*/17 2 * * *", "15,45 0,1 * * *", "0 */5 * * *", "*/20 23,0 * * *",
    "*/30 2 */2 * *", "0 1,2 * 3,10 *", "*/15 0 * * sun", "1,,2 * * * *", "*/1000 * * * *",
    ", * * * *", "@every 90m", "@every 1h30m", "@every 1.5h", "@every 0", "@every 10ms",
    "0 6,18 1,15 * *", "*-5 3 * * *",
)  # fmt: skip


def _changes_of(zone: str) -> Iterator[int]:
    """The moments of the two years at which the clocks of a zone change."""

    def offset(instant: int) -> object:
        return datetime.fromtimestamp(instant, ZoneInfo(zone)).utcoffset()

    for hour in range(_FROM, _UNTIL, _HOUR):
        if offset(hour) != offset(hour + _HOUR):
            yield hour + _HOUR


@pytest.fixture(scope="module")
def moments() -> dict[str, list[int]]:
    """Of each zone, moments before and after each change of clocks, not all of them whole hours."""
    around = range(-3 * _HOUR, 26 * _HOUR, 3301)
    ordinary = [_FROM + number * 6_666_667 for number in range(9)]
    return {
        zone: [*ordinary, *(change + away for change in _changes_of(zone) for away in around)]
        for zone in _ZONES
    }


def _ask(questions: list[dict[str, Any]]) -> list[dict[str, list[int]]]:
    done = subprocess.run(
        [tool("cron")],
        input="".join(f"{json.dumps(question)}\n" for question in questions),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _chain(schedule: str, zone: str) -> list[int]:
    found, at = [], next_instant(schedule, zone, _FROM)
    while at is not None and at <= _UNTIL:
        found.append(at)
        at = next_instant(schedule, zone, at)
    return found


def _zones_of(number: int) -> tuple[str, str]:
    """Two zones of each schedule, in turn."""
    return _ZONES[number % len(_ZONES)], _ZONES[(number + 7) % len(_ZONES)]


def test_runs_are_those_of_the_cronjob_controller(moments: dict[str, list[int]]) -> None:
    assert len(_SELDOM) + len(_OFTEN) >= 60
    cases: list[dict[str, Any]] = [
        {"Schedule": schedule, "Zone": zone, "From": _FROM, "Until": _UNTIL, "After": moments[zone]}
        for number, schedule in enumerate(_SELDOM)
        for zone in _zones_of(number)[:1]
    ]
    cases += [
        {"Schedule": schedule, "Zone": zone, "After": moments[zone]}
        for number, schedule in enumerate((*_SELDOM, *_OFTEN))
        for zone in _zones_of(number)[schedule in _SELDOM :]
    ]
    for case, told in zip(cases, _ask(cases), strict=True):
        schedule, zone = case["Schedule"], case["Zone"]
        after = [next_instant(schedule, zone, moment) or 0 for moment in case["After"]]
        assert after == told["next"], (schedule, zone)
        if "Until" in case:
            assert _chain(schedule, zone) == told["chain"], (schedule, zone)
