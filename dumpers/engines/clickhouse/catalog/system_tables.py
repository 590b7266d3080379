"""Reading a server's system tables: its databases, tables, partitions and paths in Keeper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dumpers.engines.clickhouse.schema.tables import SYSTEM_DATABASES, Column, Table
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.server.sql import identifier, literal
from dumpers.runtime.interrupt import Interrupt

# Columns of system.tables that came with later releases, and what stands in for them.
_LATER: Mapping[str, str] = {
    "uuid": "''",
    "total_bytes": "NULL",
    "total_rows": "NULL",
    "loading_dependencies_database": "emptyArrayString()",
    "loading_dependencies_table": "emptyArrayString()",
}

# Engines of databases that show another system's tables.
_ELSEWHERE = frozenset(
    (
        *(
            "Dictionary",
            "MySQL",
            "PostgreSQL",
            "MaterializedMySQL",
            "MaterializedPostgreSQL",
            "SQLite",
            "S3",
        ),
        *("HDFS", "Filesystem", "DataLakeCatalog", "Iceberg", "Backup", "Remote", "RemoteSecure"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database with the statement that makes it."""

    name: str
    engine: str
    create: str

    @property
    def is_elsewhere(self) -> bool:
        """Whether the database shows another system's tables, which its statement brings back."""
        return self.engine in _ELSEWHERE


def databases(server: Server, interrupt: Interrupt) -> tuple[Database, ...]:
    """All databases but the server's own.

    If a replica is read through another server, the statements are that other server's.
    """
    found = []
    source = server.source("system", "databases")
    for name, engine in server.rows(f"SELECT name, engine FROM {source}", interrupt):  # noqa: S608  quoted
        if name not in SYSTEM_DATABASES:
            [[create]] = server.rows(f"SHOW CREATE DATABASE {identifier(name)}", interrupt)
            found.append(Database(name=name, engine=engine, create=create))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A replicated table's path in Keeper, with the numbers of its replicas and of the active ones.

    `replica` is this server's name among the replicas.
    """

    path: str
    replica: str
    total: int
    active: int


def paths(server: Server, interrupt: Interrupt) -> Mapping[tuple[str, str], Path]:
    """The paths of all replicated tables, by database and name."""
    rows = server.rows(
        "SELECT database, table, zookeeper_path, replica_name, total_replicas, "  # noqa: S608  quoted
        "active_replicas "
        f"FROM {server.source('system', 'replicas')}",
        interrupt,
    )
    return {
        (database, table): Path(path=path, replica=replica, total=int(total), active=int(active))
        for database, table, path, replica, total, active in rows
    }


def columns_of(server: Server, table: str, interrupt: Interrupt) -> frozenset[str]:
    """The columns of a table of the server's own, none where this release has no such table."""
    rows = server.rows(
        f"SELECT name FROM {server.source('system', 'columns')} "  # noqa: S608  quoted
        f"WHERE database = 'system' AND table = {literal(table)}",
        interrupt,
    )
    return frozenset(row[0] for row in rows)


def tables(server: Server, interrupt: Interrupt) -> tuple[Table, ...]:
    """All tables and views that the account sees, with their columns."""
    there = columns_of(server, "tables", interrupt)
    later = [name if name in there else f"{other} AS {name}" for name, other in _LATER.items()]
    own = ", ".join(map(literal, sorted(SYSTEM_DATABASES)))
    rows = server.rows(
        "SELECT database, name, engine, engine_full, create_table_query, is_temporary, "  # noqa: S608  constants
        f"dependencies_database, dependencies_table, {', '.join(later)} "
        f"FROM {server.source('system', 'tables')} WHERE database NOT IN ({own}) "
        "ORDER BY database, name",
        interrupt,
    )
    columns = _columns(server, own, interrupt)
    readers = _read_by_views(rows)
    sizes = _sizes(server, interrupt)
    return tuple(_table(row, columns, readers, sizes) for row in rows)


def _table(
    row: list[Any],
    columns: Mapping[tuple[str, str], Sequence[Column]],
    readers: Mapping[tuple[str, str], frozenset[tuple[str, str]]],
    sizes: Mapping[tuple[str, str], tuple[int, int]],
) -> Table:
    database, name, engine, engine_full, create, temporary = row[:6]
    uuid, size, count, needed_databases, needed_tables = row[8:]
    if engine.endswith("MergeTree"):
        size, count = sizes.get((database, name), (0, 0))
    return Table(
        database=database,
        name=name,
        uuid=uuid,
        engine=engine,
        engine_full=engine_full,
        create=create,
        is_temporary=bool(int(temporary)),
        total_bytes=None if size is None else int(size),
        total_rows=None if count is None else int(count),
        columns=tuple(columns.get((database, name), ())),
        needs=frozenset(zip(needed_databases, needed_tables, strict=True))
        | readers.get((database, name), frozenset()),
    )


def _columns(server: Server, own: str, interrupt: Interrupt) -> dict[tuple[str, str], list[Column]]:
    found: dict[tuple[str, str], list[Column]] = {}
    # In the table's own order: that is how the server lists them.
    for database, table, name, kind, default_kind, expression in server.rows(
        "SELECT database, table, name, type, default_kind, default_expression "  # noqa: S608  constants
        f"FROM {server.source('system', 'columns')} WHERE database NOT IN ({own})",
        interrupt,
    ):
        column = Column(name=name, type=kind, default_kind=default_kind, expression=expression)
        found.setdefault((database, table), []).append(column)
    return found


def _sizes(server: Server, interrupt: Interrupt) -> dict[tuple[str, str], tuple[int, int]]:
    """Bytes before compression, and rows, of every table that has parts."""
    rows = server.rows(
        "SELECT database, table, sum(data_uncompressed_bytes), sum(rows) "  # noqa: S608  quoted
        f"FROM {server.source('system', 'parts')} WHERE active GROUP BY database, table",
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
