"""Reading a server's system tables: its tables, partitions and paths in Keeper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dumpers.engines.clickhouse.schema import ddl
from dumpers.engines.clickhouse.schema.table import Column, Table
from dumpers.engines.clickhouse.schema.table_engines import is_known
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.server.sql import literal
from dumpers.runtime.interrupt import Interrupt

# Engines that know how many rows they have without asking anybody.
_COUNTED = ("Log", "TinyLog", "StripeLog", "Memory", "Join", "EmbeddedRocksDB", "Buffer")
# Statements of these have no engine, or that of a view's own table.
_OF_ONE_FORM = frozenset(("View", "MaterializedView", "LiveView", "WindowView", "Dictionary"))
# Columns of system.tables that came with later releases, and what stands in for them.
_LATER: Mapping[str, str] = {
    "uuid": "''",
    "loading_dependencies_database": "emptyArrayString()",
    "loading_dependencies_table": "emptyArrayString()",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A replicated table's path in Keeper, with the numbers of its replicas and of the active ones.

    `replica` is this server's name among the replicas.
    """

    path: str
    replica: str
    total: int
    active: int


def paths(
    server: Server, databases: Sequence[str], interrupt: Interrupt
) -> Mapping[tuple[str, str], Path]:
    """The paths of all replicated tables of these databases, by database and name."""
    if not databases:
        return {}
    rows = server.rows(
        "SELECT database, table, zookeeper_path, replica_name, total_replicas, "  # noqa: S608  quoted
        "active_replicas "
        f"FROM {server.source('system', 'replicas')} "
        f"WHERE database IN ({', '.join(map(literal, databases))})",
        interrupt,
    )
    return {
        (database, table): Path(path=path, replica=replica, total=int(total), active=int(active))
        for database, table, path, replica, total, active in rows
    }


