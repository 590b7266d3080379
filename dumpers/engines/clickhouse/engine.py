"""Dumping ClickHouse over HTTP: every shard, each table proved whole."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from dumpers.contract.connection import Connection
from dumpers.contract.jobs import DumpJob
from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.clickhouse import filters, options
from dumpers.engines.clickhouse.catalog import server_catalog, system_tables
from dumpers.engines.clickhouse.catalog.server_catalog import ServerCatalog
from dumpers.engines.clickhouse.cluster import replicas
from dumpers.engines.clickhouse.cluster.replicas import ShardReplicas
from dumpers.engines.clickhouse.logical import streams, table_read
from dumpers.engines.clickhouse.logical.plan import Plan, TableRead, plan
from dumpers.engines.clickhouse.logical.query_log import QueryLog
from dumpers.engines.clickhouse.logical.restore import count_rows, load_backup
from dumpers.engines.clickhouse.logical.table_read import DumpContext
from dumpers.engines.clickhouse.options import Options
from dumpers.engines.clickhouse.schema import drift
from dumpers.engines.clickhouse.schema.tables import BackupTable
from dumpers.engines.clickhouse.server.client import connect, read_version
from dumpers.engines.clickhouse.server.settings import dump_settings
from dumpers.engines.names import abbreviate
from dumpers.engines.protocol import Dump, Engine, OpenedDump, SourceInfo
from dumpers.runtime.errors import DUMP_ERRORS, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt

_NO_CLUSTER = "default"


@contextmanager
def open_dump(job: DumpJob, interrupt: Interrupt) -> Iterator[Dump]:
    """Look at the cluster and plan which server each table is read from; streams share QueryLog."""
    wanted = options.read_options(job)
    version, found = discover_cluster(job.connection, wanted, interrupt)
    shards, lag_notes = wait_for_lag(found, interrupt)
    every_catalog = read_catalogs(shards, interrupt)
    catalogs, filter_notes = select_tables(every_catalog, wanted)
    check_partitions(catalogs, wanted, interrupt)
    drift_notes = report_drift(catalogs, wanted)
    planned = plan_reads(shards, catalogs, wanted)
    query_log = check_query_log(planned.items, wanted, interrupt)
    context = DumpContext(query_log=query_log, accepts_counts=wanted.accepts_counts)
    name = shards[0].replicas[0].node.cluster or _NO_CLUSTER
    notes = (*filter_notes, *server_catalog.notes(catalogs), *drift_notes)
    yield OpenedDump(
        info=SourceInfo(
            server_version=f"ClickHouse {version}",
            tool_version="FORMAT Native over HTTP",
            estimate=sum(map(table_read.estimate, planned.items)),
            notes=tuple(
                Note(code=NoteCode.NOT_DUMPED, text=text)
                for text in (*lag_notes, *notes, *planned.notes)
            ),
            metadata=_metadata(shards),
            parallel=wanted.parallel,
        ),
        streams=streams.arrange(name, catalogs, planned.items, context),
    )


class _ClickHouse:
    """Dumps and restores of ClickHouse."""

    open = staticmethod(open_dump)
    restore = staticmethod(load_backup)
    inspect = staticmethod(count_rows)


ENGINE: Engine = _ClickHouse()


def discover_cluster(
    connection: Connection, wanted: Options, interrupt: Interrupt
) -> tuple[str, Sequence[ShardReplicas]]:
    """Return the entry point's release, and the shards of its cluster with their replicas."""
    entry = connect(connection, errors=DUMP_ERRORS, settings={})
    version = read_version(entry, interrupt)
    return version, replicas.find(
        connection,
        cluster=wanted.cluster,
        listed=wanted.shards,
        through=wanted.through,
        settings=dump_settings,
        errors=DUMP_ERRORS,
        interrupt=interrupt,
    )


def wait_for_lag(
    found: Sequence[ShardReplicas], interrupt: Interrupt
) -> tuple[Sequence[ShardReplicas], Sequence[str]]:
    """Wait up to a minute until the best replica of each shard has caught up.

    Returns the shards with their replicas in the order to read them now, and notes on replicas
    that lag or do not answer.
    """
    with ThreadPoolExecutor(thread_name_prefix="lag") as pool:
        waited = list(pool.map(lambda shard: replicas.wait_for_lag(shard, interrupt), found))
    missing = [
        f"{', '.join(shard.missing)} of shard {shard.number} does not answer"
        for shard, _ in waited
        if shard.missing
    ]
    lagging = [note for _, notes in waited for note in notes]
    return [shard for shard, _ in waited], [*missing, *lagging]


