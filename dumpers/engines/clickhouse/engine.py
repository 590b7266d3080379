"""Dumping ClickHouse over HTTP: every shard, each table proved whole."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from dumpers.contract.connection import Connection
from dumpers.contract.jobs import DumpJob
from dumpers.engines.clickhouse import filters, options
from dumpers.engines.clickhouse.catalog import server_catalog, system_tables
from dumpers.engines.clickhouse.catalog.server_catalog import ServerCatalog
from dumpers.engines.clickhouse.cluster import replicas
from dumpers.engines.clickhouse.cluster.replicas import ShardReplicas
from dumpers.engines.clickhouse.logical import plan as planning
from dumpers.engines.clickhouse.logical import restore as restoring
from dumpers.engines.clickhouse.logical import streams, table_read
from dumpers.engines.clickhouse.logical.plan import TableRead
from dumpers.engines.clickhouse.logical.query_log import QueryLog
from dumpers.engines.clickhouse.logical.table_read import DumpContext
from dumpers.engines.clickhouse.options import Options
from dumpers.engines.clickhouse.schema import drift
from dumpers.engines.clickhouse.schema.tables import BackupTable
from dumpers.engines.clickhouse.server.client import connect, read_version
from dumpers.engines.clickhouse.server.settings import dump_settings
from dumpers.engines.names import abbreviate
from dumpers.engines.protocol import DumpStream, Engine, SourceInfo, StoredDump
from dumpers.runtime.errors import DUMP_ERRORS, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt

_NO_CLUSTER = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found(SourceInfo):
    """A source with what the streams are made from; `held` in the order of labels."""

    name: str
    held: Sequence[ServerCatalog]
    items: Sequence[TableRead]
    session: DumpContext


class _ClickHouse:
    def preflight(self, job: DumpJob, interrupt: Interrupt) -> SourceInfo:
        wanted = options.read(job)
        entry = connect(job.connection, errors=DUMP_ERRORS, settings={})
        version = read_version(entry, interrupt)
        groups, notes = _settled(
            replicas.find(
                job.connection,
                cluster=wanted.cluster,
                listed=wanted.shards,
                through=wanted.through,
                settings=dump_settings,
                errors=DUMP_ERRORS,
                interrupt=interrupt,
            ),
            interrupt,
        )
        everybody = sorted(
            (member for group in groups for member in group.members),
            key=lambda member: member.node.place,
        )
        held, chosen_notes = _chosen(server_catalog.look(everybody, interrupt), wanted)
        _check_partitions(wanted, held, interrupt)
        notes += [
            *chosen_notes,
            *server_catalog.notes(held),
            *_drift(held, fails=wanted.drift_fails),
        ]
        planned = planning.plan(
            groups,
            {holding.member.label: holding for holding in held},
            partitions=wanted.partitions,
            all_replicas=wanted.all_replicas,
        )
        verdicts = QueryLog(interrupt, needed=not wanted.counts_do)
        if not wanted.counts_do:
            _check_logs(verdicts, planned.items)
        return _Found(
            server_version=f"ClickHouse {version}",
            tool_version="FORMAT Native over HTTP",
            estimate=sum(table_read.estimate(item) for item in planned.items),
            notes=(*notes, *planned.notes),
            metadata=_metadata(groups),
            parallel=wanted.parallel,
            name=groups[0].members[0].node.cluster or _NO_CLUSTER,
            held=held,
            items=planned.items,
            session=DumpContext(verdicts=verdicts, counts_do=wanted.counts_do, interrupt=interrupt),
        )

    @contextmanager
    def streams(self, source: SourceInfo) -> Iterator[Sequence[DumpStream]]:
        assert isinstance(source, _Found)
        yield streams.arrange(source.name, source.held, source.items, source.session)

    def restore(
        self, target: Connection, pieces: Sequence[StoredDump], interrupt: Interrupt
    ) -> tuple[str, ...]:
        return restoring.restore(target, pieces, interrupt=interrupt)

    def inspect(self, target: Connection, interrupt: Interrupt) -> Mapping[str, int]:
        return restoring.inspect(target, interrupt=interrupt)


ENGINE: Engine = _ClickHouse()


def _settled(
    groups: Sequence[ShardReplicas], interrupt: Interrupt
) -> tuple[tuple[ShardReplicas, ...], list[str]]:
    """The groups once their best replicas have caught up, and notes on those that did not."""
    with ThreadPoolExecutor(thread_name_prefix="settle") as pool:
        settled = list(pool.map(lambda group: replicas.settle(group, interrupt), groups))
    notes = [
        f"{', '.join(group.missing)} of shard {group.number} does not answer"
        for group, _ in settled
        if group.missing
    ]
    return (
        tuple(group for group, _ in settled),
        notes + [note for _, said in settled for note in said],
    )


def _chosen(
    held: Sequence[ServerCatalog], wanted: Options
) -> tuple[list[ServerCatalog], tuple[str, ...]]:
    """The holdings without what is not to be dumped, as any of the servers has what is asked for.

    Raises SourceRefusedError where there is nothing that was asked for, or nothing at all.
    """
    every: dict[tuple[str, str], BackupTable] = {}
    for holding in held:
        for item in holding.tables:
            every.setdefault(item.table.key, item)
    existing = dict.fromkeys(item.name for holding in held for item in holding.databases)
    databases = filters.databases(wanted.choice, existing)
    kept, notes = filters.tables(wanted.choice, databases, every.values())
    filters.check_partitions(wanted.partitions, kept)
    if not kept:
        raise SourceRefusedError(
            "there is no table to dump: there is none, or this account may not see any"
        )
    keys = {item.table.key for item in kept}
    return [
        replace(
            holding,
            databases=tuple(item for item in holding.databases if item.name in databases),
            tables=tuple(item for item in holding.tables if item.table.key in keys),
        )
        for holding in held
    ], notes


def _check_partitions(wanted: Options, held: Sequence[ServerCatalog], interrupt: Interrupt) -> None:
    """Raise SourceRefusedError for a partition that no server has: nothing would be dumped."""
    for (database, table), asked in wanted.partitions.items():
        found = {
            id_
            for holding in held
            for id_ in system_tables.partitions(holding.member.server, database, table, interrupt)
        }
        missing = [id_ for id_ in asked if id_ not in found]
        if missing:
            raise SourceRefusedError(
                f"no server has these partitions of {database}.{table} that were asked for: "
                f"{abbreviate(missing)}; it has {abbreviate(sorted(found))}"
            )


def _drift(held: Sequence[ServerCatalog], *, fails: bool) -> tuple[str, ...]:
    found = drift.compare({holding.member.label: holding.tables for holding in held})
    if found and fails:
        raise SourceRefusedError(
            f"the servers have not the same tables, and the annotation drift says fail: "
            f"{abbreviate(found)}"
        )
    return found


def _check_logs(verdicts: QueryLog, items: Sequence[TableRead]) -> None:
    """See to it, before anything is read, that every server will be able to prove its tables."""
    servers = [copy.member.server for item in items for copy in item.copies[:1]]
    once = {server.answering: server for server in servers}
    with ThreadPoolExecutor(thread_name_prefix="log") as pool:
        for _ in pool.map(verdicts.check, once.values()):
            pass


def _metadata(groups: Sequence[ShardReplicas]) -> Mapping[str, Any]:
    """The cluster as it was found."""
    return {
        "cluster": groups[0].members[0].node.cluster,
        "shards": [
            {
                "number": group.number,
                "replicas": [
                    {
                        "label": member.label,
                        "server": member.server.where,
                        "queue": member.health.queue,
                        "delay_seconds": member.health.delay,
                        "lost_keeper": member.health.is_stale,
                    }
                    for member in group.members
                ],
                "missing": list(group.missing),
            }
            for group in groups
        ],
    }
