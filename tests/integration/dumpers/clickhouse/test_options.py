"""What the annotations ask for, on a real cluster."""

import json

import pytest

from dumpers.runtime.errors import SourceRefusedError
from tests.integration.dumpers.clickhouse import stock
from tests.integration.dumpers.clickhouse.conftest import Backup, Dumps, started
from tests.testbed.databases import clickhouse_front
from tests.testbed.databases.clickhouse import Cluster

_MANY = 25


@pytest.fixture(scope="module", autouse=True)
def filled(calm: Cluster) -> None:
    """Two databases, with replicated tables and others."""
    for text in (
        "CREATE DATABASE shop",
        "CREATE DATABASE shop_old",
        (
            "CREATE TABLE shop.orders (id UInt64, day Date) ENGINE = "
            "ReplicatedMergeTree('/clickhouse/{shard}/orders', '{replica}') "
            "PARTITION BY toYYYYMM(day) ORDER BY id"
        ),
        "CREATE TABLE shop.notes (id UInt64) ENGINE = MergeTree ORDER BY id",
        "CREATE TABLE shop_old.orders (id UInt64) ENGINE = MergeTree ORDER BY id",
    ):
        calm.everywhere(text)
    for replica in calm.replicas:
        if replica.replica == 1:
            replica.sql(
                "INSERT INTO shop.orders SELECT number, toDate('2026-01-15') + 31 * (number % 3) "
                f"FROM numbers({300 * replica.shard})"
            )
        replica.sql(f"INSERT INTO shop.notes SELECT number FROM numbers({replica.shard})")
        replica.sql("INSERT INTO shop_old.orders SELECT number FROM numbers(7)")
    for replica in calm.replicas:
        replica.sql("SYSTEM SYNC REPLICA shop.orders")


def rows(backup: Backup) -> dict[str, int]:
    return {"/".join(key): said["rows"] for key, said in backup.tables().items()}


ORDERS = {"s1/shop/orders": 300, "s2/shop/orders": 600}
NOTES = {f"s{s}r{r}/shop/notes": s for s in (1, 2) for r in (1, 2)}
OLD = {f"s{s}r{r}/shop_old/orders": 7 for s in (1, 2) for r in (1, 2)}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {**ORDERS, **NOTES, **OLD}),
        ({"KSNAPSHOT_DATABASES": "*_old"}, OLD),
        ({"KSNAPSHOT_TABLES": "orders"}, {**ORDERS, **OLD}),
        ({"KSNAPSHOT_TABLES": "shop.*", "KSNAPSHOT_EXCLUDE_TABLES": "n?tes"}, ORDERS),
        ({"KSNAPSHOT_EXCLUDE_TABLES": "shop_old.*,notes"}, ORDERS),
        (
            {"KSNAPSHOT_TABLES": "shop.*", "CLICKHOUSE_PARTITIONS": "shop.orders: 202601, 202603"},
            {"s1/shop/orders": 200, "s2/shop/orders": 400, **NOTES},
        ),
        (
            {"KSNAPSHOT_TABLES": "shop.orders", "CLICKHOUSE_COVERAGE": "all-replicas"},
            {f"s{s}r{r}/shop/orders": 300 * s for s in (1, 2) for r in (1, 2)},
        ),
    ],
)
def test_what_is_chosen(
    calm: Cluster, dumps: Dumps, options: dict[str, str], expected: dict[str, int]
) -> None:
    assert rows(dumps.of(calm, options)) == expected


def test_copies_of_one_shard_are_told(calm: Cluster, dumps: Dumps) -> None:
    backup = dumps.of(
        calm, {"KSNAPSHOT_TABLES": "shop.orders", "CLICKHOUSE_COVERAGE": "all-replicas"}
    )
    redundant = {item["part"][0] for item in backup.objects if item["metadata"].get("redundant")}
    assert {label[:2] for label in redundant} == {"s1", "s2"}
    assert len(redundant) == 2


