"""Databases and tables whose rows lie elsewhere, while that is away: told, and never waited for."""

import re
from collections.abc import Iterator

import pytest

from dumpers.engines.clickhouse.engine import ENGINE
from tests.integration.dumpers.clickhouse.conftest import NOW, Dumps, connection
from tests.testbed.databases import clickhouse_front
from tests.testbed.databases.clickhouse_front import Front
from tests.testbed.toolchain.processes import free_port

SHOP = {"KSNAPSHOT_DATABASES": "shop"}


@pytest.fixture(scope="module")
def own() -> Iterator[Front]:
    with clickhouse_front.start_front() as running:
        running.sql("CREATE DATABASE shop")
        running.sql("CREATE TABLE shop.orders (id UInt64) ENGINE = MergeTree ORDER BY id")
        running.sql("INSERT INTO shop.orders SELECT number FROM numbers(100)")
        yield running


@pytest.fixture
def away() -> str:
    """A place where nobody is."""
    return f"127.0.0.1:{free_port()}"


# Not HDFS, data lakes and backups, whose servers are asked at once; they go the same way.
DATABASES = {
    "MySQL": "MySQL('{away}', 'crm', 'u', 'secret')",
    "PostgreSQL": "PostgreSQL('{away}', 'crm', 'u', 'secret')",
    "SQLite": "SQLite('/nowhere.db')",
    "S3": "S3('http://{away}/bucket')",
    "Filesystem": "Filesystem('/tmp')",
    "Dictionary": "Dictionary",
    "Remote": "Remote('{away}', 'shop')",
}


@pytest.mark.parametrize("engine", DATABASES)
def test_a_database_of_another_system_that_is_away(
    own: Front, dumps: Dumps, away: str, engine: str
) -> None:
    # As a restart would: CREATE asks some at once whether they are there.
    statement = f"DATABASE crm ENGINE = {DATABASES[engine].format(away=away)}"
    own.sql(f"{'ATTACH' if engine == 'MySQL' else 'CREATE'} {statement}")
    try:
        every, chosen = dumps.of_front(own), dumps.of_front(own, SHOP)
        left_out = dumps.of_front(own, {"KSNAPSHOT_EXCLUDE_TABLES": "crm.*"})
    finally:
        own.sql("DROP DATABASE crm")
    for backup in (every, chosen, left_out):
        assert set(backup.tables()) == {("s1", "shop", "orders")}
    assert every.noted("foreign-tables") == {"crm"}
    assert re.search(r"CREATE DATABASE `?crm`?\n", every.script("foreign-databases"))
    hidden = engine in {"MySQL", "PostgreSQL"}
    assert every.noted("secrets-hidden") == ({"crm"} if hidden else set())
    # Nobody asked for it.
    assert chosen.document["notes"] == left_out.document["notes"] == []
    assert not chosen.script("foreign-databases")


def test_a_database_of_another_system_is_no_reason_for_a_restore_to_fail(
    own: Front, dumps: Dumps, away: str
) -> None:
    own.sql(f"ATTACH DATABASE crm ENGINE = MySQL('{away}', 'crm', 'u', 'p')")
    try:
        backup = dumps.of_front(own)
    finally:
        own.sql("DROP DATABASE crm")
    with clickhouse_front.start_front() as new:
        [note] = ENGINE.restore(connection(new), backup.pieces(), NOW).notes
        assert note.startswith("foreign-databases on s1r1: ")
        assert new.sql("SELECT count() FROM shop.orders") == "100"


TABLES = {
    "by_function": "(id Int32) AS postgresql('{away}', 'crm', 't', 'u', 'p')",
    "by_url": "(id Int32) AS url('http://{away}/x.csv', 'CSV')",
    "by_remote": "(id Int32) AS remote('{away}', 'shop', 'orders')",
    "of_mysql": "(id Int32) ENGINE = MySQL('{away}', 'crm', 't', 'u', 'p')",
    "of_postgresql": "(id Int32) ENGINE = PostgreSQL('{away}', 'crm', 't', 'u', 'p')",
    "of_url": "(id Int32) ENGINE = URL('http://{away}/x.csv', 'CSV')",
    "of_s3": "(id Int32) ENGINE = S3('http://{away}/bucket/x.csv', 'CSV')",
    "of_mongo": "(id Int32) ENGINE = MongoDB('{away}', 'd', 'c', 'u', 'p')",
    "of_redis": "(k String, v String) ENGINE = Redis('{away}') PRIMARY KEY k",
}
OWN_TABLES = {
    "numbers": "AS numbers(10)",
    "nothing": "(id Int32) ENGINE = Null",
    "merged": "(id UInt64) ENGINE = Merge('shop', '^orders$')",
    "alias": "ENGINE = Alias('shop', 'orders')",
    "buffer": "(id UInt64) ENGINE = Buffer(shop, orders, 1, 1, 1, 1, 1, 1, 1)",
}


@pytest.mark.parametrize("options", [{}, SHOP], ids=["all", "shop"])
def test_tables_of_other_systems_that_are_away(
    own: Front, dumps: Dumps, away: str, options: dict[str, str]
) -> None:
    every = {**TABLES, **OWN_TABLES}
    for name, how in every.items():
        own.sql(f"CREATE TABLE shop.{name} {how.format(away=away)}")
    own.sql(
        "CREATE DICTIONARY shop.dict (id UInt64, v String) PRIMARY KEY id "
        f"SOURCE(HTTP(URL 'http://{away}/x' FORMAT 'CSV')) LAYOUT(FLAT()) LIFETIME(0)"
    )
    try:
        backup = dumps.of_front(own, options)
    finally:
        own.sql("DROP DICTIONARY shop.dict")
        for name in every:
            own.sql(f"DROP TABLE shop.{name}")
    assert set(backup.tables()) == {("s1", "shop", "orders")}
    assert backup.noted("foreign-tables") == {f"shop.{name}" for name in (*TABLES, "dict")}
    assert backup.codes == {"foreign-tables", "secrets-hidden"}
    text = backup.script("schema") + backup.script("views")
    assert all(f" shop.{name}" in text for name in (*every, "dict"))
    # The schema loads while the others are away.
    with clickhouse_front.start_front() as new:
        assert ENGINE.restore(connection(new), backup.pieces(), NOW).notes == ()
        made = new.sql("SELECT count() FROM system.tables WHERE database = 'shop'")
        assert int(made) == len(every) + 2


def test_what_lies_elsewhere_alone_is_refused_when_it_was_named(
    own: Front, dumps: Dumps, away: str
) -> None:
    own.sql(f"CREATE DATABASE crm ENGINE = PostgreSQL('{away}', 'crm', 'u', 'p')")
    try:
        with pytest.raises(Exception, match="'crm' lie in other systems"):
            dumps.of_front(own, {"KSNAPSHOT_DATABASES": "crm"})
    finally:
        own.sql("DROP DATABASE crm")
