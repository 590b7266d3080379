"""What a server says of itself: its release, its cluster, its state, its tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dumpers.engines.clickhouse.client import Server
from dumpers.engines.clickhouse.sql import identifier, literal
from dumpers.engines.clickhouse.tables import SYSTEM_DATABASES, Column, Table
from dumpers.engines.clickhouse.topology import Health, Node
from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.interrupt import Interrupt

# A server that takes longer to say how it is would take for ever to give its rows.
_HEALTH_SECONDS = 30.0
# It asks Keeper several times for each of its tables.
_KEEPER_SECONDS = 120.0
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
        """Whether its tables are those of another system, which come with the statement."""
        return self.engine in _ELSEWHERE


def version(server: Server, interrupt: Interrupt) -> str:
    """The server's release."""
    return str(server.rows("SELECT version()", interrupt)[0][0])


def known_settings(server: Server, interrupt: Interrupt) -> frozenset[str]:
    """The names of all settings that the server knows; one that it does not, it refuses."""
    # In one row: a profile may cut longer answers short, which these names are asked for to keep.
    [[names]] = server.rows("SELECT groupArray(name) FROM system.settings", interrupt)
    return frozenset(names)


def nodes(server: Server, interrupt: Interrupt) -> tuple[Node, ...]:
    """The servers of every cluster that it knows."""
    rows = server.rows(
        "SELECT cluster, shard_num, replica_num, host_name, port, is_local FROM system.clusters",
        interrupt,
    )
    return tuple(
        Node(
            cluster=cluster,
            shard=int(shard),
            replica=int(replica),
            host=host,
            port=int(port),
            is_local=bool(int(local)),
        )
        for cluster, shard, replica, host, port, local in rows
    )


def cluster_macro(server: Server, interrupt: Interrupt) -> str:
    """The value of its macro {cluster}, empty without one."""
    rows = server.rows("SELECT substitution FROM system.macros WHERE macro = 'cluster'", interrupt)
    return str(rows[0][0]) if rows else ""


def health(server: Server, interrupt: Interrupt) -> Health:
    """How far it is behind the other replicas; one that does not answer is not reachable."""
    try:
        found = _health(server, interrupt)
        if found.is_stale:
            return found
        unheard = _unheard(server, interrupt)
        if unheard is None:
            return replace(found, session_expired=True)
        # Anew, as what it has heard of meanwhile is in its queue.
        found = _health(server, interrupt)
    except KsnapshotError as error:
        if not isinstance(error, server.side.failed):
            raise
        return Health(reachable=False, why=str(error))
    return replace(found, queue=found.queue + unheard)


def _health(server: Server, interrupt: Interrupt) -> Health:
    # What waits to be merged is there already.
    [row] = server.rows(
        "SELECT max(is_readonly), max(is_session_expired), "  # noqa: S608  quoted
        "max(toInt64(queue_size) - toInt64(merges_in_queue)), max(absolute_delay) "
        f"FROM {server.source('system', 'replicas')}",
        interrupt,
        seconds=_HEALTH_SECONDS,
    )
    readonly, expired, queue, delay = (int(cell or 0) for cell in row)
    return Health(
        reachable=True,
        readonly=readonly > 0,
        session_expired=expired > 0,
        queue=queue,
        delay=delay,
    )


def _unheard(server: Server, interrupt: Interrupt) -> int | None:
    """How many entries of a table's log in Keeper it has not queued; None if Keeper is silent."""
    try:
        # An empty log and one with a first entry look alike.
        [[unheard]] = server.rows(
            "SELECT max(if(log_max_index = 0, 0, "  # noqa: S608  quoted
            "greatest(toInt64(log_max_index) + 1 - toInt64(log_pointer), 0))) "
            f"FROM {server.source('system', 'replicas')}",
            interrupt,
            seconds=_KEEPER_SECONDS,
        )
    except server.side.failed:
        return None
    return int(unheard or 0)


def databases(server: Server, interrupt: Interrupt) -> tuple[Database, ...]:
    """All databases but the server's own.

    Of a replica that is read through another server the statements are that server's.
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
    """Where Keeper has a replicated table: how many replicas of it, how many of them alive.

    `replica` is what this server is called among them.
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
        "SELECT database, name, engine, engine_full, create_table_query, is_temporary, "  # noqa: S608  ours
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
        "SELECT database, table, name, type, default_kind, default_expression "  # noqa: S608  ours
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