def test_servers_that_somebody_listed(calm: Cluster, dumps: Dumps) -> None:
    port, hosts = calm.http_port, [replica.host for replica in calm.replicas]
    backup = dumps.of(
        calm,
        {
            "CLICKHOUSE_SHARDS": f"{hosts[2]}:{port},{hosts[3]}; {hosts[0]}",
            "KSNAPSHOT_TABLES": "shop.orders",
        },
    )
    assert rows(backup) == {"s1/shop/orders": 600, "s2/shop/orders": 300}


def test_every_server_through_the_entry_point(calm: Cluster, dumps: Dumps) -> None:
    backup = dumps.of(calm, {"CLICKHOUSE_VIA": "service", "KSNAPSHOT_TABLES": "shop.*"})
    assert rows(backup) == {**ORDERS, **NOTES}
    entry = f"{calm.replica(1, 1).host}:{calm.http_port}"
    tables = backup.tables()
    assert {said["replica"].partition(" through ")[2] for said in tables.values()} == {entry}
    assert {said["rows_from"] for said in tables.values()} == {"query_log"}
    assert calm.reader.password not in json.dumps(backup.document)
    assert len(backup.read(backup.part("s2", "shop", "orders"))) > 600 * 10


def test_a_table_that_others_have_not(calm: Cluster, dumps: Dumps) -> None:
    odd = calm.replica(2, 1)
    odd.sql("CREATE TABLE shop.scratch (id UInt64) ENGINE = MergeTree ORDER BY id")
    odd.sql("INSERT INTO shop.scratch VALUES (1)")
    try:
        backup = dumps.of(calm, {"KSNAPSHOT_DATABASES": "shop"})
        assert rows(backup) == {**ORDERS, **NOTES, "s2r1/shop/scratch": 1}
        assert "these tables are not on s1r1, s1r2, s2r2" in backup.notes
        scripts = {
            tuple(item["metadata"]["replicas"]): backup.read(item)
            for item in backup.objects
            if item["metadata"].get("script") == "schema"
        }
        assert {replicas: b"scratch" in text for replicas, text in scripts.items()} == {
            ("s1r1", "s1r2", "s2r2"): False,
            ("s2r1",): True,
        }
        with pytest.raises(SourceRefusedError, match=r"not on s1r1, s1r2, s2r2: shop\.scratch"):
            dumps.of(calm, {"KSNAPSHOT_DATABASES": "shop", "CLICKHOUSE_DRIFT": "fail"})
    finally:
        odd.sql("DROP TABLE shop.scratch")


def test_many_small_tables_are_packed(dumps: Dumps) -> None:
    names = {f"t{number} é/%2F": number for number in range(1, _MANY + 1)}
    script = "CREATE DATABASE many;" + "".join(
        f"CREATE TABLE many.`{name}` (id UInt64, s String) ENGINE = MergeTree ORDER BY id;"
        f"INSERT INTO many.`{name}` SELECT number, '{name}' FROM numbers({number});"
        for name, number in names.items()
    )
    with started(shards=1, replicas=1) as source, started(shards=1, replicas=1) as target:
        source.replica(1, 1).client("", stdin=script.encode())
        backup = dumps.of(source)
        assert [item["part"] for item in backup.objects] == [["schema"], ["s1", "small-1"]]
        assert rows(backup) == {f"s1/many/{name}": number for name, number in names.items()}
        stock.load(backup, target)
        for name in names:
            query = f"SELECT count(), sum(cityHash64(id, s)) FROM many.`{name}`"
            assert target.replica(1, 1).sql(query) == source.replica(1, 1).sql(query)


def test_a_server_without_a_query_log(dumps: Dumps) -> None:
    with clickhouse_front.start_front() as front:
        front.sql("CREATE DATABASE shop")
        front.sql("CREATE TABLE shop.t (id UInt64) ENGINE = MergeTree ORDER BY id")
        front.sql("INSERT INTO shop.t SELECT number FROM numbers(10)")
        front.sql("DROP VIEW system.query_log")
        with pytest.raises(SourceRefusedError, match="keeps no query_log"):
            dumps.of_front(front)
        backup = dumps.of_front(front, {"CLICKHOUSE_MIN_PROOF": "counts"})
    told = backup.tables()["s1", "shop", "t"]
    assert (told["rows"], told["rows_from"]) == (10, "counts")
