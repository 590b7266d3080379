"""What a survey finds about a kind of stored programs, also where the server cannot tell."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.errors import are_programs_damaged

_WORDS = re.compile(r"ERROR \d+ \(\w+\)(?: at line \d+)?: (.+)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Whether the programs of a kind are in the dump, and notes on those that are not as they were.

    Those that are shown to nobody are left out by the tool itself.
    """

    are_dumped: bool
    notes: tuple[Note, ...] = ()


def ask_for(
    server: Server, ask: Callable[[], Sequence[tuple[str, ...]]]
) -> tuple[Sequence[tuple[str, ...]], str]:
    """Return the rows that `ask` gives, or the server's words where it cannot tell of programs.

    The tools end at the same words. Other errors are raised.
    """
    try:
        return ask(), ""
    except (server.errors.failed, server.errors.refused) as error:
        if not are_programs_damaged(str(error)):
            raise
        found = _WORDS.search(str(error))
        return [], found[1].strip() if found else str(error)


def damaged(what: str, database: str, words: str) -> Programs:
    """The programs of a kind that the server cannot list or show."""
    note = Note(
        code=NoteCode.UNREADABLE,
        text=f"{what} are NOT in this dump, as the server cannot read its own tables of them "
        f"({words}): mend these (mysql_upgrade or mariadb-upgrade, then restart the server)",
        objects=(database,),
    )
    return Programs(are_dumped=False, notes=(note,))
