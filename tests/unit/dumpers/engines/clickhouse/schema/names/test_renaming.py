import pytest

from dumpers.engines.clickhouse.schema.names.naming import Naming
from dumpers.engines.clickhouse.schema.names.renaming import move_path, path_of, rename_references

NAMES = ("t", "u", "d", "x.y")
NEW = Naming(
    databases={"shop": "new"},
    tables={("shop", name): ("new", name) for name in NAMES} | {("shop", "old"): ("new", "n'w")},
)


@pytest.mark.parametrize(
    ("text", "renamed"),
    [
        # Its own name is another's matter.
        (
            "CREATE TABLE shop.t (a UInt8) ENGINE = Log",
            "CREATE TABLE shop.t (a UInt8) ENGINE = Log",
        ),
        (
            "CREATE VIEW shop.v AS SELECT shop.t.id FROM shop.t",
            "CREATE VIEW shop.v AS SELECT `new`.t.id FROM `new`.t",
        ),
        (
            "CREATE MATERIALIZED VIEW shop.v TO shop.u AS SELECT 1 FROM `shop`.`x.y` JOIN shop.old",
            (
                "CREATE MATERIALIZED VIEW shop.v TO `new`.u AS SELECT 1 FROM `new`.`x.y` "
                "JOIN `new`.`n'w`"
            ),
        ),
        (
            "CREATE TABLE shop.b (a UInt8) ENGINE = Buffer('shop', 't', 1, 2)",
            "CREATE TABLE shop.b (a UInt8) ENGINE = Buffer('new', 't', 1, 2)",
        ),
        (
            "CREATE TABLE shop.b (a UInt8) ENGINE = Distributed(main, shop, old, rand())",
            "CREATE TABLE shop.b (a UInt8) ENGINE = Distributed(main, `new`, `n'w`, rand())",
        ),
        (
            "CREATE TABLE shop.b (a UInt8) ENGINE = Merge('shop', '^t$')",
            "CREATE TABLE shop.b (a UInt8) ENGINE = Merge('new', '^t$')",
        ),
        (
            (
                "CREATE VIEW shop.v AS SELECT dictGet('shop.d', 'a', 1), "
                "joinGet('shop.x.y', 'a', 1), x = 'shop'"
            ),
            (
                "CREATE VIEW shop.v AS SELECT dictGet('new.d', 'a', 1), "
                "joinGet('new.x.y', 'a', 1), x = 'shop'"
            ),
        ),
        (
            "CREATE VIEW shop.v AS SELECT * FROM remote('h', 'shop', 't')",
            "CREATE VIEW shop.v AS SELECT * FROM remote('h', 'new', 't')",
        ),
        (
            (
                "CREATE DICTIONARY shop.d (a UInt8) PRIMARY KEY a SOURCE(CLICKHOUSE("
                "HOST 'localhost' DB 'shop' TABLE 'old')) LAYOUT(FLAT())"
            ),
            (
                "CREATE DICTIONARY shop.d (a UInt8) PRIMARY KEY a SOURCE(CLICKHOUSE("
                "HOST 'localhost' DB 'new' TABLE 'n\\'w')) LAYOUT(FLAT())"
            ),
        ),
        (
            "CREATE DICTIONARY shop.d (a UInt8) SOURCE(CLICKHOUSE(QUERY 'SELECT a FROM shop.t'))",
            "CREATE DICTIONARY shop.d (a UInt8) SOURCE(CLICKHOUSE(QUERY 'SELECT a FROM `new`.t'))",
        ),
        # Another server's, another system's.
        (
            "CREATE DICTIONARY shop.d (a UInt8) SOURCE(CLICKHOUSE(HOST 'far' DB 'shop' TABLE 't'))",
            "CREATE DICTIONARY shop.d (a UInt8) SOURCE(CLICKHOUSE(HOST 'far' DB 'shop' TABLE 't'))",
        ),
        (
            "CREATE TABLE shop.m (a UInt8) ENGINE = MySQL('h', 'shop', 't', 'u', 'p')",
            "CREATE TABLE shop.m (a UInt8) ENGINE = MySQL('h', 'shop', 't', 'u', 'p')",
        ),
        # Columns and aliases that look alike.
        (
            "CREATE TABLE a.t (shop String, `shop.t` UInt8) ENGINE = MergeTree ORDER BY shop",
            "CREATE TABLE a.t (shop String, `shop.t` UInt8) ENGINE = MergeTree ORDER BY shop",
        ),
        (
            "CREATE VIEW a.v AS SELECT a, shop.id FROM x.y AS shop",
            "CREATE VIEW a.v AS SELECT a, shop.id FROM x.y AS shop",
        ),
    ],
)
def test_new_names_stand_wherever_old_ones_did(text: str, renamed: str) -> None:
    found = rename_references(text, NEW)
    assert found.text == renamed
    assert found.left == ()


@pytest.mark.parametrize(
    "text",
    [
        "CREATE VIEW shop.v AS SELECT * FROM shop.gone",
        "CREATE VIEW shop.v AS SELECT 1 WHERE 1 IN shop.gone",
        "CREATE VIEW shop.v AS SELECT * FROM shop.t, shop.gone",
        "CREATE DICTIONARY a.d (a UInt8) SOURCE(CLICKHOUSE(QUERY 'SELECT 1 FROM shop.gone'))",
    ],
)
def test_what_has_no_new_name_is_told(text: str) -> None:
    assert rename_references(text, NEW).left == ("shop.gone",)


@pytest.mark.parametrize(
    ("engine", "path", "moved"),
    [
        ("ReplicatedMergeTree('/c/{shard}/t', '{replica}')", "/c/{shard}/t", "/c/{shard}/t-m"),
        ("ReplicatedMergeTree('/c/t/', '{replica}', d, k, 1)", "/c/t/", "/c/t-m"),
        (
            "ReplicatedSummingMergeTree('/c/{database}/{table}', 'r')",
            "/c/{database}/{table}",
            "/c/shop/t-m",
        ),
        ("KeeperMap('/k')", "/k", "/k-m"),
        ("ReplicatedMergeTree('/c/{uuid}', 'r')", "/c/{uuid}", "/c/{uuid}"),
        ("MergeTree", "", ""),
        ("Log", "", ""),
        ("ReplicatedMergeTree", "", ""),
    ],
)
def test_paths_in_keeper_move(engine: str, path: str, moved: str) -> None:
    text = f"CREATE TABLE shop.t (a UInt8, b String DEFAULT '/c/t') ENGINE = {engine} ORDER BY a"
    assert path_of(text) == path
    assert path_of(move_path(text, "m")) == moved
    assert "DEFAULT '/c/t'" in move_path(text, "m")
