"""What may stop a restore with the stock client, as docs/restore.md has it, and what helps.

The newest engine takes statements and rows by HTTP, as the guide shows it.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dumpers.engines.clickhouse.schema import scripts
from tests.integration.dumpers.clickhouse import stock
from tests.integration.dumpers.clickhouse.conftest import Backup, Dumps, started
from tests.paths import REPOSITORY
from tests.testbed.databases import clickhouse_front
from tests.testbed.databases.clickhouse import Cluster
from tests.testbed.databases.clickhouse_front import Front
from tests.testbed.toolchain.processes import free_port

GUIDE = Path(REPOSITORY, "docs", "restore.md").read_text().partition("## ClickHouse")[2]


@contextlib.contextmanager
def stops(says: str, code: int) -> Iterator[None]:
    """What the server says is what the guide has, `…` for names."""
    assert f"`{says}`" in GUIDE
    with pytest.raises(RuntimeError) as caught:
        yield
    said, place = str(caught.value), 0
    assert f"Code: {code}." in said
    for part in says.split("…"):
        place = said.index(part, place)


def dump(dumps: Dumps, made: Sequence[str], **options: str) -> Backup:
    with clickhouse_front.start_front() as front:
        for text in made:
            front.sql(text)
        return dumps.of_front(front, options)


def load(backup: Backup, front: Front, *, without: str = "", **settings: int) -> None:
    """Load a backup in the manifest's order, but for a script."""
    for item in backup.objects:
        script = item["metadata"].get("script")
        if script is None:
            for table, data in stock.tables(backup, item):
                if table["rows"]:
                    front.insert(table["insert"], data, **settings)
        elif script != without:
            for text in scripts.statements(backup.read(item).decode()):
                front.sql(text, **settings)


@pytest.fixture
def new() -> Iterator[Front]:
    with clickhouse_front.start_front() as running:
        yield running


SHOP = (
    "CREATE DATABASE shop",
    "CREATE TABLE shop.orders (id UInt64) ENGINE = MergeTree ORDER BY id",
    "INSERT INTO shop.orders SELECT number FROM numbers(10)",
)


def test_a_table_that_is_there(dumps: Dumps, new: Front) -> None:
    backup = dump(dumps, SHOP)
    load(backup, new)
    with stops("Table … already exists", 57):
        new.sql(scripts.statements(backup.script("schema"))[-1])
    new.sql("DROP DATABASE shop")
    load(backup, new)
    assert new.sql("SELECT count() FROM shop.orders") == "10"


NEEDY = (
    *SHOP,
    "CREATE DATABASE crm",
    "CREATE TABLE crm.calls (id UInt64) ENGINE = Log",
    "CREATE TABLE crm.gone (id UInt64) ENGINE = Log",
    "CREATE MATERIALIZED VIEW shop.of_calls TO shop.orders AS SELECT id FROM crm.calls",
    "CREATE MATERIALIZED VIEW shop.of_gone TO shop.orders AS SELECT id FROM crm.gone",
    "DROP TABLE crm.gone",
)


def test_a_view_of_what_was_not_chosen(dumps: Dumps) -> None:
    backup = dump(dumps, NEEDY, KSNAPSHOT_DATABASES="shop")
    with clickhouse_front.start_front() as new:
        with stops("Database … does not exist", 81):
            load(backup, new)
        # All rows are there; what it needs can be made, or not.
        assert new.sql("SELECT count() FROM shop.orders") == "10"
        new.sql("CREATE DATABASE crm")
        with stops("Unknown table expression identifier", 60):
            new.sql(scripts.statements(backup.script("incomplete-views"))[0])
        new.sql("CREATE TABLE crm.calls (id UInt64) ENGINE = Log")
        new.sql("CREATE TABLE crm.gone (id UInt64) ENGINE = Log")
        for text in scripts.statements(backup.script("incomplete-views")):
            new.sql(text)
    with clickhouse_front.start_front() as new:
        load(backup, new, without="incomplete-views")
    with clickhouse_front.start_front() as new:
        load(backup, new, allow_materialized_view_with_bad_select=1)
        made = new.sql("SELECT count() FROM system.tables WHERE database = 'shop'")
        assert made == "3"


def test_values_that_were_computed(dumps: Dumps, new: Front) -> None:
    backup = dump(
        dumps,
        (
            "CREATE DATABASE shop",
            "CREATE TABLE shop.t (id UInt64, r UInt64 MATERIALIZED rand()) ENGINE = Log",
            "INSERT INTO shop.t (id) SELECT number FROM numbers(10)",
        ),
    )
    with stops("Cannot insert column …, because it is MATERIALIZED column", 44):
        load(backup, new)
    new.sql("DROP DATABASE shop")
    load(backup, new, insert_allow_materialized_columns=1)
    assert new.sql("SELECT count() FROM shop.t") == "10"


