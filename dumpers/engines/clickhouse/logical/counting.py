"""Counting the rows of a cluster, table by table."""

from collections.abc import Mapping

from dumpers.contract.connection import Connection
from dumpers.engines.clickhouse.catalog import server_catalog
from dumpers.engines.clickhouse.cluster import replicas
from dumpers.engines.clickhouse.filters import TableFilter
from dumpers.engines.clickhouse.logical.plan import plan
from dumpers.engines.clickhouse.server.settings import create_settings
from dumpers.engines.clickhouse.server.sql import count, qualified
from dumpers.runtime.errors import RESTORE_ERRORS
from dumpers.runtime.interrupt import Interrupt


def count_rows(target: Connection, interrupt: Interrupt) -> Mapping[str, int]:
    """Count the rows of every table, those of all shards together."""
    shards = replicas.find(
        target,
        cluster="",
        listed=(),
        through=False,
        settings=create_settings,
        errors=RESTORE_ERRORS,
        interrupt=interrupt,
    )
    every_replica = [replica for shard in shards for replica in shard.replicas]
    catalogs = {
        catalog.replica.label: catalog
        for catalog in server_catalog.read_catalogs(every_replica, TableFilter(), interrupt)
    }
    counts: dict[str, int] = {}
    for item in plan(shards, catalogs, partitions={}, all_replicas=False).items:
        table = item.backup_table.table
        source = qualified(*table.key)
        [[rows]] = item.copies[0].replica.server.rows(count(source), interrupt)
        counts[table.full_name] = counts.get(table.full_name, 0) + int(rows)
    return counts
