"""An age as restic writes it: `1y5m7d2h`, in years, months, days and hours of a calendar."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

_PARTS = re.compile(r"([0-9]{1,6})([ymdh])", re.ASCII)
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_MONTHS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """Years, months, days and hours, none of them negative."""

    years: int = 0
    months: int = 0
    days: int = 0
    hours: int = 0

    @property
    def is_zero(self) -> bool:
        """Whether it is no time at all."""
        return not (self.years or self.months or self.days or self.hours)

    def __str__(self) -> str:
        """The largest unit first, units of zero left out; `0h` for no time at all."""
        parts = {"y": self.years, "m": self.months, "d": self.days, "h": self.hours}
        return "".join(f"{number}{unit}" for unit, number in parts.items() if number) or "0h"

    def before(self, moment: datetime, zone: tzinfo) -> datetime:
        """The time that lies this long before a moment, in UTC.

        Years, months and days are counted by the clock and the calendar of the zone, hours are real
        ones. A day that a month does not have falls into the next month: 31 March less one month is
        3 March. All of this is as in Go's `time.AddDate`, which restic uses.
        """
        local = moment.astimezone(zone).replace(tzinfo=None)
        months = (local.year - self.years) * _MONTHS + local.month - 1 - self.months
        year, month = divmod(months, _MONTHS)
        try:
            day = date(year, month + 1, 1) + timedelta(days=local.day - 1 - self.days)
            wall = datetime.combine(day, local.time())
            return _instant(wall, zone) - timedelta(hours=self.hours)
        except (ValueError, OverflowError):
            # Before the calendar begins.
            return _BEGINNING


def parse_duration(text: str) -> Duration:
    """Read an age; ValueError says what is wrong and what to write."""
    units: dict[str, int] = {}
    end = 0
    while found := _PARTS.match(text, end):
        number, unit = found.groups()
        if unit in units:
            raise ValueError(f"it has the unit {unit} twice: write each unit once")
        units[unit] = int(number)
        end = found.end()
    if end < len(text) or not units:
        raise ValueError(
            "write numbers of at most six digits, each with a unit: y (years), m (months), "
            "d (days), h (hours)"
        )
    return Duration(
        years=units.get("y", 0),
        months=units.get("m", 0),
        days=units.get("d", 0),
        hours=units.get("h", 0),
    )


def _instant(wall: datetime, zone: tzinfo) -> datetime:
    """When the clocks of a zone show this time; where they show it twice or never, as Go has it."""
    guess = wall - _offset(wall, zone)
    return (wall - _offset(guess, zone)).replace(tzinfo=UTC)


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    """What the zone is ahead of UTC at a moment of UTC that carries no zone."""
    offset = moment.replace(tzinfo=UTC).astimezone(zone).utcoffset()
    assert offset is not None
    return offset
