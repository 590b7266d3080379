"""Dumping ClickHouse over HTTP: every shard, each table proved whole."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from dumpers.contract.connection import Connection, DumpSource
from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.clickhouse import options
from dumpers.engines.clickhouse.catalog import server_catalog
from dumpers.engines.clickhouse.catalog.notes import gather_notes
from dumpers.engines.clickhouse.catalog.server_catalog import ServerCatalog
from dumpers.engines.clickhouse.cluster import replicas
from dumpers.engines.clickhouse.cluster.own_shard import own_shard
from dumpers.engines.clickhouse.cluster.replicas import ShardReplicas
from dumpers.engines.clickhouse.drill.checks import open_checks
from dumpers.engines.clickhouse.drill.compare import compare
from dumpers.engines.clickhouse.drill.prepare import prepare_drill
from dumpers.engines.clickhouse.logical import streams, table_read
from dumpers.engines.clickhouse.logical.counting import count_rows
from dumpers.engines.clickhouse.logical.plan import Plan, TableRead, plan
from dumpers.engines.clickhouse.logical.query_log import QueryLog
from dumpers.engines.clickhouse.logical.table_read import DumpContext
from dumpers.engines.clickhouse.options import Options
from dumpers.engines.clickhouse.restore.plan import plan_restore
from dumpers.engines.clickhouse.restore.restore import load_backup
from dumpers.engines.clickhouse.restore.undo import find_left, forget_restored, undo_swap
from dumpers.engines.clickhouse.selection import (
    check_partitions,
    read_notes,
    report_drift,
    select_tables,
)
from dumpers.engines.clickhouse.server.client import connect
from dumpers.engines.clickhouse.server.greeting import greet
from dumpers.engines.clickhouse.server.settings import dump_settings
from dumpers.engines.protocol import Dump, Engine, SourceInfo
from dumpers.engines.sharing import Part
from dumpers.runtime.errors import DUMP_ERRORS
from dumpers.runtime.interrupt import Interrupt

_NO_CLUSTER = "default"


@contextmanager
def open_dump(job: DumpSource, interrupt: Interrupt) -> Iterator[Dump]:
    """Look at the cluster and plan which server each table is read from; streams share QueryLog.

    Of a run that pods share, all servers are looked at and those of one shard are read.
    """
    wanted = options.read_options(job)
    version, found = discover_cluster(job.connection, wanted, interrupt)
    own = own_shard(found, job.share)
    shards, lag_notes = wait_for_lag(found, interrupt, own)
    every_catalog = read_catalogs(shards, wanted, interrupt)
    catalogs, filter_notes = select_tables(every_catalog, wanted)
    check_partitions(catalogs, wanted, interrupt)
    drift_notes = report_drift(catalogs, wanted)
    catalog_notes = read_notes(every_catalog, catalogs, wanted, interrupt)
    planned = plan_reads(shards, catalogs, wanted)
    if own is not None:
        planned = planned.of(own)
        catalogs = [item for item in catalogs if item.replica.node.shard == own]
    query_log = check_query_log(planned.items, wanted, interrupt)
    context = DumpContext(query_log=query_log, accepts_counts=wanted.accepts_counts)
    name = shards[0].replicas[0].node.cluster or _NO_CLUSTER
    notes = (*lag_notes, *filter_notes, *catalog_notes, *drift_notes, *planned.notes)
    staged = streams.arrange_in_stages(
        name, catalogs, planned.items, context, is_part=own is not None
    )
    yield Dump(
        info=SourceInfo(
            server_version=f"ClickHouse {version}",
            tool_version="FORMAT Native over HTTP",
            estimate=sum(map(table_read.estimate, planned.items)),
            notes=notes,
            metadata=_metadata(shards),
            parallel=wanted.parallel,
        ),
        streams=[stream for _, stream in staged],
        part=None if own is None else _part([stage for stage, _ in staged], planned, own, shards),
    )


class _ClickHouse:
    """Dumps, restores and drills of ClickHouse."""

    open = staticmethod(open_dump)
    plan_restore = staticmethod(plan_restore)
    restore = staticmethod(load_backup)
    undo = staticmethod(undo_swap)
    forget = staticmethod(forget_restored)
    find_left = staticmethod(find_left)
    inspect = staticmethod(count_rows)
    prepare_drill = staticmethod(prepare_drill)
    compare = staticmethod(compare)
    open_checks = staticmethod(open_checks)


ENGINE: Engine = _ClickHouse()


def discover_cluster(
    connection: Connection, wanted: Options, interrupt: Interrupt
) -> tuple[str, Sequence[ShardReplicas]]:
    """Return the entry point's release, and the shards of its cluster with their replicas."""
    entry = connect(connection, errors=DUMP_ERRORS, settings={})
    version = greet(entry, connection, interrupt)
    return version, replicas.find(
        connection,
        cluster=wanted.cluster,
        listed=wanted.shards,
        through=wanted.through,
        settings=lambda known: dump_settings(known, DUMP_ERRORS),
        errors=DUMP_ERRORS,
        interrupt=interrupt,
    )


def wait_for_lag(
    found: Sequence[ShardReplicas], interrupt: Interrupt, own: int | None = None
) -> tuple[Sequence[ShardReplicas], Sequence[Note]]:
    """Wait up to a minute until the best replica of each shard has caught up, or of `own` alone.

    Returns the shards with their replicas in the order to read them now, and notes on replicas
    that lag or do not answer.
    """
    with ThreadPoolExecutor(thread_name_prefix="lag") as pool:
        waited = list(
            pool.map(
                lambda shard: (
                    replicas.wait_for_lag(shard, interrupt)
                    if own in {None, shard.number}
                    else (shard, None)
                ),
                found,
            )
        )
    missing = [
        Note(
            code=NoteCode.NO_ANSWER,
            text=f"these servers of shard {shard.number} do not answer",
            objects=tuple(shard.missing),
        )
        for shard, _ in waited
        if shard.missing
    ]
    lagging = gather_notes({"": [note for _, note in waited if note]})
    return [shard for shard, _ in waited], [*missing, *lagging]


def read_catalogs(
    shards: Sequence[ShardReplicas], wanted: Options, interrupt: Interrupt
) -> Sequence[ServerCatalog]:
    """Read what each replica of each shard holds of what is wanted, ordered by their labels."""
    every = (replica for shard in shards for replica in shard.replicas)
    return server_catalog.read_catalogs(
        sorted(every, key=lambda replica: replica.node.place), wanted.table_filter, interrupt
    )


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


def _part(stages: Sequence[int], planned: Plan, own: int, shards: Sequence[ShardReplicas]) -> Part:
    held = {item.backup_table.table.full_name for item in planned.items}
    borrowed = planned.borrowed.get(own, frozenset())
    return Part(
        stages=stages,
        holds=tuple(sorted(held)),
        borrows=tuple(sorted(borrowed)),
        places={
            replica.server.where: shard.number for shard in shards for replica in shard.replicas
        },
    )


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
