"""A shop in the newest engine, which has changed since its backup, for restores over it."""

from collections.abc import Sequence

from tests.testbed.databases.clickhouse_front import Front

SHOP = (
    "CREATE DATABASE shop",
    (
        "CREATE TABLE shop.orders (id UInt64, day Date) ENGINE = MergeTree PARTITION BY day "
        "ORDER BY id"
    ),
    "INSERT INTO shop.orders SELECT number, toDate('2026-01-01') + number % 3 FROM numbers(9)",
    "CREATE TABLE shop.`o'dd.🐘` (id UInt64) ENGINE = MergeTree ORDER BY id",
    "INSERT INTO shop.`o'dd.🐘` SELECT number FROM numbers(4)",
    "CREATE TABLE shop.names (id UInt64, name String) ENGINE = Log",
    "INSERT INTO shop.names VALUES (1, 'one')",
    "CREATE TABLE shop.sums (day Date, n UInt64) ENGINE = SummingMergeTree ORDER BY day",
    (
        "CREATE MATERIALIZED VIEW shop.to_sums TO shop.sums AS "
        "SELECT day, count() AS n FROM shop.orders GROUP BY day"
    ),
    "INSERT INTO shop.sums VALUES ('2026-01-01', 5)",
    (
        "CREATE DICTIONARY shop.named (id UInt64, name String) PRIMARY KEY id "
        "SOURCE(CLICKHOUSE(DB 'shop' TABLE 'names')) LAYOUT(FLAT()) LIFETIME(0)"
    ),
    (
        "CREATE VIEW shop.both AS SELECT shop.orders.id AS id FROM shop.orders "
        "WHERE id IN (SELECT id FROM shop.names) OR dictHas('shop.named', id)"
    ),
    "CREATE TABLE shop.merged AS shop.orders ENGINE = Merge('shop', '^orders$')",
)
LATER = (
    "INSERT INTO shop.orders SELECT number + 100, toDate('2026-02-01') FROM numbers(5)",
    "TRUNCATE TABLE shop.names",
    "INSERT INTO shop.`o'dd.🐘` VALUES (77)",
    "CREATE TABLE shop.newer (id UInt64) ENGINE = Log",
    "INSERT INTO shop.newer VALUES (1)",
)
TABLES = ("orders", "`o'dd.🐘`", "names", "sums", "both", "merged")


def content(front: Front, database: str = "shop", tables: Sequence[str] = TABLES) -> list[str]:
    return [
        front.sql(f"SELECT count(), sum(cityHash64(*)) FROM {database}.{name}") for name in tables
    ]


def databases(front: Front) -> list[str]:
    return front.sql(
        "SELECT name FROM system.databases WHERE name NOT IN "
        "('default', 'system', 'INFORMATION_SCHEMA', 'information_schema')"
    ).splitlines()
