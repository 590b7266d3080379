"""Holds docs/logs.md to the code: every event that is logged has its row, with its fields."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.paths import REPOSITORY

_PAGE = (REPOSITORY / "docs" / "logs.md").read_text()
_LOGGERS = {"_log", "_LOG"}
_LEVELS = {"debug", "info", "warning", "error", "exception", "log"}
# Of calls that do not say the event themselves: those that they may be about.
_ELSEWHERE = {
    "dumpers/runs/progress.py": ("restoring", "reading", "drilling", "copying", "no progress"),
    "dumpers/runs/restore/last_record.py": (
        "the bootstrap is not recorded in the store",
        "the drill is not recorded beside the backup",
        "the restore is not recorded beside the backup",
    ),
}
_PROCESS = "dumpers/cli/process.py"
_LEVEL = "(?:debug|info|warning|error)"


@dataclass(kw_only=True)
class Logged:
    """What is known of an event from the code; with `open` it may have further fields."""

    fields: set[str] = field(default_factory=set)
    open: bool = False


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the page: `more` says that the fields are not listed to the last one."""

    fields: frozenset[str]
    more: bool


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for package in ("controller", "dumpers"):
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            yield str(path.relative_to(REPOSITORY)), ast.parse(path.read_text())


def _operations() -> tuple[str, ...]:
    """The words that jobs end by in the log: those of every call of run_to_end."""
    words = [
        str(node.args[0].value)
        for _, tree in _sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "run_to_end"
        and isinstance(node.args[0], ast.Constant)
    ]
    return tuple(f"{word} {end}" for word in words for end in ("done", "failed"))


def _events(path: str, message: ast.expr) -> tuple[str, ...]:
    if isinstance(message, ast.Constant):
        return (str(message.value),)
    return _operations() if path == _PROCESS else _ELSEWHERE[path]


def _is_fields(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in {"fields", "log.fields"}


def _fields_of(call: ast.Call, function: ast.AST) -> tuple[set[str], bool]:
    extra = next((item.value for item in call.keywords if item.arg == "extra"), None)
    if extra is None:
        return set(), False
    if isinstance(extra, ast.Name):
        # The nearest assignment before the call.
        made = [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]) == extra.id
            and node.lineno < call.lineno
        ]
        extra = made[-1]
    assert _is_fields(extra), ast.unparse(call)
    assert isinstance(extra, ast.Call)
    named = {item.arg for item in extra.keywords if item.arg}
    return named, any(item.arg is None for item in extra.keywords)


def _logged() -> dict[str, Logged]:
    found: dict[str, Logged] = defaultdict(Logged)
    for path, tree in _sources():
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        for function in functions:
            for node in ast.walk(function):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and ast.unparse(node.func.value) in _LOGGERS
                    and node.func.attr in _LEVELS
                ):
                    message = node.args[1] if node.func.attr == "log" else node.args[0]
                    named, is_open = _fields_of(node, function)
                    for event in _events(path, message):
                        found[event].fields |= named
                        found[event].open |= is_open
    return found


def _rows() -> dict[str, Row]:
    rows = re.findall(
        rf"^\| `([^`]+)` \| {_LEVEL}(?:, {_LEVEL})* \| ([^|]*)\|", _PAGE, re.MULTILINE
    )
    assert len(rows) == len({event for event, _ in rows})
    return {
        event: Row(fields=frozenset(re.findall(r"`(\w+)`", cell)), more="…" in cell)
        for event, cell in rows
    }


_LOGGED, _ROWS = _logged(), _rows()


def test_every_event_has_its_row() -> None:
    assert sorted(_ROWS) == sorted(_LOGGED)


@pytest.mark.parametrize("event", sorted(_LOGGED))
def test_an_event_has_the_fields_of_its_row(event: str) -> None:
    logged, row = _LOGGED[event], _ROWS[event]
    assert row.more == logged.open
    assert logged.fields - row.fields == set()
    assert logged.open or row.fields == logged.fields


def test_events_that_a_call_does_not_say_itself_stand_where_they_are_made() -> None:
    text = "\n".join(Path(REPOSITORY / path).read_text() for path, _ in _sources())
    assert [event for events in _ELSEWHERE.values() for event in events if event not in text] == []


def test_no_field_takes_the_name_of_one_that_every_line_has() -> None:
    taken = {"time", "level", "message", "exception"}
    assert {event for event, logged in _LOGGED.items() if logged.fields & taken} == set()
