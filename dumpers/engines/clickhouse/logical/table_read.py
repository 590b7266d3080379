"""Reading tables as streams, each with what proves it whole.

A body's end alone proves little: older servers write an error behind rows and end in good order. So
the server itself is asked, once for all tables of a replica, how each query ended and how many
rows it gave. Servers whose word does not hold for queries that are killed have their rows counted
as well.
"""

import secrets
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dumpers.engines.clickhouse.cluster.health import read_health
from dumpers.engines.clickhouse.logical.body_check import TAG_HEADER, ProvenReader
from dumpers.engines.clickhouse.logical.identity import identity
from dumpers.engines.clickhouse.logical.plan import TableRead, TableReplica
from dumpers.engines.clickhouse.logical.query_log import (
    NoResultError,
    Query,
    QueryLog,
    logs_killed_queries,
)
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.server.errors import cure_of
from dumpers.engines.clickhouse.server.sql import count, insert, qualified, select
from dumpers.runtime.errors import KsnapshotError, SourceFailedError, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader

ENDING = ".native"


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpContext:
    """What the readings of a dump share; `down` are servers that went away meanwhile.

    If it `accepts_counts`, rows counted before and after a read may replace the query log as proof.
    """

    query_log: QueryLog
    accepts_counts: bool
    down: set[str] = field(default_factory=set)


