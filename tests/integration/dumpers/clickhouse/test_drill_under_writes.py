"""Drills of backups that were made while rows were written: no false alarm in any.

`KSNAPSHOT_FAULTS=all` makes seventeen of the oldest release and as many of the newest engine,
otherwise one of the newest: `test_drill` has one of the oldest.
"""

import os
from collections.abc import Iterator

import pytest

from dumpers.engines.drilling.protocol import Comparison
from tests.integration.dumpers.clickhouse import test_drill as oldest
from tests.integration.dumpers.clickhouse import test_drill_newest as newest
from tests.integration.dumpers.clickhouse.conftest import Dumps, started
from tests.integration.dumpers.clickhouse.worlds import NEWEST, fill
from tests.testbed.databases import clickhouse_front
from tests.testbed.databases.clickhouse import Cluster
from tests.testbed.databases.clickhouse_front import Front
from tests.testbed.repetition import repeated

_ALL = os.environ.get("KSNAPSHOT_FAULTS") == "all"
_TURNS = 17


@pytest.fixture(scope="module")
def zoo() -> Iterator[Cluster]:
    """Every kind of table on four servers."""
    with started() as cluster:
        fill(cluster)
        for text in oldest.EXTRA:
            cluster.everywhere(text)
        yield cluster


def write_to_cluster(cluster: Cluster, turn: int) -> None:
    rows = f"SELECT number + {turn} * 100, toString(number) FROM numbers(100)"
    for replica in cluster.replicas:
        replica.sql("INSERT INTO zoo.summing SELECT number, 1 FROM numbers(100)")
        replica.sql("INSERT INTO zoo.visits SELECT 1, '2026-01-01', 7 FROM numbers(100)")
        replica.sql("INSERT INTO zoo.replacing SELECT number % 10, 'new', 2 FROM numbers(100)")
        replica.sql(f"INSERT INTO zoo.log {rows}")
        replica.sql(f"INSERT INTO zoo.pairs {rows}")
        replica.sql(f"INSERT INTO zoo.joined {rows}")
    if turn % 5 == 0:
        cluster.replica(1, 1).sql("OPTIMIZE TABLE zoo.summing FINAL")


def write_to_front(front: Front, turn: int) -> None:
    for text in (
        f"INSERT INTO new.source SELECT number + 1000 * {turn}, 'more' FROM numbers(50)",
        f"INSERT INTO new.limited SELECT number + {turn} FROM numbers(50)",
        f"ALTER TABLE new.source UPDATE name = 'turn {turn}' WHERE id % 7 = 0",
        f"ALTER TABLE new.source DELETE WHERE id % 1000 = {turn % 50} AND id > 1000",
        f"INSERT INTO new.kinds SELECT {turn}, toString({turn})::Dynamic",
        f"INSERT INTO new.projected SELECT number * {turn} FROM numbers(50)",
    ):
        front.sql(text, mutations_sync=1)
    if turn % 5 == 0:
        front.sql("OPTIMIZE TABLE new.replacing FINAL")


def of_newest(dumps: Dumps) -> Comparison:
    with clickhouse_front.start_front() as front:
        for text in (*NEWEST, *newest.MORE):
            front.sql(text)
        with repeated(lambda turn: write_to_front(front, turn)):
            backup = dumps.of_front(front)
    with newest.restored(backup) as server:
        return newest.compared(server, backup)


def of_oldest(dumps: Dumps, zoo: Cluster) -> Comparison:
    with repeated(lambda turn: write_to_cluster(zoo, turn)):
        backup = dumps.of(zoo)
    with oldest.restored(backup) as server:
        return oldest.compared(server, backup)


@pytest.mark.parametrize("turn", range(2 * _TURNS if _ALL else 1))
def test_a_backup_passes_under_write_load(
    dumps: Dumps, request: pytest.FixtureRequest, turn: int
) -> None:
    comparison = of_oldest(dumps, request.getfixturevalue("zoo")) if turn % 2 else of_newest(dumps)
    assert oldest.bad(comparison) == []
    assert comparison.good
