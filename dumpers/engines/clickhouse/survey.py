"""What a server says of itself: its release, its cluster, its state, its tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dumpers.engines.clickhouse.client import Server
from dumpers.engines.clickhouse.sql import identifier, literal
from dumpers.engines.clickhouse.tables import SYSTEM_DATABASES, Column, Table
from dumpers.engines.clickhouse.topology import Health, Node
from dumpers.errors import KsnapshotError
from dumpers.interrupt import Interrupt

# Columns of system.tables that came with later releases, and what stands in for them.
_LATER: Mapping[str, str] = {
    "uuid": "''",
    "total_bytes": "NULL",
    "total_rows": "NULL",
    "loading_dependencies_database": "emptyArrayString()",
    "loading_dependencies_table": "emptyArrayString()",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database with the statement that makes it."""

    name: str
    engine: str
    create: str


def version(server: Server, interrupt: Interrupt) -> str:
    """The server's release."""
    return str(server.rows("SELECT version()", interrupt)[0][0])


def known_settings(server: Server, interrupt: Interrupt) -> frozenset[str]:
    """The names of all settings that the server knows; one that it does not, it refuses."""
    return frozenset(row[0] for row in server.rows("SELECT name FROM system.settings", interrupt))


def nodes(server: Server, interrupt: Interrupt) -> tuple[Node, ...]:
    """The servers of every cluster that it knows."""
    rows = server.rows(
        "SELECT cluster, shard_num, replica_num, host_name, port FROM system.clusters", interrupt
    )
    return tuple(
        Node(cluster=cluster, shard=int(shard), replica=int(replica), host=host, port=int(port))
        for cluster, shard, replica, host, port in rows
    )


def cluster_macro(server: Server, interrupt: Interrupt) -> str:
    """The value of its macro {cluster}, empty without one."""
    rows = server.rows("SELECT substitution FROM system.macros WHERE macro = 'cluster'", interrupt)
    return str(rows[0][0]) if rows else ""


def health(server: Server, interrupt: Interrupt) -> Health:
    """How far it is behind the other replicas; one that does not answer is not reachable."""
    try:
        [row] = server.rows(
            "SELECT max(is_readonly), max(is_session_expired), max(queue_size), "
            "max(absolute_delay) FROM system.replicas",
            interrupt,
        )
    except KsnapshotError as error:
        if not isinstance(error, server.side.failed):
            raise
        return Health(reachable=False)
    readonly, expired, queue, delay = (int(cell or 0) for cell in row)
    return Health(
        reachable=True,
        readonly=readonly > 0,
        session_expired=expired > 0,
        queue=queue,
        delay=delay,
    )


def databases(server: Server, interrupt: Interrupt) -> tuple[Database, ...]:
    """All databases but the server's own."""
    found = []
    for name, engine in server.rows("SELECT name, engine FROM system.databases", interrupt):
        if name not in SYSTEM_DATABASES:
            [[create]] = server.rows(f"SHOW CREATE DATABASE {identifier(name)}", interrupt)
            found.append(Database(name=name, engine=engine, create=create))
    return tuple(found)


def tables(server: Server, interrupt: Interrupt) -> tuple[Table, ...]:
    """All tables and views that the account sees, with their columns."""
    there = {
        row[0]
        for row in server.rows(
            "SELECT name FROM system.columns WHERE database = 'system' AND table = 'tables'",
            interrupt,
        )
    }
    later = [name if name in there else f"{other} AS {name}" for name, other in _LATER.items()]
    own = ", ".join(map(literal, sorted(SYSTEM_DATABASES)))
    rows = server.rows(
        "SELECT database, name, engine, engine_full, create_table_query, is_temporary, "  # noqa: S608  ours
        f"dependencies_database, dependencies_table, {', '.join(later)} "
        f"FROM system.tables WHERE database NOT IN ({own}) ORDER BY database, name",
        interrupt,
    )
    columns = _columns(server, own, interrupt)
    readers = _read_by_views(rows)
    return tuple(_table(row, columns, readers) for row in rows)


def _table(
    row: list[Any],
    columns: Mapping[tuple[str, str], Sequence[Column]],
    readers: Mapping[tuple[str, str], frozenset[tuple[str, str]]],
) -> Table:
    database, name, engine, engine_full, create, temporary = row[:6]
    uuid, size, count, needed_databases, needed_tables = row[8:]
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
        f"FROM system.columns WHERE database NOT IN ({own})",
        interrupt,
    ):
        column = Column(name=name, type=kind, default_kind=default_kind, expression=expression)
        found.setdefault((database, table), []).append(column)
    return found


def _read_by_views(rows: list[list[Any]]) -> dict[tuple[str, str], frozenset[tuple[str, str]]]:
    """For each materialized view the tables that it reads, as those name it."""
    found: dict[tuple[str, str], frozenset[tuple[str, str]]] = {}
    for row in rows:
        source = (row[0], row[1])
        for view in zip(row[6], row[7], strict=True):
            found[view] = found.get(view, frozenset()) | {source}
    return found
