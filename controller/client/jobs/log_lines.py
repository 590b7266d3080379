"""A run's log lines, which are JSON, → lines for a person; pure."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.client.terminal.output import duration, moment_of, size

# Of a dump, and of what reads a backup: a restore, a verification, and a copy.
_PROGRESS, _READING = "progress", {"restoring", "reading", "copying"}
_HEAD = ("time", "level", "message")
_SECONDS_A_MINUTE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a dumper's log. Of a line that is no JSON of ours only `text` is known."""

    text: str
    message: str = ""
    time: str = ""
    level: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_progress(self) -> bool:
        """Whether it says no more than how far the run is."""
        return self.message in {_PROGRESS, *_READING}


def parse_line(text: str) -> LogLine:
    """Read a line of a log; never fails."""
    try:
        document = json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("message"), str):
        return LogLine(text=text)
    return LogLine(
        text=text,
        message=document["message"],
        time=str(document.get("time", "")),
        level=str(document.get("level", "")),
        fields={name: value for name, value in document.items() if name not in _HEAD},
    )


def describe_line(line: LogLine) -> str:
    """`12:00:00 warning  message  key=value …`, as a dumper at a terminal writes it."""
    if not line.message:
        return line.text
    moment = moment_of(line.time)
    pairs = "".join(f"  {name}={_value(value)}" for name, value in line.fields.items())
    return f"{f'{moment:%H:%M:%S}' if moment else '':8} {line.level:8} {line.message}{pairs}"


def describe_progress(line: LogLine, expected: int | None = None) -> str:
    """`shop.a  3/40  1:05  1.2 GiB read  310 MiB sent  19 MiB/s  about 4 min left`.

    `expected` are the bytes that the whole run probably reads: those of the last one. What the
    line itself knows of that (`bytes_total`) comes first.
    """
    fields = line.fields
    seconds, read, rate = (
        _number(fields.get(name)) for name in ("seconds", "bytes_read", "bytes_per_second")
    )
    if line.message in _READING:
        read = _number(fields.get("bytes_done"))
    waiting = line.message if line.message in _READING else "waiting"
    parts = [str(fields.get("name") or waiting)]
    if (total := _number(fields.get("total"))) and total > 1:
        parts.append(f"{_number(fields.get('done')) or 0:.0f}/{total:.0f}")
    if seconds is not None:
        minutes, rest = divmod(int(seconds), _SECONDS_A_MINUTE)
        parts.append(f"{minutes}:{rest:02}")
    parts += [
        f"{size(count)} {what}"
        for name, what in (("bytes_read", "read"), ("bytes_done", "read"), ("bytes_sent", "sent"))
        if (count := _number(fields.get(name))) is not None
    ]
    if rate is not None:
        parts.append(f"{size(rate)}/s")
    whole = _number(fields.get("bytes_total")) or expected
    # What has outgrown its estimate has none.
    if whole and read and rate and whole > read:
        parts.append(f"about {duration((whole - read) / rate)} left")
    return "  ".join(parts)


def estimate_in(line: LogLine) -> int | None:
    """How many bytes a run says that it will probably read; None where it does not."""
    return int(_number(line.fields.get("estimated_bytes")) or 0) or None


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _number(value: object) -> float | None:
    """A finite number from zero on, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None