def read_catalogs(shards: Sequence[ShardReplicas], interrupt: Interrupt) -> Sequence[ServerCatalog]:
    """Read what each replica of each shard holds, in the order of their labels."""
    every = (replica for shard in shards for replica in shard.replicas)
    return server_catalog.read_catalogs(
        sorted(every, key=lambda replica: replica.node.place), interrupt
    )


def select_tables(
    every: Sequence[ServerCatalog], wanted: Options
) -> tuple[Sequence[ServerCatalog], Sequence[str]]:
    """Reduce the catalogs to the databases and tables that the annotations ask for, with notes.

    Raises SourceRefusedError if no server has something that was asked for, or no table at all.
    """
    tables: dict[tuple[str, str], BackupTable] = {}
    for catalog in every:
        for table in catalog.tables:
            tables.setdefault(table.table.key, table)
    existing = dict.fromkeys(database.name for catalog in every for database in catalog.databases)
    databases = filters.databases(wanted.table_filter, existing)
    kept, notes = filters.tables(wanted.table_filter, databases, tables.values())
    filters.check_partitions(wanted.partitions, kept)
    if not kept:
        raise SourceRefusedError(
            "there is no table to dump: there is none, or this account may not see any"
        )
    keys = {table.table.key for table in kept}
    return [
        replace(
            catalog,
            databases=tuple(item for item in catalog.databases if item.name in databases),
            tables=tuple(table for table in catalog.tables if table.table.key in keys),
        )
        for catalog in every
    ], notes


def check_partitions(
    catalogs: Sequence[ServerCatalog], wanted: Options, interrupt: Interrupt
) -> None:
    """Raise SourceRefusedError for a partition that no server has: nothing would be dumped."""
    for (database, table), asked in wanted.partitions.items():
        found = {
            id_
            for catalog in catalogs
            for id_ in system_tables.partitions(catalog.replica.server, database, table, interrupt)
        }
        missing = [id_ for id_ in asked if id_ not in found]
        if missing:
            raise SourceRefusedError(
                f"no server has these partitions of {database}.{table} that were asked for: "
                f"{abbreviate(missing)}; it has {abbreviate(sorted(found))}"
            )


def report_drift(catalogs: Sequence[ServerCatalog], wanted: Options) -> Sequence[str]:
    """Note how the servers' tables differ; SourceRefusedError if the annotation `drift` says so."""
    found = drift.compare({catalog.replica.label: catalog.tables for catalog in catalogs})
    if found and wanted.drift_fails:
        raise SourceRefusedError(
            f"the servers have not the same tables, and the annotation drift says fail: "
            f"{abbreviate(found)}"
        )
    return found


def plan_reads(
    shards: Sequence[ShardReplicas], catalogs: Sequence[ServerCatalog], wanted: Options
) -> Plan:
    """Choose from which replica each table is read, and under which shard it is stored."""
    return plan(
        shards,
        {catalog.replica.label: catalog for catalog in catalogs},
        partitions=wanted.partitions,
        all_replicas=wanted.all_replicas,
    )


def check_query_log(reads: Sequence[TableRead], wanted: Options, interrupt: Interrupt) -> QueryLog:
    """Make the QueryLog that proves tables whole; SourceRefusedError if a server keeps none.

    Nothing is checked if row counts suffice as a proof.
    """
    query_log = QueryLog(needed=not wanted.accepts_counts)
    if not wanted.accepts_counts:
        servers = [read.copies[0].replica.server for read in reads]
        by_address = {server.answering: server for server in servers}
        with ThreadPoolExecutor(thread_name_prefix="log") as pool:
            list(pool.map(lambda server: query_log.check(server, interrupt), by_address.values()))
    return query_log


def _metadata(shards: Sequence[ShardReplicas]) -> Mapping[str, Any]:
    """The cluster as it was found, for the manifest."""
    return {
        "cluster": shards[0].replicas[0].node.cluster,
        "shards": [
            {
                "number": shard.number,
                "replicas": [
                    {
                        "label": replica.label,
                        "server": replica.server.where,
                        "queue": replica.health.queue,
                        "delay_seconds": replica.health.delay,
                        "lost_keeper": replica.health.is_stale,
                    }
                    for replica in shard.replicas
                ],
                "missing": list(shard.missing),
            }
            for shard in shards
        ],
    }
