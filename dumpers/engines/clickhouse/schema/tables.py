"""Deciding by its engine which parts of a table are saved, and noting what is missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from dumpers.engines.clickhouse.schema import ddl
from dumpers.engines.clickhouse.schema.lexer import TokenKind, significant
from dumpers.engines.clickhouse.schema.table_engines import (
    ROWS_MISSING,
    TableTreatment,
    by_engine,
    is_replicated,
)

SYSTEM_DATABASES = frozenset(
    ("system", "information_schema", "INFORMATION_SCHEMA", "_temporary_and_external_tables")
)
_NO_UUID = "00000000-0000-0000-0000-000000000000"
_HIDDEN = "[HIDDEN]"
# What stands in JSON for bytes that are no text.
_NO_UTF8 = "\ufffd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A row of system.columns; `expression` is the default's."""

    name: str
    type: str
    default_kind: str = ""
    expression: str = ""

    @property
    def is_insertable(self) -> bool:
        """Whether the column can be read and be written again."""
        return self.default_kind in {"", "DEFAULT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A row of system.tables; what older servers do not know is empty or None.

    `needs` are the tables that have to exist before it, by database and name: its
    loading_dependencies, and for a materialized view those that name it in their dependencies.
    """

    database: str
    name: str
    uuid: str = ""
    engine: str
    engine_full: str = ""
    create: str = ""
    is_temporary: bool = False
    total_bytes: int | None = None
    total_rows: int | None = None
    columns: tuple[Column, ...] = ()
    needs: frozenset[tuple[str, str]] = frozenset()

    @property
    def full_name(self) -> str:
        """Database and name, for people and for patterns."""
        return f"{self.database}.{self.name}"

    @property
    def key(self) -> tuple[str, str]:
        """Database and name."""
        return self.database, self.name

    @property
    def insertable(self) -> tuple[str, ...]:
        """The names of the columns that a dump reads and a restore writes."""
        return tuple(column.name for column in self.columns if column.is_insertable)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupTable:
    """A table and how it is saved.

    `store` is the table that holds its rows: itself, or a view's own table.
    """

    table: Table
    kind: TableTreatment
    store: Table
    notes: tuple[str, ...] = ()

    @property
    def has_data(self) -> bool:
        """Whether the rows are saved."""
        return self.kind in {TableTreatment.DATA, TableTreatment.VIEW_WITH_DATA}

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


# Functions whose values are not of the row alone, in lower case, and beginnings of such names.
_CHANGING = frozenset(
    (
        *("now", "now64", "nowinblock", "today", "yesterday", "utctimestamp", "current_timestamp"),
        *("curdate", "current_date", "hostname", "fqdn", "serveruuid", "servertimezone", "uptime"),
        *("timezone", "version", "tcpport", "currentuser", "user", "currentdatabase", "database"),
        *("queryid", "initialqueryid", "getmacro", "getsetting", "getserverport", "shardnum"),
        *("rownumberinblock", "rownumberinallblocks", "blocknumber", "blocksize", "neighbor"),
        *("connectionid", "file", "fuzzbits"),
    )
)
_CHANGING_BEGINNINGS = ("rand", "generateu", "generates", "dict", "joinget", "runningd", "filesys")


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
    store, notes = table, list[str]()
    if _is_passing(table):
        kind = TableTreatment.SKIPPED
    elif table.key in inner:
        kind = TableTreatment.INNER
    else:
        if table.engine == "MaterializedView" and _owns(table):
            store = _inner_of(table, inner) or table
        kind, notes = by_engine(store.engine)
        if store is not table and kind is TableTreatment.DATA:
            kind = TableTreatment.VIEW_WITH_DATA
        notes = [*notes, *_notes_on_view(table, store), *_notes_on_text(table)]
    return BackupTable(
        table=table,
        kind=kind,
        store=store,
        notes=tuple(f"{table.full_name} ({table.engine}): {note}" for note in notes),
    )


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


def _notes_on_view(view: Table, store: Table) -> list[str]:
    create = ddl.parse(view.create) if view.engine == "MaterializedView" else None
    if create is None:
        return []
    notes = []
    if store is view and create.target is None:
        notes.append(f"{ROWS_MISSING}this account does not see the table that it keeps them in")
    if create.is_refreshable:
        notes.append("it refreshes itself: a restore creates it without a first refresh")
    return notes


def _notes_on_text(table: Table) -> list[str]:
    notes = []
    changing = [
        column.name
        for column in table.columns
        if column.default_kind == "MATERIALIZED" and _changes(column.expression)
    ]
    if changing:
        notes.append(
            "a restore computes these MATERIALIZED columns anew, to other values: "
            + ", ".join(map(repr, changing))
        )
    if _NO_UTF8 in table.create:
        notes.append("its statement holds bytes that are not UTF-8, which were lost")
    # Most statements hold no such text at all.
    if _HIDDEN in table.create and any(
        _HIDDEN in token.text
        for token in significant(table.create)
        if token.kind is TokenKind.STRING
    ):
        notes.append("the server hides a secret of it: put it in before a restore creates it")
    return notes


def _changes(expression: str) -> bool:
    return any(
        word.kind is TokenKind.WORD
        and following.text == "("
        and (word.text.lower() in _CHANGING or word.text.lower().startswith(_CHANGING_BEGINNINGS))
        for word, following in pairwise(significant(expression))
    )
