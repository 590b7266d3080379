"""What a server holds that no table shows, and what a dump does not take: named in notes."""

from collections.abc import Iterator

import pytest

from dumpers.contract.restore.request import RestoreRequest
from dumpers.engines.clickhouse.engine import ENGINE
from tests.integration.dumpers.clickhouse.conftest import NOW, Backup, Dumps, connection
from tests.testbed.databases import clickhouse_front
from tests.testbed.databases.clickhouse_front import Front

MADE = (
    "CREATE DATABASE shop",
    "CREATE TABLE shop.orders (id UInt64) ENGINE = MergeTree ORDER BY id",
    "INSERT INTO shop.orders SELECT number FROM numbers(100)",
    "CREATE TABLE shop.parts (id UInt64) ENGINE = MergeTree ORDER BY id",
    "INSERT INTO shop.parts VALUES (1)",
    "ALTER TABLE shop.parts DETACH PARTITION tuple()",
    "CREATE TABLE shop.detached (id UInt64) ENGINE = MergeTree ORDER BY id",
    "DETACH TABLE shop.detached PERMANENTLY",
    "CREATE TABLE shop.hidden (id UInt64) ENGINE = Set",
    "CREATE TABLE shop.file (id UInt64) ENGINE = File(CSV)",
    "CREATE TABLE shop.buffer (id UInt64) ENGINE = Buffer(shop, orders, 1, 999, 999, 99, 99, 9, 9)",
    "INSERT INTO shop.buffer VALUES (1000)",
    "CREATE TABLE shop.mutated (id UInt64, v UInt64) ENGINE = MergeTree ORDER BY id",
    "INSERT INTO shop.mutated SELECT number, number FROM numbers(10)",
    "SYSTEM STOP MERGES shop.mutated",
    "ALTER TABLE shop.mutated DELETE WHERE id = 3 SETTINGS mutations_sync = 0",
    "CREATE TABLE shop.short (d Date) ENGINE = MergeTree ORDER BY d TTL d + INTERVAL 1 YEAR",
    "CREATE TABLE shop.gone (id UInt64) ENGINE = Memory",
    "CREATE VIEW shop.broken AS SELECT id FROM shop.gone",
    "CREATE MATERIALIZED VIEW shop.broken_too TO shop.orders AS SELECT id FROM shop.gone",
    "DROP TABLE shop.gone",
    # A database of its own, whose tables the server loads when they are asked for.
    "CREATE DATABASE idle ENGINE = Atomic SETTINGS lazy_load_tables = 1",
    "CREATE TABLE idle.t (id UInt64) ENGINE = MergeTree ORDER BY id",
    "INSERT INTO idle.t SELECT number FROM numbers(20000)",
    "CREATE TABLE idle.log (id UInt64) ENGINE = Log",
    "INSERT INTO idle.log SELECT number FROM numbers(1000)",
    "DETACH DATABASE idle",
    "ATTACH DATABASE idle",
)


@pytest.fixture(scope="module")
def own() -> Iterator[Front]:
    with clickhouse_front.start_front() as running:
        for text in MADE:
            running.sql(text)
        yield running


def rows(backup: Backup) -> dict[str, int]:
    return {f"{key[1]}.{key[2]}": said["rows"] for key, said in backup.tables().items()}


def test_everything_is_in_the_dump_or_in_its_notes(own: Front, dumps: Dumps) -> None:
    backup = dumps.of_front(own)
    assert rows(backup) == {
        "idle.log": 1000,
        "idle.t": 20000,
        "shop.mutated": 10,
        "shop.orders": 100,
        "shop.parts": 0,
        "shop.short": 0,
    }
    assert backup.noted("not-dumped") == {
        *("shop.parts", "shop.detached", "shop.hidden", "shop.file", "shop.buffer"),
    }
    assert backup.noted("not-consistent") == {"shop.mutated"}
    assert backup.noted("restore-needs") == {"shop.short"}
    assert backup.noted("broken-views") == {"shop.broken", "shop.broken_too"}
    assert backup.codes == {"not-dumped", "not-consistent", "restore-needs", "broken-views"}
    # Views that are broken there are no reason for a restore to stop.
    with clickhouse_front.start_front() as new:
        assert ENGINE.restore(connection(new), backup.pieces(), NOW).notes == ()
        assert new.sql("SELECT count() FROM idle.t") == "20000"


