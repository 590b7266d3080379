"""Moments in time as people write them on a command line."""

import re
from datetime import UTC, datetime, timedelta

from controller.client.restore.options import OptionError
from controller.workloads.restore_values import parse_instant
from dumpers.contract.restore.request import AT, LATEST

_UNITS = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_SHORT = {"s": "second", "m": "minute", "min": "minute", "h": "hour", "d": "day", "w": "week"}
# No backup is older.
_LONGEST = timedelta(weeks=5200)
_AGO = re.compile(r"(?P<count>\d{1,6}) *(?P<unit>[a-z]+?)(?:(?<=..)s)? +ago")
_EXAMPLES = "2026-01-31T03:00:00Z, '2026-01-31 03:00', 2026-01-31, '5 minutes ago', yesterday"


def choose_backup(backup: str, at: str, now: datetime, *, named: str) -> str:
    """Say which backup is meant, as the variable BACKUP has it.

    `backup` is an id and `at` a time as people write it; the latest is meant where both are empty.
    OptionError where both are given, and for text that is no time; it calls `backup` by `named`.
    """
    if backup and at:
        raise OptionError(f"{named} and --at: give one of them")
    if not at:
        return backup or LATEST
    try:
        moment = parse_moment(at, now)
    except ValueError as error:
        raise OptionError(f"--at: {error}") from error
    return f"{AT}{moment:%Y-%m-%dT%H:%M:%SZ}"


def parse_moment(text: str, now: datetime) -> datetime:
    """A moment, in UTC; one without a zone is meant in UTC, a day is meant as its last second.

    Words count back from `now`. ValueError names the forms.
    """
    words = " ".join(text.split())
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"now": now, "today": now, "yesterday": day - timedelta(seconds=1)}
    if moment := named.get(words.lower()):
        return moment
    if found := _AGO.fullmatch(words.lower()):
        unit = _UNITS.get(_SHORT.get(found["unit"], found["unit"]))
        if unit and (back := int(found["count"]) * unit) < _LONGEST:
            return now - back
    try:
        return parse_instant(words)
    except ValueError as error:
        raise ValueError(f"{text!r} is no time: write it like {_EXAMPLES}") from error
