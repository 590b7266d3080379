"""A whole cluster into the bucket, and out of it again: by the stock client, and by ours."""

from dataclasses import replace

from dumpers.engines.clickhouse.engine import ENGINE
from tests.integration.dumpers.clickhouse import stock
from tests.integration.dumpers.clickhouse.conftest import NOW, Dumps, connection
from tests.integration.dumpers.clickhouse.worlds import (
    NEWEST,
    SAME_NEWEST,
    fill,
    fingerprints,
    sync,
)
from tests.testbed.databases import clickhouse_front
from tests.testbed.databases.clickhouse import Cluster
from tests.testbed.databases.clickhouse_front import Front


def test_an_empty_cluster_becomes_the_same_by_the_stock_client(
    cluster: Cluster, empty: Cluster, dumps: Dumps
) -> None:
    fill(cluster)
    backup = dumps.of(cluster)
    stock.load(backup, empty)
    same(cluster, empty)


def test_an_empty_cluster_becomes_the_same_by_the_engine(
    cluster: Cluster, empty: Cluster, dumps: Dumps
) -> None:
    fill(cluster)
    backup = dumps.of(cluster)
    assert ENGINE.restore(connection(empty), backup.pieces(), NOW).notes == ()
    same(cluster, empty)
    counted = ENGINE.inspect(connection(empty), NOW)
    assert counted == ENGINE.inspect(connection(cluster), NOW)


def same(old: Cluster, new: Cluster) -> None:
    sync(new)
    for one, other in zip(old.replicas, new.replicas, strict=True):
        assert fingerprints(other.sql) == fingerprints(one.sql), one.host


def test_the_newest_engine(front: Front, dumps: Dumps) -> None:
    for text in NEWEST:
        front.sql(text)
    try:
        backup = dumps.of_front(front)
        before = fingerprints(front.sql, SAME_NEWEST)
    finally:
        front.sql("DROP DATABASE new")
    with clickhouse_front.start_front() as new:
        target = replace(connection(new), database="new")
        ENGINE.restore(target, backup.pieces(), NOW)
        assert fingerprints(new.sql, SAME_NEWEST) == before
