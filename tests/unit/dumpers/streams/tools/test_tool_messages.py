import sys

import pytest

from dumpers.runtime.errors import KsnapshotError, SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.tools.tool import Command, run_for_output
from dumpers.streams.tools.tool_messages import summarise

LOCKS = ", ".join(f"public.measurements_{number}" for number in range(1500))
DENIED = "ERROR:  permission denied for table measurements_7"


def said(script: str) -> str:
    """What the failure of a tool with this script is told that the tool said."""
    told: list[str] = []

    def failure(_: int, text: str) -> KsnapshotError:
        told.append(text)
        return SourceFailedError(text)

    command = Command(argv=[sys.executable, "-c", script], env={}, failure=failure)
    with pytest.raises(SourceFailedError):
        run_for_output(command, interrupt=Interrupt())
    return told[0]


def test_of_much_that_a_tool_says_the_head_and_the_tail_are_kept() -> None:
    script = (
        "import sys; sys.stderr.write('error: the cause\\n' + 'x\\n' * 1_000_000 + 'the end'); "
        "sys.exit(1)"
    )
    text = said(script)
    assert text.startswith("error: the cause\n")
    assert text.endswith("the end")
    assert len(text) < 3000


LOCKED = (
    f"pg_dump: error: query failed: {DENIED}\n"
    f"pg_dump: detail: Query was: LOCK TABLE {LOCKS} IN ACCESS SHARE MODE"
)
LOCKED_BY_13 = (
    f"pg_dump: error: query failed: {DENIED}\npg_dump: error: query was: LOCK TABLE {LOCKS}"
)
WARNED = (
    "pg_dump: warning: there are circular foreign-key constraints on this table:\n"
    "pg_dump: detail: orders\npg_dump: hint: consider a full dump: error: are possible\n"
    f"pg_dump: error: query failed: {DENIED}"
)
QUOTED = (
    "mysqldump: [Warning] Using a password on the command line can be insecure.\n"
    f"mysqldump: Couldn't execute 'SELECT {LOCKS}': Unknown table 't' (1109)"
)
REPEATED = (
    "--------------\nSELECT secret\nFROM t\n--------------\n\n"
    "ERROR 1064 (42000) at line 1: You have an error in your SQL syntax"
)


@pytest.mark.parametrize(
    ("text", "begins", "without"),
    [
        (LOCKED, f"pg_dump: error: query failed: {DENIED}\n", "measurements_700"),
        (LOCKED_BY_13, f"pg_dump: error: query failed: {DENIED}\n", "measurements_700"),
        (WARNED, f"pg_dump: error: query failed: {DENIED}", "circular"),
        (QUOTED, "mysqldump: [Warning] Using", "measurements_700"),
        (REPEATED, "ERROR 1064 (42000) at line 1:", "SELECT"),
        ("exit without a word that is known", "exit without a word", "…"),
        ("", "", "…"),
    ],
)
def test_the_first_error_comes_first_and_statements_are_cut(
    text: str, begins: str, without: str
) -> None:
    shown = summarise(text)
    assert shown.startswith(begins)
    assert without not in shown
    assert len(shown) < 3000


def test_a_statement_that_is_quoted_before_its_error_does_not_hide_it() -> None:
    text = f"mysqldump: Couldn't execute 'SELECT {LOCKS}': Unknown table 't' (1109)"
    assert "Unknown table 't' (1109)" in summarise(text)
