"""Checks schedules and time zones as a Kubernetes CronJob does.

Kubernetes parses with robfig/cron v3 `ParseStandard` and forbids `TZ` inside the schedule
(k8s.io/kubernetes pkg/apis/batch/validation).
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every "
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_MAX_INTEGER = 2**63 - 1
# Bounded, and with a single way to match: the cost of an annotation is linear in its length.
_DURATION = re.compile(
    r"(?P<number>[0-9]{1,64}(?:\.[0-9]{0,64})?|\.[0-9]{1,64})(?P<unit>ns|us|µs|μs|ms|s|m|h)",
    re.ASCII,
)
_UNIT_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_ZONE_PART = re.compile(r"[A-Za-z.\-_0-9+]{1,14}", re.ASCII)
# Go's unicode.IsSpace; str.isspace differs, as it also takes U+001C to U+001F.
SPACE = re.compile("[\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")


class ScheduleError(ValueError):
    """A schedule or time zone that the API server would refuse; the message says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One of the five fields: its name, its values, and words for them from the lowest on."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


FIELDS = (
    Field(name="minute", low=0, high=59),
    Field(name="hour", low=0, high=23),
    Field(name="day of month", low=1, high=31),
    Field(name="month", low=1, high=12, names=_MONTHS),
    Field(name="day of week", low=0, high=6, names=_DAYS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """A five-field schedule as sets of numbers.

    `either_day`: with both days restricted, a day that satisfies one of them counts.
    """

    values: tuple[frozenset[int], ...]
    either_day: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """An `@every` schedule: a fixed delay, at least a second, whole seconds."""

    delay: timedelta


@lru_cache(maxsize=4096)
def parse(schedule: str) -> Fields | Every:
    """Read a schedule exactly as the API server would; ScheduleError where it would refuse."""
    if not schedule:
        raise ScheduleError("it is empty")
    if "TZ" in schedule:
        raise ScheduleError("TZ is not allowed in it, use the timezone annotation")
    if schedule.startswith(_EVERY):
        seconds = _nanoseconds(schedule.removeprefix(_EVERY)) // 10**9
        return Every(delay=timedelta(seconds=min(max(seconds, 1), 10**9)))
    if schedule.startswith("@"):
        if schedule not in _DESCRIPTORS:
            raise ScheduleError(f"{schedule!r} is none of {', '.join(_DESCRIPTORS)}, @every <time>")
        schedule = _DESCRIPTORS[schedule]
    parts = [part for part in SPACE.split(schedule) if part]
    if len(parts) != len(FIELDS):
        raise ScheduleError(f"it has {len(parts)} fields, five are expected")
    parsed = [_field(part, field) for part, field in zip(parts, FIELDS, strict=True)]
    starred = parsed[2][1] or parsed[4][1]
    return Fields(values=tuple(values for values, _ in parsed), either_day=not starred)


@lru_cache(maxsize=4096)
def check_zone(zone: str) -> None:
    """Refuse with ScheduleError what the API server refuses as `timeZone`.

    Where this machine has no time zone database at all, names are left to the API server.
    """
    for part in zone.split("/"):
        if part in {".", ".."} or part.startswith("-") or not _ZONE_PART.fullmatch(part):
            raise ScheduleError(f"{zone!r} is no time zone name")
    if zone.lower() == "local":
        raise ScheduleError("an explicit time zone is needed, such as Europe/Paris")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        if _zones():
            raise ScheduleError(f"the time zone {zone!r} does not exist") from error


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _field(text: str, field: Field) -> tuple[frozenset[int], bool]:
    """Values of one field, and whether a star leaves it unrestricted; a lone `,` adds none."""
    values: set[int] = set()
    starred = False
    for item in filter(None, text.split(",")):
        found, star = _range(item, field)
        values.update(found)
        starred = starred or star
    return frozenset(values), starred


def _range(item: str, field: Field) -> tuple[range, bool]:
    span, *steps = item.split("/")
    first, *rest = span.split("-")
    star = first in {"*", "?"}
    low, high = field.low, field.high
    # robfig ignores whatever follows `*-`, and so does this parser.
    if not star:
        if len(rest) > 1:
            raise ScheduleError(f"too many hyphens in {item!r} ({field.name})")
        low = number(first, field)
        high = number(rest[0], field) if rest else low
    if len(steps) > 1:
        raise ScheduleError(f"too many slashes in {item!r} ({field.name})")
    step = 1
    if steps:
        step = number(steps[0], Field(name=field.name, low=0, high=0))
        high = field.high if not rest else high
    if not (field.low <= low <= high <= field.high):
        raise ScheduleError(f"{item!r} is not within {field.low}-{field.high} ({field.name})")
    if step == 0:
        raise ScheduleError(f"the step of {item!r} is 0 ({field.name})")
    return range(low, high + 1, min(step, 10**6)), star and step == 1


def number(text: str, field: Field) -> int:
    """Read one value of a field, as a number or word; it may be out of the field's range."""
    lowered = text.lower()
    if lowered in field.names:
        return field.names.index(lowered) + field.low
    # The length is bounded first: int() of a huge string is an error of its own.
    if not _INTEGER.fullmatch(text) or len(text.lstrip("+-0")) > len(str(_MAX_INTEGER)):
        raise ScheduleError(f"{text[:40]!r} is no number ({field.name})")
    value = int(text.lstrip("+-0") or "0")
    if value > _MAX_INTEGER or (text.startswith("-") and value):
        raise ScheduleError(f"{text!r} is out of range ({field.name})")
    return value


def _nanoseconds(text: str) -> int:
    """Go's time.ParseDuration; ScheduleError where it fails."""
    negative = text.startswith("-")
    unsigned = text[1:] if text[:1] in {"+", "-"} else text
    if unsigned == "0":
        return 0
    total, position = 0, 0
    while match := _DURATION.match(unsigned, position):
        position = match.end()
        whole, _, fraction = match["number"].partition(".")
        scale = _UNIT_NANOSECONDS[match["unit"]]
        total += int(whole or "0") * scale + int(fraction or "0") * scale // 10 ** len(fraction)
        if total > _MAX_INTEGER:
            raise ScheduleError(f"{text[:40]!r} is too long a time")
    if not unsigned or position != len(unsigned):
        raise ScheduleError(f"{text[:40]!r} is no duration such as 1h30m")
    return -total if negative else total
