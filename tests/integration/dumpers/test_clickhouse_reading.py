"""Every shard of a real cluster, read into the bucket and loaded again by the stock client."""

import gzip
import json
from collections.abc import Iterator

import pytest

from dumpers.contract import Connection
from dumpers.engines.clickhouse import members, reading, schema, survey, tables
from dumpers.engines.clickhouse.client import connect
from dumpers.engines.clickhouse.members import Group
from dumpers.engines.clickhouse.reading import Item
from dumpers.engines.clickhouse.sql import insert, pinned
from dumpers.errors import SOURCE, SourceFailedError
from dumpers.interrupt import Interrupt
from tests.integration.dumpers.test_streams import Engine, dump
from tests.testbed import clickhouse
from tests.testbed.clickhouse import Cluster
from tests.testbed.require import require
from tests.testbed.s3 import S3Server

NOW = Interrupt()
_CREATE = (
    "CREATE DATABASE shop",
    (
        "CREATE TABLE shop.orders (id UInt64, what String, paid Nullable(Float64)) ENGINE = "
        "ReplicatedMergeTree('/clickhouse/{shard}/orders', '{replica}') ORDER BY id"
    ),
    "CREATE TABLE shop.local (id UInt64, host String) ENGINE = MergeTree ORDER BY id",
    "CREATE VIEW shop.seen AS SELECT * FROM shop.orders",
    "CREATE TABLE shop.empty (a UInt8) ENGINE = Log",
)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    problem = clickhouse.problem()
    require(not problem, problem)
    with clickhouse.start_cluster() as running:
        for text in _CREATE:
            running.everywhere(text)
        for replica in running.replicas:
            if replica.replica == 1:
                replica.sql(
                    "INSERT INTO shop.orders SELECT number * 2 + "
                    f"{replica.shard - 1}, concat('order ', toString(number)), "
                    "if(number % 3 = 0, NULL, number / 7) FROM numbers(200000)"
                )
            rows = 10 * replica.shard + replica.replica
            replica.sql(f"INSERT INTO shop.local SELECT number, hostName() FROM numbers({rows})")
        yield running


def connection(cluster: Cluster) -> Connection:
    return Connection(
        host=cluster.replica(1, 1).host,
        port=cluster.http_port,
        username=cluster.reader.user,
        password=cluster.reader.password,
    )


def groups(cluster: Cluster) -> tuple[Group, ...]:
    entry = connect(connection(cluster), side=SOURCE, settings={})
    settings = pinned(survey.known_settings(entry, NOW))
    return members.find(
        connection(cluster),
        cluster="",
        listed=(),
        settings=settings,
        side=SOURCE,
        interrupt=NOW,
    )


def wanted(cluster: Cluster) -> list[Item]:
    found: list[Item] = []
    for group in groups(cluster):
        held = {
            member.label: tables.treat(survey.tables(member.server, NOW))
            for member in group.members
        }
        found += reading.items(group, held, {})
    return found


def test_every_shard_is_read_once_and_loads_with_the_stock_client(
    cluster: Cluster, s3: S3Server, bucket: str
) -> None:
    chosen = wanted(cluster)
    assert [(item.label, item.treated.table.name) for item in chosen] == [
        (label, name)
        for shard in ("s1", "s2")
        for label, names in (
            (f"{shard}r2", ("empty", "local")),
            (shard, ("orders",)),
            (f"{shard}r1", ("empty", "local")),
        )
        for name in names
    ]
    engine = Engine(streams_of=reading.streams("main", chosen, NOW), parallel=4)
    result = dump(s3, bucket, engine)
    document = json.loads(s3.read(bucket, f"{result.record}manifest.json"))
    rows = {"/".join(item["part"]): item["facts"]["rows"] for item in document["objects"]}
    assert rows == {
        **{f"{shard}/shop/orders": 200_000 for shard in ("s1", "s2")},
        **{f"s{s}r{r}/shop/local": 10 * s + r for s in (1, 2) for r in (1, 2)},
        **{f"s{s}r{r}/shop/empty": 0 for s in (1, 2) for r in (1, 2)},
    }

    target = cluster.replica(1, 1)
    fingerprint = "SELECT count(), sum(cityHash64(id, what, ifNull(paid, -1))) FROM {}"
    for item in document["objects"]:
        shard, database, name = item["part"]
        if name != "orders":
            continue
        target.sql(
            f"CREATE TABLE shop.{shard}_copy (id UInt64, what String, paid Nullable(Float64)) "
            "ENGINE = MergeTree ORDER BY id"
        )
        data = gzip.decompress(s3.read(bucket, item["key"]))
        target.client(insert(f"shop.{shard}_copy", item["facts"]["columns"]), stdin=data)
        source = cluster.replica(int(shard[1]), 1)
        copied = target.sql(fingerprint.format(f"shop.{shard}_copy"))
        assert copied == source.sql(fingerprint.format(f"{database}.{name}"))


