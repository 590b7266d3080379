"""Comparisons of drills by the newest engine: its types, indices, projections and views."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from dumpers.engines.clickhouse.drill.prepare import prepare_drill
from dumpers.engines.clickhouse.engine import ENGINE
from dumpers.engines.clickhouse.throwaway import MARKS
from dumpers.engines.drilling.protocol import Comparison, DrilledEngine, DrilledObject
from dumpers.runtime.errors import TargetRefusedError
from tests.integration.dumpers.clickhouse.conftest import NOW, Backup, Dumps, connection
from tests.integration.dumpers.clickhouse.worlds import NEWEST
from tests.testbed.databases import clickhouse_front
from tests.testbed.databases.clickhouse_front import Front
from tests.testbed.stores.s3 import S3Server

MORE = (
    (
        "CREATE TABLE new.old_rows (d Date, n UInt64) ENGINE = MergeTree ORDER BY n "
        "TTL d + toIntervalDay(1)"
    ),
    "INSERT INTO new.old_rows SELECT today(), number FROM numbers(5)",
    (
        "CREATE TABLE new.many_states (k UInt64, s AggregateFunction(uniq, UInt64), "
        "l AggregateFunction(groupUniqArray, String)) ENGINE = AggregatingMergeTree ORDER BY k"
    ),
    (
        "INSERT INTO new.many_states SELECT number % 100 AS k, uniqState(number * 7919), "
        "groupUniqArrayState(toString(number)) FROM numbers(30000) GROUP BY k"
    ),
    "CREATE TABLE new.far (a UInt64) ENGINE = MySQL('nowhere.invalid:3306', 'd', 't', 'u', 'p')",
    "CREATE TABLE new.kinds (k UInt64, dy Dynamic) ENGINE = MergeTree ORDER BY k",
    "INSERT INTO new.kinds SELECT 1, toUInt64(1)::Dynamic UNION ALL SELECT 2, 'x'::Dynamic",
    (
        "CREATE TABLE new.projected (a UInt64, PROJECTION by_a (SELECT a, count() GROUP BY a)) "
        "ENGINE = MergeTree ORDER BY a"
    ),
    "CREATE TABLE new.away (a UInt64) ENGINE = File('CSV', 'away.csv')",
    (
        "CREATE TABLE new.limited (k UInt64) ENGINE = MergeTree ORDER BY k "
        "SETTINGS parts_to_throw_insert = 9, index_granularity = 4096"
    ),
    "INSERT INTO new.limited SELECT number FROM numbers(10)",
    (
        "CREATE TABLE new.within (k UInt64, a Array(JSON), t Tuple(j JSON), "
        "m Map(String, AggregateFunction(groupUniqArray, String)), "
        "s AggregateFunction(topK(9), String)) ENGINE = MergeTree ORDER BY k"
    ),
    *(
        "INSERT INTO new.within SELECT number % 50 AS k, "
        "[concat('{\"a', toString(k), '\":', toString(k), '}')::JSON], "
        f"tuple(concat('{{\"b', toString(k + {add}), '\":[1]}}')::JSON), "
        "map('x', groupUniqArrayState(toString(number))), topKState(9)(toString(number % 150)) "
        "FROM numbers(20000) GROUP BY k"
        for add in (0, 7)
    ),
    (
        "CREATE DICTIONARY new.other_dict (id UInt64, name String) PRIMARY KEY id "
        "SOURCE(CLICKHOUSE(DB 'new' TABLE 'source')) LAYOUT(FLAT()) LIFETIME(0)"
    ),
    "CREATE VIEW new.over_far AS SELECT a FROM new.far",
)


def objects(backup: Backup) -> list[DrilledObject]:
    return [DrilledObject(stored=piece, fingerprint=None) for piece in backup.pieces()]


def bad(comparison: Comparison) -> list[str]:
    return [
        *comparison.faults,
        *(f"{one.name}: {one.why}" for one in comparison.tables if not one.good),
    ]


@contextlib.contextmanager
def restored(backup: Backup) -> Iterator[Front]:
    """An engine with all of a backup; no configuration of it has to be written."""
    with clickhouse_front.start_front(marks=MARKS) as server:
        asked = prepare_drill(connection(server), objects(backup), NOW)
        ENGINE.restore(connection(server), backup.pieces(), NOW, asked)
        yield server


def compared(server: Front, backup: Backup) -> Comparison:
    assert isinstance(ENGINE, DrilledEngine)
    return ENGINE.compare(connection(server), objects(backup), {}, NOW)


@pytest.fixture(scope="module")
def backup(s3: S3Server) -> Iterator[Backup]:
    with clickhouse_front.start_front() as server:
        for text in (*NEWEST, *MORE):
            server.sql(text)
        yield Dumps(s3=s3, bucket=s3.create_bucket("drill-newest")).of_front(server)


def test_a_zoo_of_new_types(backup: Backup) -> None:
    with restored(backup) as server:
        comparison = compared(server, backup)
        assert bad(comparison) == []
        assert {table.rows for table in comparison.tables if table.name == "new.typed"} == {9000}
        told = "\n".join(comparison.unproved)
        for text in (
            "new.refreshed",
            "new.far",
            "new.away",
            "new.limited",
            "states of aggregate functions in new.many_states",
        ):
            assert text in told
        for text in ("hashes these columns", "no object", "no values of these columns"):
            assert text not in told


def test_a_server_of_somebody_is_left_alone() -> None:
    with clickhouse_front.start_front() as server:
        with pytest.raises(TargetRefusedError, match="has not the macros cluster = drill"):
            prepare_drill(connection(server), [], NOW)
        with pytest.raises(TargetRefusedError, match="no throwaway server"):
            prepare_drill(replace(connection(server), host="nowhere.invalid"), [], NOW)


# What is done to a restored server, and the fault that has to be found for it, all at a time.
CHANGES: Sequence[tuple[Sequence[str], str]] = (
    (
        ("ALTER TABLE new.source UPDATE name = 'name X' WHERE id = 7",),
        r"^new\.source: 50 rows as in the backup, but not the same ones",
    ),
    (
        ("ALTER TABLE new.typed UPDATE j = '{\"a\":8}' WHERE k = 7",),
        r"^new\.typed: 9000 rows as in the backup",
    ),
    (
        (
            (
                "INSERT INTO new.many_states SELECT k, uniqState(toUInt64(1)), "
                "groupUniqArrayState('x') FROM new.many_states WHERE k = 5 GROUP BY k"
            ),
            "ALTER TABLE new.many_states DELETE WHERE k = 6",
        ),
        r"^new\.many_states: 100 rows as in the backup",
    ),
    (
        ("ALTER TABLE new.looked_up DELETE WHERE id = 7",),
        r"^new\.looked_up: 9 rows, and 10 in the backup",
    ),
    (
        ("OPTIMIZE TABLE new.replacing FINAL",),
        r"^new\.replacing: 100 rows, and 200 in the backup",
    ),
    (
        ("ALTER TABLE new.kinds UPDATE dy = '1'::Dynamic WHERE k = 1",),
        r"^new\.kinds: 2 rows as in the backup",
    ),
    (
        ("ALTER TABLE new.typed DROP INDEX skipping",),
        r"^new\.typed is created by another statement",
    ),
    (
        ("ALTER TABLE new.projected DROP PROJECTION by_a",),
        r"^new\.projected is created by another statement",
    ),
    (
        ("ALTER TABLE new.within UPDATE a = ['{\"a7\":8}'::JSON] WHERE k = 7",),
        r"^new\.within: 100 rows as in the backup",
    ),
    (("DROP VIEW new.with_parameter",), r"^new\.with_parameter is missing"),
    (("DROP DICTIONARY new.other_dict",), r"^new\.other_dict is missing"),
    (
        ("DROP FUNCTION doubled", "CREATE FUNCTION doubled AS (x) -> x * 3"),
        r"^missing or different: CREATE FUNCTION doubled",
    ),
)


def test_every_change_is_found(backup: Backup) -> None:
    with restored(backup) as server:
        server.sql("SYSTEM START MERGES")
        for texts, _ in CHANGES:
            for text in texts:
                server.sql(text, mutations_sync=2)
        comparison = compared(server, backup)
    assert not comparison.good
    found = bad(comparison)
    for _, expected in CHANGES:
        assert any(re.search(expected, text) for text in found), (expected, found)
    # And what was not changed is good.
    assert len(found) == len(CHANGES)
