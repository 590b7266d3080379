"""Which tables the statements of others need, and whether a dump has them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.clickhouse.schema.lexer import TokenKind, significant
from dumpers.engines.clickhouse.schema.table import SYSTEM_DATABASES, Table
from dumpers.engines.clickhouse.schema.table_notes import note
from dumpers.engines.clickhouse.schema.tables import BackupTable

_VIEWS = frozenset(("View", "MaterializedView", "LiveView", "WindowView"))
# Where the names of a database and a table stand among the strings of an engine.
_TEXTS = {
    NoteCode.NOT_CHOSEN: "these need tables that were not chosen, which a restore has to make "
    "first",
    NoteCode.BROKEN_VIEWS: "these need tables that the server does not have: a restore may not be "
    "able to make them",
}
_NAMED = {"Distributed": 1, "Buffer": 0, "Alias": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """What the servers have: tables by database and name, of the databases in `looked_into`.

    `databases` are all databases, `elsewhere` those whose tables nobody asked for.
    """

    tables: Collection[tuple[str, str]]
    looked_into: Collection[str]
    databases: Collection[str]
    elsewhere: Collection[str]


def needed_tables(table: Table) -> Iterator[tuple[str, str]]:
    """The tables, by database and name, that a view or a table that forwards to others needs.

    Servers write the names in full where they stand for tables.
    """
    if table.engine in _NAMED:
        words = significant(table.engine_full)
        names = [word.value for word in words if word.kind in {TokenKind.STRING, TokenKind.QUOTED}][
            _NAMED[table.engine] :
        ][:2]
        if len(names) == 2 and all(names):  # noqa: PLR2004  a database and a table
            yield names[0], names[1]
        return
    if table.engine not in _VIEWS:
        return
    words = significant(table.create)
    for place, word in enumerate(words[:-3]):
        if not word.is_word("FROM", "JOIN", "TO") or (place and words[place - 1].is_word("ARRAY")):
            continue
        database, dot, name = words[place + 1 : place + 4]
        if database.is_name and dot.text == "." and name.is_name:
            yield database.value, name.value


def find_incomplete(
    saved: Iterable[BackupTable], existing: Existing
) -> Mapping[tuple[str, str], NoteCode]:
    """What is saved and needs what is not, by database and name, with the code of the reason.

    What needs an incomplete view is incomplete for the same reason.
    """
    saved = tuple(saved)
    own = {item.table.key for item in saved}
    needs = {item.table.key: tuple(needed_tables(item.table)) for item in saved}
    found: dict[tuple[str, str], NoteCode] = {}
    for key, needed in needs.items():
        reasons = {_reason(need, own, existing) for need in needed} - {None}
        if reasons:
            broken = NoteCode.BROKEN_VIEWS in reasons
            found[key] = NoteCode.BROKEN_VIEWS if broken else NoteCode.NOT_CHOSEN
    while True:
        more = {
            key: found[need]
            for key, needed in needs.items()
            for need in needed
            if key not in found and need in found
        }
        if not more:
            return found
        found |= more


def _reason(
    need: tuple[str, str], own: Collection[tuple[str, str]], existing: Existing
) -> NoteCode | None:
    """Why a needed table is not in the dump; None if it is, or every server has it."""
    database = need[0]
    if need in own or database in SYSTEM_DATABASES or database in existing.elsewhere:
        return None
    unknown = database in existing.databases and database not in existing.looked_into
    there = need in existing.tables or unknown
    return NoteCode.NOT_CHOSEN if there else NoteCode.BROKEN_VIEWS


def notes_on_incomplete(found: Mapping[tuple[str, str], NoteCode]) -> tuple[Note, ...]:
    """What is to be known of what `find_incomplete` found."""
    return tuple(note(code, _TEXTS[code], ".".join(key)) for key, code in found.items())


def is_view(table: Table) -> bool:
    """Whether a table is a view, which a server may refuse to make without what it reads."""
    return table.engine in _VIEWS
