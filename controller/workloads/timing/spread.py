"""Schedules that leave the minute to us, so that not all databases are dumped in one second.

`@hourly-random`, `@daily-random`, `@weekly-random`, and `H` in a field as Jenkins has it: each
stands for values that follow from the cluster's id and the owner key alone. So a workload keeps its
time when it is deleted and made anew, and only a plain cron line reaches Kubernetes.

https://github.com/jenkinsci/jenkins core/src/main/java/hudson/scheduler/BaseParser.java: `H` is one
value of the field, `H(2-5)` one of that range, `H/15` every fifteenth from a value among the first
fifteen, `H(9-17)/4` both; days of the month end with the 28th, which every month has.
"""

import hashlib
import re
from functools import lru_cache

from controller.workloads.timing.schedules import FIELDS, SPACE, Field, ScheduleError, number, parse

_HOUR, _DAY = 60, 24 * 60
_WEEK = 7 * _DAY
_HASHED = re.compile(r"H(?:\((?P<low>[^()-]+)-(?P<high>[^()-]+)\))?(?:/(?P<step>[^/]+))?", re.ASCII)
_LAST_DAY = 28
_WHOLE = "whole"


def read_schedule(text: str) -> str:
    """Return a schedule as it stands; ScheduleError where its plain line would be refused."""
    parse(plain_schedule(text, "", ""))
    return text


# Every pass asks it of every workload, and they share schedules.
@lru_cache(maxsize=4096)
def is_spread(schedule: str) -> bool:
    """Whether a schedule leaves something to us."""
    return schedule in _RANDOM or any(
        item.startswith("H") for part in _parts(schedule) for item in part.split(",")
    )


def plain_schedule(schedule: str, cluster: str, key: str) -> str:
    """The cron line of a workload, by the cluster's id and its owner key.

    A schedule that leaves nothing to us stays as it is. Whether the line is valid does not depend
    on `cluster` and `key`; ScheduleError where an `H` is none.
    """
    if not is_spread(schedule):
        return schedule
    seed = f"{cluster}\n{key}"
    if schedule in _RANDOM:
        return _RANDOM[schedule](_draw(seed, _WHOLE, _WEEK))
    parts = _parts(schedule)
    if len(parts) != len(FIELDS):
        raise ScheduleError(f"it has {len(parts)} fields, five are expected")
    return " ".join(_field(part, field, seed) for part, field in zip(parts, FIELDS, strict=True))


def _hourly(drawn: int) -> str:
    return f"{drawn % _HOUR} * * * *"


def _daily(drawn: int) -> str:
    hour, minute = divmod(drawn % _DAY, _HOUR)
    return f"{minute} {hour} * * *"


def _weekly(drawn: int) -> str:
    day, rest = divmod(drawn, _DAY)
    hour, minute = divmod(rest, _HOUR)
    return f"{minute} {hour} * * {day}"


_RANDOM = {"@hourly-random": _hourly, "@daily-random": _daily, "@weekly-random": _weekly}


def _parts(schedule: str) -> list[str]:
    return [part for part in SPACE.split(schedule) if part]


def _field(text: str, field: Field, seed: str) -> str:
    return ",".join(
        _item(item, field, seed) if item.startswith("H") else item for item in text.split(",")
    )


def _item(item: str, field: Field, seed: str) -> str:
    """The value, or the range with its step, that an `H` stands for."""
    found = _HASHED.fullmatch(item)
    if found is None:
        raise ScheduleError(f"{item[:40]!r} is no H, H/3, H(1-5) or H(1-5)/3 ({field.name})")
    low, high = field.low, _LAST_DAY if field.name == "day of month" else field.high
    if found["low"]:
        low, high = number(found["low"], field), number(found["high"], field)
    if not field.low <= low <= high <= field.high:
        raise ScheduleError(f"{item!r} is not within {field.low}-{field.high} ({field.name})")
    step = number(found["step"], Field(name=field.name, low=0, high=0)) if found["step"] else 1
    if not 1 <= step <= high - low + 1:
        raise ScheduleError(f"the step of {item!r} is not within 1-{high - low + 1} ({field.name})")
    if step == 1:
        return str(low + _draw(seed, field.name, high - low + 1))
    first = low + _draw(seed, field.name, step)
    return f"{first}-{high}/{step}"


def _draw(seed: str, what: str, count: int) -> int:
    """One of `count` numbers from 0 on, all alike in likelihood over many seeds."""
    digest = hashlib.sha256(f"{seed}\n{what}".encode()).digest()
    return int.from_bytes(digest) % count
