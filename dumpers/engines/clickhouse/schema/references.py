"""Which tables the statements of others need, and whether a dump has them."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.clickhouse.schema.lexer import TokenKind, significant
from dumpers.engines.clickhouse.schema.table import SYSTEM_DATABASES, Table
from dumpers.engines.clickhouse.schema.table_notes import note
from dumpers.engines.clickhouse.schema.tables import BackupTable

_VIEWS = frozenset(("View", "MaterializedView", "LiveView", "WindowView"))
# Where the names of a database and a table stand among the strings of an engine.
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
    words = significant(table.engine_full if table.engine in _NAMED else table.create)
    if table.engine in _NAMED:
        names = [word.value for word in words if word.kind in {TokenKind.STRING, TokenKind.QUOTED}][
            _NAMED[table.engine] :
        ][:2]
        if len(names) == 2 and all(names):  # noqa: PLR2004  a database and a table
            yield names[0], names[1]
        return
    if table.engine not in _VIEWS:
        return
    for place, word in enumerate(words[:-3]):
        if not word.is_word("FROM", "JOIN", "TO") or (place and words[place - 1].is_word("ARRAY")):
            continue
        database, dot, name = words[place + 1 : place + 4]
        if database.is_name and dot.text == "." and name.is_name:
            yield database.value, name.value


def notes_on_needs(saved: Iterable[BackupTable], existing: Existing) -> tuple[Note, ...]:
    """Notes on what is saved and needs what is not, or what the servers do not have at all."""
    saved = tuple(saved)
    own = {item.table.key for item in saved}
    notes = list[Note]()
    for item in saved:
        missing, broken = False, False
        for database, name in needed_tables(item.table):
            known = (database, name) in own or database in {*SYSTEM_DATABASES, ""}
            if known or database in existing.elsewhere:
                continue
            there = (database, name) in existing.tables or (
                database in existing.databases and database not in existing.looked_into
            )
            missing |= there
            broken |= not there
        if missing:
            notes.append(
                note(
                    NoteCode.NOT_CHOSEN,
                    "these need tables that were not chosen, which a restore has to make first",
                    item.table.full_name,
                )
            )
        if broken:
            notes.append(
                note(
                    NoteCode.BROKEN_VIEWS,
                    "these need tables that the server does not have: a restore may not be able to "
                    "make them",
                    item.table.full_name,
                )
            )
    return tuple(notes)
