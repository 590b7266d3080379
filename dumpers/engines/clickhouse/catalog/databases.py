"""A server's databases: which hold tables of their own, and which show another system's."""

from collections.abc import Container, Iterable
from dataclasses import dataclass

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.clickhouse.schema import ddl
from dumpers.engines.clickhouse.schema.names.rewriting import rewrite
from dumpers.engines.clickhouse.schema.table import SYSTEM_DATABASES
from dumpers.engines.clickhouse.schema.table_notes import has_secret, note
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.server.sql import identifier
from dumpers.runtime.interrupt import Interrupt

# Engines of databases that keep their tables here; all others show tables of another place, which
# may be away: asking them for their tables would fail, or wait.
_OWN = frozenset(("Atomic", "Ordinary", "Lazy", "Memory", "Replicated", "Shared"))
# Every server has it; outside of a server it is made of several.
_DEFAULT = ("default", "Overlay")
# These hide databases of other systems; newer releases have the second name only.
_SHOWING = ("show_data_lake_catalogs_in_system_tables", "show_remote_databases_in_system_tables")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database with the statement that makes it, which is empty for one that was not chosen."""

    name: str
    engine: str
    create: str = ""

    @property
    def is_elsewhere(self) -> bool:
        """Whether the database shows another place's tables, which its statement brings back."""
        return self.engine not in _OWN and (self.name, self.engine) != _DEFAULT


def read_databases(
    server: Server, interrupt: Interrupt, known: Container[str] = ()
) -> tuple[Database, ...]:
    """All databases but the server's own, without statements; no other system is asked.

    `known` are the settings that the server knows.
    """
    shown = ", ".join(f"{name} = 1" for name in _SHOWING if name in known)
    rows = server.rows(
        f"SELECT name, engine FROM {server.source('system', 'databases')}"  # noqa: S608  quoted
        + (f" SETTINGS {shown}" if shown else ""),
        interrupt,
    )
    return tuple(
        Database(name=name, engine=engine) for name, engine in rows if name not in SYSTEM_DATABASES
    )


def read_statements(
    server: Server, databases: Iterable[Database], interrupt: Interrupt
) -> tuple[Database, ...]:
    """The databases with the statements that make them.

    If a replica is read through another server, the statements are that other server's.
    """
    found = []
    for item in databases:
        [[create]] = server.rows(f"SHOW CREATE DATABASE {identifier(item.name)}", interrupt)
        found.append(Database(name=item.name, engine=item.engine, create=_named(item, create)))
    return tuple(found)


def _named(item: Database, create: str) -> str:
    """The statement, with the database's name: of SQLite's, servers tell the engine's in place."""
    parsed = ddl.parse(create)
    if parsed is None or parsed.tokens[parsed.name].value == item.name:
        return create
    return rewrite(create, database=item.name)


def notes_on_databases(databases: Iterable[Database]) -> tuple[Note, ...]:
    """What a dump lacks of databases that it holds the statements of."""
    notes = []
    for item in databases:
        if item.is_elsewhere:
            notes.append(
                note(
                    NoteCode.FOREIGN_TABLES,
                    "these databases show tables of other systems: only the statements that make "
                    "the databases are in this dump, save the tables where they lie",
                    item.name,
                )
            )
        if has_secret(item.create):
            notes.append(
                note(
                    NoteCode.SECRETS_HIDDEN,
                    "the server hides secrets in these statements: put them in before a restore "
                    "runs them",
                    item.name,
                )
            )
    return tuple(notes)
