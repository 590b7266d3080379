"""Following a script's quotes line by line."""

import random
import re

import pytest

from dumpers.engines.postgresql.restore.script import statements
from dumpers.engines.postgresql.restore.script.statements import Quotes

_TOKENS = (
    *("'", '"', "$$", "$a$", "E'", "e'", "--", "-", "/*", "*/", "/", "\\", "a", "Ee", "x'"),
    *(" ", "é", "\n"),
)


def test_lines_that_are_told_at_once_are_told_right(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(1)
    lines = [
        f"{''.join(dice.choices(_TOKENS, k=dice.randrange(9)))}\n".encode() for _ in range(20_000)
    ]

    def ends() -> list[bool]:
        found = []
        for line in lines:
            quotes = Quotes()
            quotes.follow(line)
            found.append(quotes.open)
        return found

    at_once = ends()
    monkeypatch.setattr(statements, "_CLOSED", re.compile(rb"(?!)"))
    assert at_once == ends()
    assert set(at_once) == {True, False}
