"""How close to each other the runs of a schedule begin."""

from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise

from controller.workloads.timing.schedules import Every, parse

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
# From the first of a leap year on, so that every day of the month meets every weekday.
_FIRST, _DAYS = date(2024, 1, 1), 28 * 366


# Workloads share schedules, and are asked pass after pass.
@lru_cache(maxsize=4096)
def shortest_interval(schedule: str) -> int | None:
    """The fewest seconds between two runs of a valid schedule; None if it runs at most once.

    By the clock on the wall: where clocks change it may be an hour less once a year.
    """
    parsed = parse(schedule)
    if isinstance(parsed, Every):
        return int(parsed.delay.total_seconds())
    minutes, hours, *dates = parsed.values
    times = sorted(hour * _HOUR + minute * _MINUTE for hour in hours for minute in minutes)
    days = days_between(*dates, either_day=parsed.either_day) if times else None
    if days is None:
        return None
    # From the last run of a day to the first one of the next day that has any.
    over_midnight = days * _DAY - times[-1] + times[0]
    return min([over_midnight, *(after - before for before, after in pairwise(times))])


def why_too_often(schedule: str, least: int) -> str:
    """Why a valid schedule runs more often than once in `least` seconds; empty if it does not."""
    between = shortest_interval(schedule)
    if between is None or between >= least:
        return ""
    return f"two runs may begin {between} seconds apart; limits.minIntervalSeconds asks for {least}"


# Thousands of schedules that differ in the time of day have a few sets of days between them.
@lru_cache(maxsize=4096)
def days_between(
    days: frozenset[int], months: frozenset[int], weekdays: frozenset[int], *, either_day: bool
) -> int | None:
    """The fewest days between two on which a schedule runs, by its fields; None if it never does.

    Looks at 28 years, after which the calendar repeats, and no further than to two days that follow
    each other.
    """
    last = least = None
    for number in range(_DAYS):
        day = _FIRST + timedelta(days=number)
        is_day, is_weekday = day.day in days, day.isoweekday() % 7 in weekdays
        fits = (is_day or is_weekday) if either_day else (is_day and is_weekday)
        if fits and day.month in months:
            if last is not None:
                least = min(number - last, least or _DAYS)
            if least == 1:
                break
            last = number
    return least
