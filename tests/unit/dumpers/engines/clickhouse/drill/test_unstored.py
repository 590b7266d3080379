"""What a backup should hold of its tables."""

from collections.abc import Sequence
from dataclasses import replace

from dumpers.engines.clickhouse.drill.unstored import (
    skipped_by_mistake,
    tables_without_objects,
    unstored_columns,
)
from dumpers.engines.clickhouse.schema.table import Column
from dumpers.engines.clickhouse.stored.contents import read_contents
from dumpers.engines.protocol import StoredDump
from tests.unit.dumpers.engines.clickhouse.stored.backups import BACKUP, rows, script

TABLES = """
CREATE DATABASE a ENGINE = Atomic;
CREATE TABLE a.t (k UInt8) ENGINE = ReplicatedMergeTree('/p', 'r') ORDER BY k;
CREATE TABLE a.log (k UInt8) ENGINE = Log;
CREATE TABLE a.none (k UInt8) ENGINE = Null;
CREATE TABLE a.far (k UInt8) ENGINE = Distributed(main, a, t);
CREATE DICTIONARY a.d (k UInt8) PRIMARY KEY k SOURCE(NULL()) LAYOUT(FLAT()) LIFETIME(0);
CREATE VIEW a.v AS SELECT k FROM a.t;
CREATE MATERIALIZED VIEW a.to TO a.t (k UInt8) AS SELECT k FROM a.log;
CREATE MATERIALIZED VIEW a.own (k UInt8) ENGINE = MergeTree ORDER BY k AS SELECT k FROM a.log;
"""


def test_whatever_keeps_rows_has_an_object() -> None:
    assert tables_without_objects(read_contents([script(TABLES)])) == [
        ("a", "log"),
        ("a", "own"),
        ("a", "t"),
    ]
    stored = [rows("a", "log", count=0), rows("a", "t", redundant=True)]
    assert tables_without_objects(read_contents([script(TABLES), *stored])) == [("a", "own")]
    assert tables_without_objects(read_contents(BACKUP)) == []


def of_engine(engine: str, count: int = 1) -> StoredDump:
    piece = rows("a", engine, count=count, redundant=True)
    [table] = piece.metadata["tables"]
    return replace(piece, metadata={**piece.metadata, "tables": [{**table, "engine": engine}]})


def test_rows_that_are_no_copies() -> None:
    engines = ("Log", "MergeTree", "ReplicatedMergeTree", "SharedMergeTree", "MaterializedView")
    pieces = [*map(of_engine, engines), of_engine("Memory", 0)]
    assert skipped_by_mistake(read_contents(pieces)) == [("a", "Log"), ("a", "MergeTree")]
    assert skipped_by_mistake(read_contents(BACKUP)) == []


def test_columns_that_were_not_read() -> None:
    there = {
        name: Column(name=name, type="UInt8", default_kind=kind)
        for name, kind in {
            "a": "",
            "b": "DEFAULT",
            "c": "MATERIALIZED",
            "d": "ALIAS",
            "e": "EPHEMERAL",
        }.items()
    }

    def found(*stored: str, count: int = 1) -> Sequence[str]:
        return unstored_columns(there, [{"columns": [*names], "rows": count} for names in stored])

    assert found("ab") == []
    assert found("abc", "b") == ["a"]
    assert found("") == ["a", "b"]
    # Where there are no rows, none lacks a value.
    assert found("", count=0) == []