def test_an_empty_cluster_becomes_the_same_by_the_stock_client(
    cluster: Cluster, s3: S3Server, bucket: str
) -> None:
    cluster.everywhere(
        "CREATE MATERIALIZED VIEW shop.per_digit ENGINE = SummingMergeTree ORDER BY digit AS "
        "SELECT id % 10 AS digit, count() AS n FROM shop.orders GROUP BY digit"
    )
    for replica in cluster.replicas:
        # A view sees what is inserted on its own replica.
        replica.sql(f"INSERT INTO shop.orders VALUES ({10**6 + replica.replica}, 'late', 1)")
    for replica in cluster.replicas:
        replica.sql("SYSTEM SYNC REPLICA shop.orders")
    first = groups(cluster)[0].members[0].server
    known = tables.treat(survey.tables(first, NOW))
    streams = [
        reading.text_stream("main", "before", schema.before(survey.databases(first, NOW), known)),
        reading.text_stream("main", "after", schema.after(known)),
        *reading.streams("main", wanted(cluster), NOW),
    ]
    result = dump(s3, bucket, Engine(streams_of=streams, parallel=3))
    document = json.loads(s3.read(bucket, f"{result.record}manifest.json"))
    stored = {tuple(item["part"]): item for item in document["objects"]}

    def content(*part: str) -> bytes:
        return gzip.decompress(s3.read(bucket, stored[part]["key"]))

    # The stock client takes no empty data.
    rows = [part for part, item in stored.items() if item.get("facts", {}).get("rows")]
    views = [part for part in rows if part[2] == "per_digit"]
    with clickhouse.start_cluster() as empty:
        for script, parts in (("before", [*{*rows} - {*views}]), ("after", views)):
            for replica in empty.replicas:
                replica.client("", stdin=content(script))
            for part in parts:
                load(empty, part, content(*part), stored[part]["facts"]["columns"])
        for old, new in zip(cluster.replicas, empty.replicas, strict=True):
            new.sql("SYSTEM SYNC REPLICA shop.orders")
            for query in _SAME:
                assert new.sql(query) == old.sql(query), (new.host, query)


_SAME = (
    "SELECT count(), sum(cityHash64(id, what, ifNull(paid, -1))) FROM shop.orders",
    "SELECT count(), sum(cityHash64(id, host)) FROM shop.local",
    "SELECT digit, sum(n) FROM shop.per_digit GROUP BY digit ORDER BY digit",
    "SELECT count() FROM shop.seen",
    "SELECT name, engine FROM system.tables WHERE database = 'shop' ORDER BY name",
)


def load(cluster: Cluster, part: tuple[str, ...], data: bytes, columns: list[str]) -> None:
    label, database, table = part
    shard, _, replica = label.removeprefix("s").partition("r")
    target = cluster.replica(int(shard), int(replica or 1))
    target.client(insert(f"{database}.{table}", columns), "--insert_deduplicate=0", stdin=data)


def test_a_query_that_is_killed_is_told_with_table_and_shard(cluster: Cluster) -> None:
    [item] = [item for item in wanted(cluster) if item.label == "s2"]
    table = item.treated.table.full_name
    cluster.replica(2, 2).sql(
        f"INSERT INTO {table} SELECT number, toString(cityHash64(number)), 0 FROM numbers(3000000)"
    )
    [stream] = reading.streams("main", [item], NOW)
    replica = next(one for one in cluster.replicas if one.host == item.member.node.host)
    with stream.open(NOW) as reader:
        assert reader.read(1000)
        replica.sql(f"KILL QUERY WHERE query_id = '{item.query_id}' ASYNC")
        with pytest.raises(SourceFailedError, match=f"{table} of s2 .*394"):
            list(iter(reader.read, b""))
    with pytest.raises(SourceFailedError, match=f"{table} of s2 .*394"):
        stream.facts()


def test_a_shard_without_a_replica_fails_the_run(cluster: Cluster) -> None:
    cluster.replica(2, 1).kill()
    with pytest.raises(SourceFailedError, match="not replicated may have other rows there"):
        wanted(cluster)
    cluster.replica(2, 2).kill()
    with pytest.raises(SourceFailedError, match="no replica of shard 2 answers"):
        groups(cluster)