def test_many_partitions(dumps: Dumps, new: Front) -> None:
    backup = dump(
        dumps,
        (
            "CREATE DATABASE shop",
            "CREATE TABLE shop.t (d UInt64) ENGINE = MergeTree PARTITION BY d ORDER BY d",
            "INSERT INTO shop.t SELECT number FROM numbers(90)",
            "INSERT INTO shop.t SELECT number + 90 FROM numbers(90)",
        ),
    )
    with stops("Too many partitions for single INSERT block", 252):
        load(backup, new)
    new.sql("DROP DATABASE shop")
    load(backup, new, max_partitions_per_insert_block=0)
    assert new.sql("SELECT count() FROM shop.t") == "180"


def test_a_type_that_is_not_allowed(dumps: Dumps, new: Front) -> None:
    create = "CREATE TABLE shop.t (id LowCardinality(UInt8)) ENGINE = Log"
    with clickhouse_front.start_front() as front:
        front.sql("CREATE DATABASE shop")
        front.sql(create, allow_suspicious_low_cardinality_types=1)
        backup = dumps.of_front(front)
    with stops("Creating columns of type … is prohibited by default", 455):
        load(backup, new)
    new.sql("DROP DATABASE shop")
    load(backup, new, allow_suspicious_low_cardinality_types=1)


def test_a_nested_column_that_is_not_flattened(dumps: Dumps, new: Front) -> None:
    create = "CREATE TABLE shop.t (id UInt8, n Nested(a UInt8, b String)) ENGINE = Log"
    with clickhouse_front.start_front() as front:
        front.sql("CREATE DATABASE shop")
        front.sql(create, flatten_nested=0)
        front.sql("INSERT INTO shop.t VALUES (1, [(2, 'b')])")
        backup = dumps.of_front(front)
    with stops("No such column … in table …", 16):
        load(backup, new)
    new.sql("DROP DATABASE shop")
    load(backup, new, flatten_nested=0)
    assert new.sql("SELECT id, n.a, n.b FROM shop.t") == "1\t[2]\t['b']"


def test_handlers_come_back(new: Front, dumps: Dumps) -> None:
    backup = dump(
        dumps, (*SHOP, "CREATE HANDLER seen URL '/seen' AS SELECT count() FROM shop.orders")
    )
    load(backup, new)
    assert new.sql("SELECT name, url FROM system.handlers") == "seen\t/seen"


def test_a_cluster_that_the_target_does_not_know(dumps: Dumps, new: Front) -> None:
    host = "127.0.0.61"
    distributed = (
        "CREATE TABLE shop.everywhere AS shop.orders ENGINE = Distributed('main', 'shop', 'orders')"
    )
    with clickhouse_front.start_front(host=host, shards=(host,)) as front:
        for text in (*SHOP, distributed):
            front.sql(text)
        backup = dumps.of_front(front, {"CLICKHOUSE_SHARDS": host})
    with stops("Requested cluster '…' not found", 701):
        load(backup, new)
    with clickhouse_front.start_front(host=host, shards=(host,)) as known:
        load(backup, known)


def test_a_storage_policy_that_the_target_does_not_have(new: Front) -> None:
    create = "CREATE TABLE shop.t (id UInt64) ENGINE = MergeTree ORDER BY id SETTINGS "
    new.sql("CREATE DATABASE shop")
    with stops("Unknown storage policy", 478):
        new.sql(f"{create}index_granularity = 8192, storage_policy = 'cold'")
    new.sql(f"{create}index_granularity = 8192")


def test_a_database_of_a_system_that_is_away(dumps: Dumps, new: Front) -> None:
    away = f"ATTACH DATABASE crm ENGINE = MySQL('127.0.0.1:{free_port()}', 'crm', 'u', 'p')"
    backup = dump(dumps, (*SHOP, away))
    with stops("Cannot create MySQL database", 501):
        load(backup, new)
    new.sql("DROP DATABASE shop")
    load(backup, new, without="foreign-databases")
    assert new.sql("SELECT count() FROM shop.orders") == "10"


@pytest.fixture(scope="module")
def old() -> Iterator[Cluster]:
    with started(shards=1, replicas=1) as running:
        yield running


def test_a_path_in_keeper_that_is_in_use(old: Cluster, dumps: Dumps) -> None:
    first = old.replica(1, 1)
    first.sql("CREATE DATABASE shop")
    first.sql(
        "CREATE TABLE shop.t (id UInt64) ENGINE = "
        "ReplicatedMergeTree('/clickhouse/{shard}/t', '{replica}') ORDER BY id"
    )
    script = dumps.of(old).script("schema").replace("shop", "restored")
    with stops("Replica … already exists", 253):
        first.client("", stdin=script.encode())
    other = script.replace("/t'", "/restored/t'").partition(";")[2]
    first.client("", stdin=other.encode())
    assert first.sql("EXISTS TABLE restored.t") == "1"
