"""A user's own checks of what a drill has restored: what an engine answers, and what that means."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dumpers.contract.drill.checks import Check
from dumpers.engines.drilling.protocol import DrilledObject

if TYPE_CHECKING:
    from dumpers.contract.connection import Connection
    from dumpers.runtime.interrupt import Interrupt

# How long one check may take, in seconds; the server itself ends it then.
CHECK_SECONDS = 600
# So many bytes of a value are looked at: true is short.
VALUE_BYTES = 64

_TRUE, _FALSE = frozenset(("t", "true")), frozenset(("f", "false"))
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_ZERO = re.compile(r"[+-]?[0.]*(?:[eE].*)?")
# That of `doesn't` is none.
_QUOTE = re.compile(r"""["`]|(?<!n)'|'(?!t\b)""")
_LONGEST = 200


class StatementError(Exception):
    """The server has refused a statement: in words that hold no value of a row."""


class StatementTimeoutError(StatementError):
    """The server has ended a statement that took longer than it may."""


def without_values(said: str, *, sql: str) -> str:
    """The first line of a server's words, of which quoted parts stay that stand in `sql` itself.

    From the first other one on, all up to the last quote is left out: a value of a row may hold
    quotes.
    """
    line = _first_line(said)
    for opening, end, quoted in _quoted_parts(line):
        if not _is_of(quoted, _known(sql)):
            last = max(end, *(line.rfind(quote) for quote in "'\"`"))
            line = f"{line[:opening]}'…'{line[last + 1 :]}"
            break
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def names_of(said: str, *, sql: str, database: str) -> list[str]:
    """What a server's words quote of `sql` itself; names may have that of the `database` before."""
    known = _known(f"{sql} {database}")
    quoted = (part for _, _, part in _quoted_parts(_first_line(said)))
    return [f"'{part}'" for part in quoted if _is_of(part, known) and len(part) <= _LONGEST]


def _first_line(said: str) -> str:
    return " ".join((said.strip().splitlines() or [""])[0].split())


def _known(sql: str) -> str:
    return " ".join(sql.split()).casefold()


def _quoted_parts(line: str) -> Iterator[tuple[int, int, str]]:
    """Where each quoted part begins and ends, and what it is; one that is not closed is empty."""
    start = 0
    while opening := _QUOTE.search(line, start):
        end = line.find(opening[0], opening.end())
        if end < 0:
            yield opening.start(), len(line), ""
            return
        yield opening.start(), end, line[opening.end() : end]
        start = end + 1


def _is_of(quoted: str, known: str) -> bool:
    """Whether a text stands in a statement, as a whole word or words, or as the parts of a name."""
    text = quoted.strip().casefold()
    if not text:
        return False
    if re.search(rf"(?<!\w){re.escape(text)}(?!\w)", known):
        return True
    parts = text.split(".")
    return len(parts) > 1 and all(_is_of(part, known) for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckVerdict:
    """How one check ended, by its number; `why` says what it gave instead of true, and no data."""

    number: int
    good: bool
    seconds: float
    why: str = ""


# The first value of each row of the answer to a statement, as a text; None is NULL. Raises
# StatementError, and TargetFailedError where the server does not answer.
AskCheck = Callable[[Check, "Interrupt"], Iterator[str | None]]


@runtime_checkable
class CheckedEngine(Protocol):
    """A DrilledEngine whose servers understand SQL."""

    def open_checks(
        self,
        server: "Connection",
        objects: Sequence[DrilledObject],
        interrupt: "Interrupt",
        *,
        seconds: int = CHECK_SECONDS,
    ) -> AskCheck:
        """Make ready, after `compare`, what asks one check at a time, each in its own session.

        It asks as an account that can do nothing to the server: as the owner of the database where
        that is safe, else as one of its own. A check writes nothing, and the server ends it after
        `seconds`. Raises TargetFailedError and TargetRefusedError.
        """
        ...


def judge(values: Iterable[str | None]) -> str:
    """What an answer is instead of true, in words; empty where all its rows are true.

    True are `t`, `true` and every number but 0.
    """
    is_empty = True
    for value in values:
        is_empty = False
        if what := _fault(value):
            return what
    return "gave no row" if is_empty else ""


def choose_database(check: Check, names: Sequence[str]) -> str:
    """The database of the backup that a check is asked in; empty where it names none of several.

    Raises StatementError where it names one that the backup does not hold.
    """
    if check.database and check.database not in names:
        raise StatementError("the backup holds no database of the name in the line `-- database:`")
    return check.database or (names[0] if len(names) == 1 else "")


def _fault(value: str | None) -> str:
    if value is None:
        return "gave null"
    text = value.strip().lower()
    if text in _TRUE:
        return ""
    if text in _FALSE:
        return "gave false"
    if not _NUMBER.fullmatch(text):
        return "gave what is neither true nor false"
    return "gave false" if _ZERO.fullmatch(text) else ""
