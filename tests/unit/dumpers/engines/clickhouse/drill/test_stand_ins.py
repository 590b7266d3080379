"""What a drill makes in place of what must not run, or cannot."""

import pytest

from dumpers.engines.clickhouse.drill.stand_ins import find_stand_ins, without_keeper
from dumpers.engines.clickhouse.stored.contents import read_contents
from tests.unit.dumpers.engines.clickhouse.stored.backups import rows, script


def test_tables_without_a_keeper_nor_limits() -> None:
    text = (
        "CREATE TABLE a.t (k UInt8) ENGINE = ReplicatedMergeTree('/p', 'r') ORDER BY k "
        "SETTINGS index_granularity = 8192, parts_to_throw_insert = 3"
    )
    [found] = find_stand_ins(read_contents([script(text)]))
    assert found.text.endswith("SETTINGS index_granularity = 8192")
    assert "MergeTree() ORDER BY" in found.text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (
            (
                "CREATE TABLE a.t (k UInt8) ENGINE = "
                "ReplicatedMergeTree('/p/{shard}', '{replica}') ORDER BY k"
            ),
            "CREATE TABLE a.t (k UInt8) ENGINE = MergeTree() ORDER BY k",
        ),
        (
            (
                "CREATE TABLE a.t UUID '61f0c404-5cb3-11e7-907b-a6006ad3dba0' (k UInt8, v UInt8) "
                "ENGINE = ReplicatedReplacingMergeTree('/p/{uuid}', '{replica}', v) ORDER BY k"
            ),
            "CREATE TABLE a.t (k UInt8, v UInt8) ENGINE = ReplacingMergeTree( v) ORDER BY k",
        ),
        (
            "CREATE TABLE a.t (k UInt8) ENGINE = ReplicatedMergeTree ORDER BY k",
            "CREATE TABLE a.t (k UInt8) ENGINE = MergeTree ORDER BY k",
        ),
        (
            (
                "CREATE TABLE a.t (k UInt8, s Int8) ENGINE = ReplicatedCollapsingMergeTree(s) "
                "ORDER BY k"
            ),
            "CREATE TABLE a.t (k UInt8, s Int8) ENGINE = CollapsingMergeTree(s) ORDER BY k",
        ),
        (
            "CREATE TABLE a.t (k UInt8) ENGINE = SharedMergeTree('/p', 'r') ORDER BY k",
            "CREATE TABLE a.t (k UInt8) ENGINE = MergeTree() ORDER BY k",
        ),
        (
            "CREATE TABLE a.`ENGINE = ReplicatedMergeTree('x', 'y')` (k UInt8) ENGINE = Log",
            "CREATE TABLE a.`ENGINE = ReplicatedMergeTree('x', 'y')` (k UInt8) ENGINE = Log",
        ),
    ],
)
def test_tables_without_a_keeper(text: str, plain: str) -> None:
    assert " ".join(without_keeper(text).split()) == plain


def test_what_must_not_run() -> None:
    contents = read_contents(
        [
            script(
                """
                CREATE DATABASE one ENGINE = Atomic;
                CREATE DATABASE many ENGINE = Replicated('/p', 's', 'r');
                CREATE TABLE one.t (k UInt8) ENGINE = MergeTree ORDER BY k;
                CREATE TABLE one.queue (`a b` String, _key String) ENGINE = Kafka SETTINGS x = 1;
                CREATE TABLE one.lake (k UInt8) AS s3('http://nowhere/');
                CREATE TABLE one.map (k UInt8) ENGINE = KeeperMap('/m') PRIMARY KEY k;
                CREATE TABLE one.berg (k UInt8) ENGINE = IcebergLocal('/x/', 'Parquet');
                CREATE TABLE one.lite (k UInt8) ENGINE = SQLite('/x.db', 't');
                CREATE TABLE one.csv (k UInt8, v UInt8) ENGINE = File('CSV');
                CREATE TABLE one.away (k UInt8) ENGINE = File('CSV', '/somewhere/else.csv');
                CREATE TABLE one.limited (k UInt8) ENGINE = MergeTree ORDER BY k
                SETTINGS parts_to_throw_insert = 3;
                """
            ),
            script(
                """
                CREATE MATERIALIZED VIEW one.clock REFRESH EVERY 1 HOUR TO one.t (k UInt8)
                AS SELECT 1 AS k;
                CREATE MATERIALIZED VIEW one.kept (k UInt8) ENGINE = ReplicatedMergeTree('a', 'b')
                ORDER BY k AS SELECT k FROM one.t;
                """,
                "views-with-rows-1",
            ),
            rows("one", "kept"),
            script("CREATE DATABASE far ENGINE = MySQL('h', 'd', 'u', 'p');", "foreign-databases"),
        ]
    )
    found = {item.name: item for item in find_stand_ins(contents)}
    files = {"one.map", "one.berg", "one.lite", "one.away"}
    tables = {"one.queue", "one.lake", "one.clock", "one.kept", "one.limited"}
    assert set(found) == {"many", "far"} | tables | files
    assert all(found[name].text.endswith("ENGINE = Null") for name in files)
    assert "Keeper" in found["one.map"].why
    assert "files" in found["one.berg"].why
    assert found["one.limited"].is_alike
    assert "parts_to_throw_insert" not in found["one.limited"].text
    assert found["many"].text == "CREATE DATABASE `many`"
    assert found["far"].text == "CREATE DATABASE `far`"
    queue = found["one.queue"].text
    assert queue.startswith("CREATE TABLE `one`.`queue` (`a b` String, _key String, _topic String")
    assert queue.endswith("ENGINE = Null")
    assert queue.count("_key") == 1
    assert found["one.lake"].text.endswith("ENGINE = Null")
    assert found["one.clock"].text == "CREATE TABLE `one`.`clock` (k UInt8) ENGINE = Null"
    # Neither may be there as a view while the rows of what it reads are loaded.
    assert found["one.kept"].text.endswith("ENGINE = MergeTree ORDER BY tuple()")
