"""Tables, servers and shards of ClickHouse, made up: nobody answers there."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dumpers.contract.connection import Connection
from dumpers.contract.notes import Note
from dumpers.engines.clickhouse.catalog.server_catalog import ServerCatalog
from dumpers.engines.clickhouse.catalog.server_objects import ServerObjects
from dumpers.engines.clickhouse.catalog.system_tables import Path
from dumpers.engines.clickhouse.cluster.replicas import Replica, ShardReplicas
from dumpers.engines.clickhouse.cluster.topology import Health, Node
from dumpers.engines.clickhouse.logical.bundles import BundleStream
from dumpers.engines.clickhouse.logical.plan import TableRead, TableReplica
from dumpers.engines.clickhouse.logical.query_log import QueryLog
from dumpers.engines.clickhouse.logical.table_read import DumpContext, Reading
from dumpers.engines.clickhouse.schema.table import Column, Table
from dumpers.engines.clickhouse.schema.tables import BackupTable, treat
from dumpers.engines.clickhouse.server.client import Server, connect
from dumpers.runtime.errors import DUMP_ERRORS, ErrorClasses, KsnapshotError, SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader

NOW = Interrupt()
REPLICATED = "ReplicatedMergeTree"


def table(
    name: str,
    engine: str = "MergeTree",
    *,
    database: str = "d",
    uuid: str = "",
    create: str = "",
    columns: Sequence[str] = ("a",),
    needs: Sequence[tuple[str, str]] = (),
    size: int | None = 0,
    rows: int | None = 1,
) -> Table:
    return Table(
        database=database,
        name=name,
        uuid=uuid,
        engine=engine,
        create=create or f"CREATE TABLE {database}.{name} (`a` UInt8) ENGINE = {engine}",
        columns=tuple(Column(name=column, type="UInt8") for column in columns),
        needs=frozenset(needs),
        total_bytes=size,
        total_rows=rows,
    )


def one(single: Table) -> BackupTable:
    (found,) = treat([single])
    return found


def server(
    host: str, *, errors: ErrorClasses = DUMP_ERRORS, address: str = "", password: str = ""
) -> Server:
    connection = Connection(host=host, port=8123, username="u", password=password)
    return connect(connection, errors=errors, settings={}, address=address)


def member(shard: int = 1, replica: int = 1, health: Health | None = None) -> Replica:
    host = f"chi-{shard}-{replica}"
    return Replica(
        node=Node(cluster="main", shard=shard, replica=replica, host=host, port=8123),
        server=server(host),
        health=health or Health(reachable=True),
        release="26.9.1.1",
    )


def group(number: int, *replicas: int, missing: Sequence[str] = ()) -> ShardReplicas:
    members = tuple(member(number, replica) for replica in replicas)
    return ShardReplicas(number=number, replicas=members, missing=tuple(missing))


def holding(
    of: Replica,
    tables: Sequence[Table] = (),
    paths: Mapping[str, tuple[str, int]] | None = None,
    notes: Sequence[Note] = (),
) -> ServerCatalog:
    """What a server holds; `paths` of tables of `d`, each with how many replicas are alive."""
    return ServerCatalog(
        replica=of,
        databases=(),
        tables=treat(tables),
        paths={
            ("d", name): Path(path=path, replica=of.label, total=active, active=active)
            for name, (path, active) in (paths or {}).items()
        },
        objects=ServerObjects(),
        notes=tuple(notes),
    )


def item(*copies: Replica, of: Table | None = None, label: str = "s1") -> TableRead:
    treated = one(of or table("t"))
    return TableRead(
        label=label,
        shard=copies[0].node.shard if copies else 1,
        copies=tuple(
            TableReplica(replica=copy, backup_table=treated) for copy in copies or (member(),)
        ),
    )


class Given(Reading):
    """The rows of a table, without a server: some bytes, after some that break off."""

    def __init__(self, name: str, data: bytes, *, fails: int = 0, database: str = "d") -> None:
        of = item(of=table(name, database=database))
        super().__init__(
            of,
            DumpContext(query_log=QueryLog(needed=True), accepts_counts=False),
        )
        self._data = data
        self.fails = fails
        self.opened = 0
        self.asked: list[str] = []
        self.error: KsnapshotError = SourceFailedError("gone")

    @contextmanager
    def open(self, interrupt: Interrupt) -> Iterator[Reader]:
        self.opened += 1
        if self.fails:
            self.fails -= 1
            raise self.error
        yield io.BytesIO(self._data)

    def can_retry(self, error: KsnapshotError) -> bool:
        self.asked.append(str(error))
        return bool(self.fails) or len(self.asked) < 2

    def manifest_metadata(self) -> Mapping[str, Any]:
        if self.fails:
            raise self.error
        return {
            "database": self.item.backup_table.table.database,
            "table": self.item.backup_table.table.name,
            "rows": 1,
        }


def archive(*readings: Given) -> bytes:
    with BundleStream("main", 1, readings).open(NOW) as reader:
        return b"".join(iter(lambda: reader.read(7000), b""))
