"""What a server holds that no table shows: detached tables and parts, rows that wait.

Each is one query, of the databases that were asked for only.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.clickhouse.catalog.system_tables import Scope
from dumpers.engines.clickhouse.filters import TableFilter
from dumpers.engines.clickhouse.server.client import Server
from dumpers.runtime.interrupt import Interrupt


@dataclass(frozen=True, slots=True, kw_only=True)
class _Survey:
    """A system table that lists what a dump lacks, and what to say of the tables in it."""

    system_table: str
    columns: tuple[str, ...]
    name: str
    where: str
    code: NoteCode
    text: str


_SURVEYS = (
    _Survey(
        system_table="detached_tables",
        columns=("database", "table"),
        name="table",
        where="1",
        code=NoteCode.NOT_DUMPED,
        text="these tables are detached, and so not in this dump: ATTACH TABLE brings them back",
    ),
    _Survey(
        system_table="detached_parts",
        columns=("database", "table", "name"),
        name="table",
        # Those with this reason are a merge's sources, or remains of one, which the table has.
        where="ifNull(reason, '') NOT IN "
        "('ignored', 'clone', 'attaching', 'deleting', 'tmp-fetch')",
        code=NoteCode.NOT_DUMPED,
        text="rows in detached parts of these tables are not in this dump: see "
        "system.detached_parts, and attach or drop them",
    ),
    _Survey(
        system_table="distribution_queue",
        columns=("database", "table", "data_files"),
        name="table",
        where="data_files > 0",
        code=NoteCode.NOT_DUMPED,
        text="rows that these Distributed tables have not passed on yet are not in this dump: "
        "SYSTEM FLUSH DISTRIBUTED passes them on",
    ),
    _Survey(
        system_table="mutations",
        columns=("database", "table", "is_done"),
        name="table",
        where="NOT is_done",
        code=NoteCode.NOT_CONSISTENT,
        text="ALTER … UPDATE or DELETE is not finished on these tables: rows are in this dump as "
        "they were before it, and a restore does not go on with it; see system.mutations",
    ),
    _Survey(
        system_table="asynchronous_inserts",
        columns=("database", "table"),
        name="table",
        where="1",
        code=NoteCode.NOT_DUMPED,
        text="asynchronous inserts into these tables wait in the server's memory: rows that it had "
        "not written when a table was read are not in this dump",
    ),
)


def read_left_out(
    server: Server, scope: Scope, table_filter: TableFilter, interrupt: Interrupt
) -> tuple[Note, ...]:
    """Notes on tables that were asked for, and what of them this dump lacks."""
    return tuple(_notes(server, scope, table_filter, interrupt))


def _notes(
    server: Server, scope: Scope, table_filter: TableFilter, interrupt: Interrupt
) -> Iterator[Note]:
    for survey in _SURVEYS:
        if not scope.databases or not scope.has(survey.system_table, *survey.columns):
            continue
        rows = server.rows(
            f"SELECT DISTINCT database, {survey.name} "  # noqa: S608  constants
            f"FROM {server.source('system', survey.system_table)} "
            f"WHERE {scope.condition} AND {survey.where} ORDER BY database, {survey.name}",
            interrupt,
        )
        names = _chosen(rows, table_filter)
        if names:
            yield Note(code=survey.code, text=survey.text, objects=names)


def _chosen(rows: Iterable[Sequence[str]], table_filter: TableFilter) -> tuple[str, ...]:
    return tuple(
        f"{database}.{name}" for database, name in rows if table_filter.has_table(database, name)
    )