def read_system_columns(server: Server, interrupt: Interrupt) -> Mapping[str, frozenset[str]]:
    """The columns of each of the server's own tables, as far as this release has them."""
    rows = server.rows(
        f"SELECT table, groupArray(name) FROM {server.source('system', 'columns')} "  # noqa: S608  quoted
        "WHERE database = 'system' GROUP BY table",
        interrupt,
    )
    return {table: frozenset(names) for table, names in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is asked for of a server: tables of these databases, which keep them themselves.

    `there` has the columns of the server's own tables. `loads_computed`: inserts may have values of
    MATERIALIZED columns.
    """

    databases: tuple[str, ...]
    there: Mapping[str, frozenset[str]]
    loads_computed: bool = False

    @property
    def condition(self) -> str:
        """The condition on `database` that keeps a system table from looking at other databases.

        All releases look at it first, so that no other system behind a database is asked.
        """
        return f"database IN ({', '.join(map(literal, self.databases))})"

    def has(self, table: str, *columns: str) -> bool:
        """Whether the server has such a table of its own, with these columns."""
        return set(columns) <= self.there.get(table, frozenset()) and table in self.there


def tables(server: Server, scope: Scope, interrupt: Interrupt) -> tuple[Table, ...]:
    """All tables and views of these databases that the account sees, with their columns."""
    # Old servers do not know an empty list.
    if not scope.databases:
        return ()
    there = scope.there.get("tables", frozenset())
    later = [name if name in there else f"{other} AS {name}" for name, other in _LATER.items()]
    rows = server.rows(
        "SELECT database, name, engine, engine_full, create_table_query, is_temporary, "  # noqa: S608  quoted
        f"dependencies_database, dependencies_table, {', '.join(later)} "
        f"FROM {server.source('system', 'tables')} WHERE {scope.condition} ORDER BY database, name",
        interrupt,
    )
    columns = _columns(server, scope, interrupt)
    readers = _read_by_views(rows)
    sizes = {**_counted(server, scope, interrupt), **part_sizes(server, scope, interrupt)}
    return tuple(
        _table(row, columns, readers, sizes, loads_computed=scope.loads_computed) for row in rows
    )


def _table(
    row: list[Any],
    columns: Mapping[tuple[str, str], Sequence[Column]],
    readers: Mapping[tuple[str, str], frozenset[tuple[str, str]]],
    sizes: Mapping[tuple[str, str], tuple[int, int]],
    *,
    loads_computed: bool,
) -> Table:
    database, name, shown, engine_full, create, temporary = row[:6]
    uuid, needed_databases, needed_tables = row[8:]
    engine = _engine(shown, create)
    size, count = sizes.get((database, name), (None, None))
    # A server that has not loaded a table yet knows of no parts.
    if engine.endswith("MergeTree") and engine == shown and size is None:
        size, count = 0, 0
    return Table(
        database=database,
        name=name,
        uuid=uuid,
        engine=engine,
        engine_full=engine_full,
        create=create,
        is_temporary=bool(int(temporary)),
        total_bytes=size,
        total_rows=count,
        columns=tuple(columns.get((database, name), ())),
        needs=frozenset(zip(needed_databases, needed_tables, strict=True))
        | readers.get((database, name), frozenset()),
        loads_computed=loads_computed,
    )


def _engine(shown: str, create: str) -> str:
    """A table's engine by its statement where the server shows what stands in for it.

    So it does for tables that it has not loaded yet, and for those that show a function's rows.
    """
    if shown.endswith("MergeTree") or shown in _OF_ONE_FORM:
        return shown
    parsed = ddl.parse(create)
    asked = parsed.engine if parsed is not None else ""
    return asked if asked and (asked.endswith("()") or not is_known(shown)) else shown


def _columns(
    server: Server, scope: Scope, interrupt: Interrupt
) -> dict[tuple[str, str], list[Column]]:
    found: dict[tuple[str, str], list[Column]] = {}
    # In the table's own order: that is how the server lists them.
    for database, table, name, kind, default_kind, expression in server.rows(
        "SELECT database, table, name, type, default_kind, default_expression "  # noqa: S608  quoted
        f"FROM {server.source('system', 'columns')} WHERE {scope.condition}",
        interrupt,
    ):
        column = Column(name=name, type=kind, default_kind=default_kind, expression=expression)
        found.setdefault((database, table), []).append(column)
    return found


def _counted(
    server: Server, scope: Scope, interrupt: Interrupt
) -> dict[tuple[str, str], tuple[int, int]]:
    """Bytes and rows of tables without parts, as far as the server knows them by itself."""
    if not scope.has("tables", "total_bytes", "total_rows"):
        return {}
    # Of these engines only: others would ask another system for their rows.
    engines = ", ".join(map(literal, _COUNTED))
    rows = server.rows(
        "SELECT database, name, total_bytes, total_rows "  # noqa: S608  quoted
        f"FROM {server.source('system', 'tables')} "
        f"WHERE {scope.condition} AND engine IN ({engines})",
        interrupt,
    )
    return {
        (database, name): (int(size), int(count or 0))
        for database, name, size, count in rows
        if size is not None
    }


def part_sizes(
    server: Server, scope: Scope, interrupt: Interrupt
) -> dict[tuple[str, str], tuple[int, int]]:
    """Bytes before compression, and rows, of every table that has parts."""
    rows = server.rows(
        "SELECT database, table, sum(data_uncompressed_bytes), sum(rows) "  # noqa: S608  quoted
        f"FROM {server.source('system', 'parts')} "
        f"WHERE {scope.condition} AND active GROUP BY database, table",
        interrupt,
    )
    return {(database, table): (int(size), int(count)) for database, table, size, count in rows}


def partitions(server: Server, database: str, table: str, interrupt: Interrupt) -> frozenset[str]:
    """The ids of a table's partitions."""
    rows = server.rows(
        f"SELECT DISTINCT partition_id FROM {server.source('system', 'parts')} "  # noqa: S608  quoted
        f"WHERE active AND database = {literal(database)} AND table = {literal(table)}",
        interrupt,
    )
    return frozenset(row[0] for row in rows)


def _read_by_views(rows: list[list[Any]]) -> dict[tuple[str, str], frozenset[tuple[str, str]]]:
    """For each materialized view the tables that it reads, as those name it."""
    found: dict[tuple[str, str], frozenset[tuple[str, str]]] = {}
    for row in rows:
        source = (row[0], row[1])
        for view in zip(row[6], row[7], strict=True):
            found[view] = found.get(view, frozenset()) | {source}
    return found
