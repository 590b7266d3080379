"""Restores into the cluster that was dumped, of the oldest release, with its Keeper: and others."""

from dataclasses import replace

import pytest

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.clickhouse.engine import ENGINE
from dumpers.runtime.errors import TargetFailedError, TargetRefusedError
from tests.integration.dumpers.clickhouse.conftest import NOW, Dumps, connection, started
from tests.integration.dumpers.clickhouse.worlds import (
    ODD_DATABASE,
    ODD_TABLES,
    SAME,
    fill,
    fingerprints,
    odd,
    sync,
)
from tests.testbed.databases.clickhouse import Cluster

BESIDE = RestoreRequest(mode=RestoreMode.BESIDE)


def beside(query: str) -> str:
    """A query about what was loaded beside."""
    return query.replace("zoo.", "zoo_restored.").replace(
        odd(ODD_DATABASE), odd(f"{ODD_DATABASE}_restored")
    )


def same_beside(cluster: Cluster) -> None:
    """What lies beside is what is live."""
    queries = [query for query in SAME if "system." not in query]
    for replica in cluster.replicas:
        for query in queries:
            assert replica.sql(beside(query)) == replica.sql(query), (replica.host, query)


def test_every_mode_in_the_cluster_that_was_dumped(calm: Cluster, dumps: Dumps) -> None:
    fill(calm)
    backup = dumps.of(calm)
    to = connection(calm)
    before = [fingerprints(replica.sql) for replica in calm.replicas]

    plan = ENGINE.plan_restore(to, backup.pieces(), NOW, BESIDE)
    assert plan.server_version.startswith("ClickHouse 18.16")
    assert plan.size == sum(item["source_size"] for item in backup.objects)
    restored = ENGINE.restore(to, backup.pieces(), NOW, BESIDE)
    assert restored.notes == ()
    same_beside(calm)
    # Nothing of it is a replica of what is live.
    calm.replica(1, 1).sql("INSERT INTO zoo_restored.visits VALUES (1, '2026-01-01', 1)")
    for old, replica in zip(before, calm.replicas, strict=True):
        assert {q: replica.sql(q) for q in SAME if "system." not in q} == {
            q: text for q, text in old.items() if "system." not in q
        }
    ENGINE.forget(to, [new for _, new in restored.creates], NOW)
    assert [fingerprints(replica.sql) for replica in calm.replicas] == before

    swap = replace(BESIDE, mode=RestoreMode.SWAP, tables=("zoo.visits", "zoo.target"))
    with pytest.raises(TargetRefusedError, match="Ordinary, and only tables of Atomic"):
        ENGINE.plan_restore(to, backup.pieces(), NOW, swap)
    with pytest.raises(TargetRefusedError, match=r"keep their rows.*'zoo\.inner_view'"):
        ENGINE.plan_restore(to, backup.pieces(), NOW, replace(swap, tables=()))
    with pytest.raises(TargetRefusedError, match=r"have rows already.*'zoo\.aggregating on"):
        ENGINE.restore(to, backup.pieces(), NOW)
    reader = replace(to, username=calm.reader.user, password=calm.reader.password)
    with pytest.raises(TargetRefusedError, match="may only read"):
        ENGINE.plan_restore(reader, backup.pieces(), NOW, BESIDE)

    for replica in calm.replicas:
        replica.sql("TRUNCATE TABLE zoo.log")
    calm.replica(1, 1).sql("INSERT INTO zoo.visits VALUES (7, '2027-01-01', 7)")
    calm.replica(2, 2).sql(f"DROP TABLE {odd(ODD_DATABASE)}.{odd(ODD_TABLES[0])}")
    request = replace(BESIDE, mode=RestoreMode.OVERWRITE)
    plan = ENGINE.plan_restore(to, backup.pieces(), NOW, request)
    assert "there is an instant without" in " ".join(plan.actions)
    assert ENGINE.restore(to, backup.pieces(), NOW, request).notes == ()
    sync(calm)
    assert [fingerprints(replica.sql) for replica in calm.replicas] == before
    # And once more: paths in Keeper are never the same.
    ENGINE.restore(to, backup.pieces(), NOW, replace(request, tables=("zoo.visits",)))
    sync(calm)
    assert [fingerprints(replica.sql) for replica in calm.replicas] == before