@pytest.mark.parametrize(
    "options",
    [
        {"KSNAPSHOT_TABLES": "shop.orders"},
        {"KSNAPSHOT_DATABASES": "idle"},
        {
            "KSNAPSHOT_EXCLUDE_TABLES": "parts,hidden,file,buffer,mutated,short,broken*",
            "KSNAPSHOT_DATABASES": "shop",
        },
    ],
)
def test_nothing_is_said_of_what_nobody_asked_for(
    own: Front, dumps: Dumps, options: dict[str, str]
) -> None:
    backup = dumps.of_front(own, options)
    asked = "shop" in options.values()
    assert backup.codes == ({"not-dumped"} if asked else set())
    assert backup.noted("not-dumped") == ({"shop.detached"} if asked else set())


def test_what_is_needed_and_not_chosen_is_told(own: Front, dumps: Dumps) -> None:
    own.sql("CREATE VIEW idle.over_there AS SELECT id FROM shop.orders")
    try:
        backup = dumps.of_front(own, {"KSNAPSHOT_DATABASES": "idle"})
    finally:
        own.sql("DROP VIEW idle.over_there")
    assert backup.noted("not-chosen") == {"idle.over_there"}


def test_values_that_were_computed_once_stay(own: Front, dumps: Dumps) -> None:
    own.sql("CREATE DATABASE once")
    own.sql(
        "CREATE TABLE once.t (id UInt64, at DateTime64(9) MATERIALIZED now64(9), "
        "by UInt64 MATERIALIZED id, gone UInt64 EPHEMERAL, shown UInt64 ALIAS id + 1) "
        "ENGINE = MergeTree ORDER BY id"
    )
    own.sql("INSERT INTO once.t (id) SELECT number FROM numbers(10)")
    # What is stored stays as it was.
    own.sql("ALTER TABLE once.t MODIFY COLUMN by UInt64 MATERIALIZED id + 100")
    same = "SELECT sum(cityHash64(id, at, by, shown)) FROM once.t"
    before = own.sql(same)
    try:
        backup = dumps.of_front(own, {"KSNAPSHOT_DATABASES": "once"})
    finally:
        own.sql("DROP DATABASE once")
    assert backup.document["notes"] == []
    with clickhouse_front.start_front() as new:
        ENGINE.restore(connection(new), backup.pieces(), NOW)
        assert new.sql(same) == before


def test_what_belongs_to_no_database(own: Front, dumps: Dumps) -> None:
    for text in (
        "CREATE FUNCTION twice AS (x) -> x * 2",
        "CREATE NAMED COLLECTION place AS url = 'http://nowhere.invalid/', token = 'x'",
        "CREATE RESOURCE io (READ DISK default)",
        "CREATE WORKLOAD every",
        "CREATE WORKLOAD a_part IN every",
    ):
        own.sql(text)
    try:
        backup = dumps.of_front(own, {"KSNAPSHOT_TABLES": "shop.orders"})
        assert dumps.of_front(own).noted("secrets-hidden") == {"place"}
    finally:
        for text in ("WORKLOAD a_part", "WORKLOAD every", "RESOURCE io", "FUNCTION twice"):
            own.sql(f"DROP {text}")
        own.sql("DROP NAMED COLLECTION place")
    assert backup.document["notes"] == []
    assert "CREATE FUNCTION twice" in backup.script("schema")
    with clickhouse_front.start_front() as new:
        whole = RestoreRequest(globals=True)
        assert ENGINE.restore(connection(new), backup.pieces(), NOW, whole).notes == ()
        assert new.sql("SELECT name FROM system.workloads ORDER BY name") == "a_part\nevery"
        assert new.sql("SELECT name FROM system.resources") == "io"
        assert new.sql("SELECT twice(4)") == "8"


def test_tables_in_the_servers_own_database(own: Front, dumps: Dumps) -> None:
    names = {"system.kept", "system.shown"}
    own.sql("CREATE TABLE system.kept (id UInt64) ENGINE = MergeTree ORDER BY id")
    own.sql("CREATE VIEW system.shown AS SELECT id FROM system.kept")
    try:
        assert names <= dumps.of_front(own).noted("not-dumped")
        some = dumps.of_front(own, {"KSNAPSHOT_TABLES": "shop.orders"})
    finally:
        own.sql("DROP VIEW system.shown")
        own.sql("DROP TABLE system.kept")
    assert some.document["notes"] == []
    assert not {name for name in dumps.of_front(own).noted("not-dumped") if "system." in name}
