"""How verbs show what they found: tables for people, JSON and YAML for programs."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from controller.client.terminal.errors import CommandError

FORMATS = ("table", "json", "yaml")
ABSENT = "-"
_GAP = "  "
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_KIBI = 1024
# From which number of a unit the next one is shown: 119 min, then 2 h.
_AGES = ((120, 1, "s"), (120 * 60, 60, "min"), (48 * 3600, 3600, "h"), (None, 86400, "d"))


def output_option(verb: Callable[..., Any]) -> Callable[..., Any]:
    """The option `--output`, which a verb gets as `output`."""
    return click.option(
        "--output",
        "-o",
        type=click.Choice(FORMATS),
        default="table",
        show_default=True,
        help="As a table for people, or as a document (docs/command.md has the schema).",
    )(verb)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table; `right` aligns numbers. `shrink` is cut first on a narrow terminal."""

    title: str
    right: bool = False
    shrink: bool = False


def write_document(document: Any, output: str) -> None:
    """Write a document as JSON or YAML."""
    if output == "json":
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    try:
        import yaml  # noqa: PLC0415  optional, and slow to load
    except ImportError as error:
        raise CommandError(
            "--output yaml needs the Python package pyyaml, which is not installed here: take"
            " --output json"
        ) from error
    # Through JSON, so that names of enums are plain text.
    plain = json.loads(json.dumps(document))
    click.echo(yaml.safe_dump(plain, allow_unicode=True, sort_keys=False), nl=False)


def write_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Write a table, cut to the terminal's width if stdout is one."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo("\n".join(table_lines(columns, rows, width)))


def table_lines(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None
) -> list[str]:
    """Lay a table out in lines of at most `width` characters; None bounds nothing.

    A column that is empty in all rows is left out. What has no room is cut, with `…` as its end.
    """
    kept = [
        index
        for index in range(len(columns))
        if any(row[index] not in {"", ABSENT} for row in rows)
    ]
    shown = [[_printable(row[index]) or ABSENT for index in kept] for row in rows]
    heads = [columns[index] for index in kept]
    widths = [
        max(len(head.title), *(len(row[place]) for row in shown)) if shown else len(head.title)
        for place, head in enumerate(heads)
    ]
    if width is not None:
        _shrink(widths, heads, width)
    lines = [_line([head.title for head in heads], heads, widths)]
    lines += [_line(row, heads, widths) for row in shown]
    return [line if width is None else line[:width] for line in lines]


def note(text: str) -> None:
    """Write a remark to stderr, so that stdout holds nothing but what was asked for.

    It is one line, whatever names and messages of others are in it.
    """
    click.echo(_printable(text), err=True)


def strong(text: str) -> str:
    """Mark what the eye should find first; plain where NO_COLOR is set or no terminal shows it."""
    if os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return text
    return click.style(text, bold=True)


def age(moment: datetime | None, now: datetime) -> str:
    """`3 h ago`, `in 21 h`; empty for None."""
    if moment is None:
        return ""
    gap = (moment - now).total_seconds()
    return f"in {duration(gap)}" if gap > 0 else f"{duration(-gap)} ago"


def duration(seconds: float | None) -> str:
    """`41 s`, `3 min`, `5 h`, `12 d`; empty for None."""
    if seconds is None:
        return ""
    for below, unit, name in _AGES:
        if below is None or seconds < below:
            return f"{int(seconds // unit)} {name}"
    raise AssertionError(seconds)


def size(count: float | None) -> str:
    """`1.2 GiB`; empty for None."""
    if count is None:
        return ""
    unit = 0
    # What would round to 1024 of a unit is 1.0 of the next one.
    while round(count) >= _KIBI and unit < len(_SIZES) - 1:
        count /= _KIBI
        unit += 1
    return f"{count:.1f} {_SIZES[unit]}" if unit and count < 10 else f"{count:.0f} {_SIZES[unit]}"  # noqa: PLR2004  two digits


def moment_of(text: object) -> datetime | None:
    """Read a time of the API server or of a record; None where it is none."""
    try:
        moment = datetime.fromisoformat(str(text))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def utc(moment: datetime | None) -> str | None:
    """A time in RFC 3339, for documents; None for None."""
    if moment is None:
        return None
    whole = moment.astimezone(UTC).replace(microsecond=0)
    return whole.isoformat().replace("+00:00", "Z")


def clock(moment: datetime | None) -> str:
    """`2026-11-28 03:00 UTC` for people; empty for None."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M UTC}" if moment else ""


def clock_of(text: str) -> str:
    """A moment in RFC 3339 as `clock` shows it; the text itself where it is none."""
    return clock(moment_of(text)) or text


def seconds_between(first: datetime | None, last: datetime | None) -> float | None:
    """How long it took; None where either is unknown."""
    if first is None or last is None:
        return None
    return max((last - first) / timedelta(seconds=1), 0.0)


def _shrink(widths: list[int], heads: Sequence[Column], width: int) -> None:
    """Take from the widest of the columns that may shrink until all fit, if they can."""
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    while excess > 0:
        able = [i for i, head in enumerate(heads) if head.shrink and widths[i] > len(head.title)]
        if not able:
            return
        widest = max(able, key=lambda index: widths[index])
        widths[widest] -= 1
        excess -= 1


def _line(cells: Sequence[str], heads: Sequence[Column], widths: Sequence[int]) -> str:
    parts = []
    for cell, head, room in zip(cells, heads, widths, strict=True):
        text = cell if len(cell) <= room else f"{cell[: room - 1]}…"
        parts.append(text.rjust(room) if head.right else text.ljust(room))
    return _GAP.join(parts).rstrip()


def _printable(text: str) -> str:
    """One line without what a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " for letter in text)