def test_a_path_in_keeper_that_is_in_use(calm: Cluster, dumps: Dumps) -> None:
    for text in (
        "CREATE DATABASE paths",
        (
            "CREATE TABLE paths.t (id UInt64) ENGINE = "
            "ReplicatedMergeTree('/clickhouse/{shard}/paths', '{replica}') ORDER BY id"
        ),
    ):
        calm.everywhere(text)
    calm.replica(1, 1).sql("INSERT INTO paths.t SELECT number FROM numbers(10)")
    calm.replica(1, 2).sql("SYSTEM SYNC REPLICA paths.t")
    backup = dumps.of(calm, {"KSNAPSHOT_DATABASES": "paths"})
    calm.everywhere("RENAME TABLE paths.t TO paths.other")
    with pytest.raises(TargetRefusedError, match=r"/clickhouse/1/paths in Keeper.*in use"):
        ENGINE.plan_restore(connection(calm), backup.pieces(), NOW, RestoreRequest())
    # Under another name it has a path of its own.
    named = RestoreRequest(names={"paths": "a.b `c"})
    restored = ENGINE.restore(connection(calm), backup.pieces(), NOW, named)
    assert restored.creates == (("paths", "`a.b \\`c`"),)
    for replica in calm.replicas:
        rows = "10" if replica.shard == 1 else "0"
        assert replica.sql("SELECT count() FROM `a.b \\`c`.t") == rows
    ENGINE.forget(connection(calm), [new for _, new in restored.creates], NOW)
    calm.everywhere("DROP DATABASE paths")


def test_the_servers_that_are_listed_are_the_target(calm: Cluster, dumps: Dumps) -> None:
    calm.everywhere("CREATE DATABASE listed")
    calm.everywhere("CREATE TABLE listed.t (id UInt64) ENGINE = MergeTree ORDER BY id")
    calm.replica(1, 1).sql("INSERT INTO listed.t SELECT number FROM numbers(10)")
    backup = dumps.of(calm, {"KSNAPSHOT_DATABASES": "listed"})
    chosen = calm.replica(2, 1)
    to = replace(connection(calm), servers={"CLICKHOUSE_SHARDS": chosen.host})
    restored = ENGINE.restore(to, backup.pieces(), NOW, BESIDE)
    query = "SELECT count() FROM system.databases WHERE name = 'listed_restored'"
    for replica in calm.replicas:
        assert replica.sql(query) == ("1" if replica is chosen else "0"), replica.host
    assert chosen.sql("SELECT count() FROM listed_restored.t") == "10"
    ENGINE.forget(to, [new for _, new in restored.creates], NOW)
    assert chosen.sql(query) == "0"
    # By the name of the cluster, which may be another one than the server's own choice.
    silent = replace(to, servers={"CLICKHOUSE_CLUSTER": "none_of_that_name"})
    with pytest.raises((TargetRefusedError, TargetFailedError), match="none_of_that_name"):
        ENGINE.plan_restore(silent, backup.pieces(), NOW, BESIDE)
    calm.everywhere("DROP DATABASE listed")


def test_another_number_of_shards(calm: Cluster, dumps: Dumps) -> None:
    calm.everywhere("CREATE DATABASE few")
    calm.everywhere(
        "CREATE TABLE few.t (id UInt64) ENGINE = "
        "ReplicatedMergeTree('/clickhouse/{shard}/few', '{replica}') ORDER BY id"
    )
    for replica in calm.replicas:
        if replica.replica == 1:
            replica.sql(f"INSERT INTO few.t SELECT {replica.shard} FROM numbers(10)")
    backup = dumps.of(calm, {"KSNAPSHOT_DATABASES": "few"})
    with started(shards=1, replicas=1) as one:
        restored = ENGINE.restore(connection(one), backup.pieces(), NOW)
        assert ["fewer shards" in note for note in restored.notes] == [True]
        assert one.replica(1, 1).sql("SELECT count(), uniq(id) FROM few.t") == "20\t2"
        with pytest.raises(TargetRefusedError, match=r"'few\.t on"):
            ENGINE.restore(connection(one), backup.pieces(), NOW)
    calm.everywhere("DROP DATABASE few")
