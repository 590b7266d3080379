"""Finds when a schedule begins a run, to the second as Kubernetes' CronJob controller does.

A step-by-step port of `SpecSchedule.Next` and `ConstantDelaySchedule.Next` of robfig/cron v3.0.1,
which that controller calls, and of the part of Go's `time.Date` that picks an instant where clocks
change: what becomes of the hour that is lost or doubled follows from how they walk.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from controller.workloads.timing.schedules import Every, Fields, parse

_MINUTE, _HOUR = 60, 3600
_MONTHS, _NOON = 12, 12
# robfig/cron gives up a schedule that finds no day for so long.
_YEARS = 5


def next_run(schedule: str, zone: str, now: datetime) -> datetime | None:
    """The first run of a valid schedule after `now`, in its zone; None if it never runs.

    `@every` counts from the CronJob's own past, which only the cluster knows: `now` plus the delay
    is the latest it can be.
    """
    found = next_instant(schedule, zone, int(now.timestamp()))
    return None if found is None else datetime.fromtimestamp(found, ZoneInfo(zone))


# Workloads share schedules, and are asked about the same moments pass after pass.
@lru_cache(maxsize=8192)
def next_instant(schedule: str, zone: str, after: int) -> int | None:
    """The first run of a valid schedule after an instant, both in seconds since the epoch.

    None if it never runs. `@every` begins its delay at the instant.
    """
    parsed = parse(schedule)
    if isinstance(parsed, Every):
        return after + int(parsed.delay.total_seconds())
    minutes, hours, _, months, _ = parsed.values
    if not (minutes and hours and months):
        return None
    walk = _Walk(fields=parsed, zone=ZoneInfo(zone), instant=after + 1)
    last_year = walk.wall.year + _YEARS
    while walk.wall.year <= last_year:
        if walk.to_month() and walk.to_day() and walk.to_hour() and walk.to_minute():
            return walk.instant
    return None


@dataclass(slots=True, kw_only=True)
class _Walk:
    """A clock that is put forward, field by field, until all of them fit.

    Each step returns False where it wrapped around into a larger field, so that all begin anew.
    `is_moved` says that some field was put forward already, so that the smaller ones are at 0.
    """

    fields: Fields
    zone: ZoneInfo
    instant: int
    is_moved: bool = False
    wall: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._put(self.instant)

    def to_month(self) -> bool:
        """Go to the first month that fits."""
        while self.wall.month not in self.fields.values[3]:
            self._reset_once(day=1)
            self._put_date(month=self.wall.month + 1, day=self.wall.day)
            if self.wall.month == 1:
                return False
        return True

    def to_day(self) -> bool:
        """Go to the first day that fits."""
        while not self._is_day():
            self._reset_once(day=self.wall.day)
            self._put_date(month=self.wall.month, day=self.wall.day + 1)
            # Where clocks change at midnight it is 23 or 1 o'clock.
            if hour := self.wall.hour:
                self._put(self.instant + _HOUR * (24 - hour if hour > _NOON else -hour))
            if self.wall.day == 1:
                return False
        return True

    def to_hour(self) -> bool:
        """Go to the first hour that fits."""
        while self.wall.hour not in self.fields.values[1]:
            self._reset_once(day=self.wall.day, hour=self.wall.hour)
            self._put(self.instant + _HOUR)
            if self.wall.hour == 0:
                return False
        return True

    def to_minute(self) -> bool:
        """Go to the first whole minute that fits."""
        while self.wall.minute not in self.fields.values[0]:
            self._to_whole_minute()
            self._put(self.instant + _MINUTE)
            if self.wall.minute == 0:
                return False
        if self.instant % _MINUTE:
            # The seconds of all schedules are 0.
            self._to_whole_minute()
            self._put(self.instant + _MINUTE)
            return False
        return True

    def _is_day(self) -> bool:
        _, _, days, _, weekdays = self.fields.values
        is_day, is_weekday = self.wall.day in days, self.wall.isoweekday() % 7 in weekdays
        return (is_day or is_weekday) if self.fields.either_day else (is_day and is_weekday)

    def _reset_once(self, *, day: int, hour: int = 0) -> None:
        if not self.is_moved:
            self.is_moved = True
            plain = datetime(self.wall.year, self.wall.month, day, hour, tzinfo=UTC)
            self._put(_instant_of(plain, self.zone))

    def _to_whole_minute(self) -> None:
        self.is_moved = True
        self._put(self.instant - self.instant % _MINUTE)

    def _put_date(self, *, month: int, day: int) -> None:
        """Put the date; a month or day beyond the last one runs over."""
        wall = self.wall
        year, month = wall.year + (month - 1) // _MONTHS, (month - 1) % _MONTHS + 1
        first = datetime(year, month, 1, wall.hour, wall.minute, wall.second, tzinfo=UTC)
        self._put(_instant_of(first + timedelta(days=day - 1), self.zone))

    def _put(self, instant: int) -> None:
        self.instant = instant
        self.wall = datetime.fromtimestamp(instant, self.zone)


def _instant_of(plain: datetime, zone: ZoneInfo) -> int:
    """The instant that Go's `time.Date` takes for the time on a clock; `plain` says UTC for it."""
    instant = int(plain.timestamp())
    offset = _offset(instant, zone)
    return instant - _offset(instant - offset, zone) if offset else instant


def _offset(instant: int, zone: ZoneInfo) -> int:
    found = datetime.fromtimestamp(instant, zone).utcoffset()
    return int(found.total_seconds()) if found else 0
