"""Deciding by its engine which parts of a table are saved, and noting what is missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.clickhouse.schema import ddl
from dumpers.engines.clickhouse.schema.lexer import significant
from dumpers.engines.clickhouse.schema.table import SYSTEM_DATABASES, Table
from dumpers.engines.clickhouse.schema.table_engines import (
    TableTreatment,
    by_engine,
    is_replicated,
)
from dumpers.engines.clickhouse.schema.table_notes import (
    NO_UTF8,
    note,
    notes_on_rows,
    notes_on_text,
    notes_on_view,
)

_NO_UUID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupTable:
    """A table and how it is saved.

    `store` is the table that holds its rows: itself, or a view's own table.
    """

    table: Table
    kind: TableTreatment
    store: Table
    notes: tuple[Note, ...] = ()

    @property
    def has_data(self) -> bool:
        """Whether the rows are saved."""
        return self.kind in {TableTreatment.DATA, TableTreatment.VIEW_WITH_DATA}

    @property
    def is_saved(self) -> bool:
        """Whether the dump has the table at all, not as another one's part only."""
        return self.kind not in {TableTreatment.INNER, TableTreatment.SKIPPED}

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that a dump reads and a restore writes."""
        # A view takes what it selects, which has no columns that its own table computes.
        own = self.store is self.table
        return self.store.stored_columns if own else self.store.plain_columns

    @property
    def is_replicated(self) -> bool:
        """Whether one replica of each shard has all rows of the shard."""
        return is_replicated(self.store.engine)

    @property
    def loses_rows(self) -> bool:
        """Whether rows go away by themselves: by a TTL, or as merges make fewer of them.

        How many there are after a restore may then be less than were dumped.
        """
        engine = self.store.engine.removeprefix("Replicated").removeprefix("Shared")
        ttl = any(token.is_word("TTL") for token in significant(self.store.engine_full))
        return ttl or (engine.endswith("MergeTree") and engine != "MergeTree")


def treat(tables: Iterable[Table]) -> tuple[BackupTable, ...]:
    """Decide how each table is saved; `tables` must be all tables that the account sees."""
    tables = tuple(tables)
    owners = {
        (table.database, key)
        for table in tables
        if _owns(table)
        for key in (table.name, table.uuid)
        if key not in {"", _NO_UUID}
    }
    inner = {table.key: table for table in tables if _owner_keys(table) & owners}
    return tuple(_treat(table, inner) for table in tables)


def _treat(table: Table, inner: Mapping[tuple[str, str], Table]) -> BackupTable:
    if _is_passing(table):
        return BackupTable(table=table, kind=TableTreatment.SKIPPED, store=table)
    if table.key in inner:
        return BackupTable(table=table, kind=TableTreatment.INNER, store=table)
    lost = _lost(table)
    if lost:
        return BackupTable(table=table, kind=TableTreatment.SKIPPED, store=table, notes=(lost,))
    store = table
    if table.engine == "MaterializedView" and _owns(table):
        store = _inner_of(table, inner) or table
    kind, remarks = by_engine(store.engine)
    if store is not table and kind is TableTreatment.DATA:
        kind = TableTreatment.VIEW_WITH_DATA
    notes = [note(remark.code, remark.text, table.full_name) for remark in remarks]
    if store.engine == "Buffer" and store.total_bytes == 0:
        notes = []
    if table.engine == "MaterializedView":
        notes += notes_on_view(table, store)
    notes += notes_on_text(table)
    if kind in {TableTreatment.DATA, TableTreatment.VIEW_WITH_DATA}:
        notes += notes_on_rows(table, store)
    return BackupTable(table=table, kind=kind, store=store, notes=tuple(notes))


def _lost(table: Table) -> Note | None:
    """Why nothing of a table can be saved, if so."""
    names = (table.database, table.name, *table.plain_columns)
    if any(NO_UTF8 in name for name in names):
        return note(
            NoteCode.UNREADABLE,
            "these tables are not in this dump, as their names or those of their columns are not "
            "UTF-8: rename them",
            table.full_name,
        )
    return None


def _is_passing(table: Table) -> bool:
    """Whether a table is the server's, a session's, or exists only while a view refreshes."""
    own = table.is_temporary or table.database in {"", *SYSTEM_DATABASES}
    return own or table.name.startswith(".tmp.inner")


def _owns(table: Table) -> bool:
    """Whether a table keeps its rows, if any, in tables of its own."""
    if table.engine == "MaterializedView":
        create = ddl.parse(table.create)
        return create is None or create.target is None
    return table.engine in {"TimeSeries", "WindowView"}


def _owner_keys(table: Table) -> set[tuple[str, str]]:
    """By what the owner may be known that this table is an inner table of: its name or its id."""
    if table.name.startswith(".inner_id."):
        return {(table.database, table.name.rpartition(".")[2])}
    if table.name.startswith(".inner."):
        name = table.name.removeprefix(".inner.")
        # A TimeSeries table has several, each with a word for what it holds.
        return {(table.database, name), (table.database, name.partition(".")[2])}
    return set()


def _inner_of(view: Table, inner: Mapping[tuple[str, str], Table]) -> Table | None:
    names = [f".inner.{view.name}"]
    if view.uuid not in {"", _NO_UUID}:
        names.insert(0, f".inner_id.{view.uuid}")
    return next(
        (inner[view.database, name] for name in names if (view.database, name) in inner), None
    )