class Reading:
    """Reads one table: from its best copy, or from the next one after that has failed.

    After `open`, all methods wait through the interrupt that the last `open` was given.
    """

    def __init__(self, item: TableRead, context: DumpContext) -> None:
        self.item = item
        self._context = context
        self._copies: deque[TableReplica] = deque(item.copies)
        self._interrupt: Interrupt | None = None
        self._query: Query | None = None
        self._size = 0
        self._began = ""
        self._counted: list[int] = []

    @contextmanager
    def open(self, interrupt: Interrupt) -> Iterator[Reader]:
        """Read the rows from their start; errors name the table and the server."""
        self._interrupt = interrupt
        if self._server.where in self._context.down:
            self._go_on(interrupt)
        server, backup_table = self._server, self._copies[0].backup_table
        query = Query(
            server=server,
            id=f"ksnapshot-{secrets.token_hex(12)}",
            where=f"{self.item.where} ({server.where})",
        )
        self._query, self._counted = query, []
        self._began = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        self._context.query_log.expect(query)
        source = server.source(*backup_table.table.key)
        sql = select(source, backup_table.columns, self.item.partitions)

        def confirm() -> bool:
            self._context.query_log.rows(query, interrupt, all_ended=False)
            return True

        try:
            self._count(source, interrupt)
            with server.stream(sql, interrupt, query_id=query.id) as (answer, reader):
                tag = answer.headers.get(TAG_HEADER.lower(), "")
                proven = ProvenReader(reader, tag=tag, confirm=confirm)
                yield proven
                self._size = proven.count
            self._count(source, interrupt)
        except (SourceFailedError, SourceRefusedError) as error:
            raise type(error)(
                f"{query.where}: {server.safe(str(error))}{cure_of(error)}"
            ) from error

    def can_retry(self, _: KsnapshotError) -> bool:
        """Move on to the next copy; False if no other copy has all rows."""
        query, interrupt = self._opened()
        self._context.query_log.forget(query)
        if not read_health(self._server, interrupt).reachable:
            self._context.down.add(self._server.where)
        return self._go_on(interrupt)

    def _opened(self) -> tuple[Query, Interrupt]:
        """The query that the last `open` sent, and the interrupt that it was given."""
        assert self._query is not None
        assert self._interrupt is not None
        return self._query, self._interrupt

    def _go_on(self, interrupt: Interrupt) -> bool:
        """Move on to the next copy that does not lag: a lagging one would be taken for whole."""
        others = list(self._copies)[1:]
        for number, copy in enumerate(others):
            health = read_health(copy.replica.server, interrupt)
            if health.reachable and not health.is_stale and not health.queue:
                self._copies = deque(others[number:])
                return True
        return False

    def manifest_metadata(self) -> Mapping[str, Any]:
        """The manifest's entry of the table, with its number of rows and the proof of that.

        Raises SourceFailedError if there is less proof than the annotation asks for.
        """
        # As the copy has it that was read: another may have other columns.
        backup_table = self._copies[0].backup_table
        table, columns = backup_table.table, backup_table.columns
        metadata: dict[str, Any] = {
            "database": table.database,
            "table": table.name,
            "engine": table.engine,
            "columns": list(columns),
            "insert": insert(qualified(*table.key), columns),
            "replica": self._server.where,
            "read": self._began,
            **self._rows(),
        }
        if backup_table.loses_rows:
            metadata["loses_rows"] = True
        if self.item.partitions:
            metadata["partitions"] = list(self.item.partitions)
        return metadata

    @property
    def _server(self) -> Server:
        return self._copies[0].replica.server

    def _count(self, source: str, interrupt: Interrupt) -> None:
        if self._context.accepts_counts or self._may_be_cut:
            [[rows]] = self._server.rows(count(source, self.item.partitions), interrupt)
            self._counted.append(int(rows))

    @property
    def _may_be_cut(self) -> bool:
        return not logs_killed_queries(self._copies[0].replica.release)

    def _given(self, query: Query, interrupt: Interrupt) -> int:
        rows = self._context.query_log.rows(query, interrupt)
        if self._may_be_cut and rows < min(self._counted):
            before, after = self._counted
            raise SourceFailedError(
                f"it gave {rows} rows where {before} were counted before and {after} after: its "
                "query was killed, or the server stopped, which this release does not always tell"
            )
        return rows

    def _rows(self) -> Mapping[str, Any]:
        query, interrupt = self._opened()
        try:
            return {"rows": self._given(query, interrupt), "rows_from": "query_log"}
        except (SourceFailedError, SourceRefusedError) as error:
            is_result = not isinstance(error, NoResultError | SourceRefusedError)
            if is_result or not self._context.accepts_counts:
                raise type(error)(f"{query.where} is not proved whole: {error}") from error
        least, most = min(self._counted), max(self._counted)
        if least and not self._size:
            raise SourceFailedError(f"{query.where} has {least} rows, and none came")
        if least == most:
            return {"rows": least, "rows_from": "counts"}
        return {"rows": least, "rows_at_most": most, "rows_from": "counts"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TableStream:
    """The stream of one table, which is read by `reading`; `name` is the cluster's."""

    name: str
    reading: Reading

    @property
    def part(self) -> tuple[str, ...]:
        """Shard or replica, database, table."""
        item = self.reading.item
        return (item.label, *item.backup_table.table.key)

    @property
    def ending(self) -> str:
        """ClickHouse's own format."""
        return ENDING

    @property
    def estimate(self) -> int:
        """Bytes before compression."""
        return estimate(self.reading.item)

    @property
    def concurrency_group(self) -> str:
        """The shard."""
        return f"s{self.reading.item.shard}"

    def open(self, interrupt: Interrupt) -> AbstractContextManager[Reader]:
        """Read the rows from their start."""
        return self.reading.open(interrupt)

    def identity(self) -> str:
        """Return a digest of the table as it is read."""
        return identity((self.reading.item,))

    def metadata(self) -> Mapping[str, Any]:
        """Return where the rows belong, and the table with what proves it whole."""
        reading = self.reading
        return {**location_metadata(reading.item), "tables": [reading.manifest_metadata()]}

    def can_retry(self, error: KsnapshotError) -> bool:
        """Move on to the next replica; False if none has all rows."""
        return self.reading.can_retry(error)


def estimate(item: TableRead) -> int:
    """Bytes that are expected; 0 when nothing is known."""
    return item.backup_table.store.total_bytes or 0


def location_metadata(item: TableRead) -> Mapping[str, Any]:
    """Where rows belong: to a shard, or to one of its replicas."""
    metadata: dict[str, Any] = {"shard": item.shard}
    if item.label != f"s{item.shard}":
        metadata["replica"] = item.copies[0].replica.node.replica
    if item.redundant:
        metadata["redundant"] = True
    return metadata
