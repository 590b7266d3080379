import io
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import pytest

from dumpers.contract.connection import Connection
from dumpers.engines.clickhouse.cluster.replicas import ShardReplicas
from dumpers.engines.clickhouse.logical import bundles
from dumpers.engines.clickhouse.logical.query_log import QueryLog
from dumpers.engines.clickhouse.logical.restore import _Loading, _names
from dumpers.engines.clickhouse.logical.script_runner import ScriptRunner
from dumpers.engines.clickhouse.logical.stored_rows import has_rows, read_tables
from dumpers.engines.clickhouse.logical.streams import arrange
from dumpers.engines.clickhouse.logical.table_read import DumpContext
from dumpers.engines.protocol import StoredDump
from tests.unit.dumpers.engines.clickhouse.parts import NOW, Given, archive, group, holding, table


def piece(
    *databases: str, data: bytes = b"", ending: str = ".native", **metadata: Any
) -> StoredDump:
    tables = [{"database": database, "table": "t", "rows": 1} for database in databases]
    return StoredDump(
        name="main",
        ending=ending,
        size=len(data),
        metadata={"tables": tables, **metadata} if databases else metadata,
        open=lambda: nullcontext(io.BytesIO(data)),
    )


def loading(names: Mapping[str, str], groups: Sequence[ShardReplicas] = ()) -> _Loading:
    return _Loading(shards=groups or [group(1, 1)], names=names, pieces=(), interrupt=NOW)


def runner(names: Mapping[str, str]) -> ScriptRunner:
    return ScriptRunner(names=names, interrupt=NOW, notes=[])


def test_the_servers_that_were_dumped_are_known_by_the_script_of_tables() -> None:
    held = [holding(one, [table("t")]) for one in group(1, 2, 3).replicas]
    context = DumpContext(query_log=QueryLog(needed=True), accepts_counts=False)
    first, *_ = arrange("main", held, (), context)
    into = _Loading(
        shards=[group(1, 1)], names={}, pieces=[piece(**first.metadata())], interrupt=NOW
    )
    assert into._dumped() == ["s1r2", "s1r3"]


@pytest.mark.parametrize(
    ("databases", "target", "names"),
    [
        ([("shop",)], "", {"shop": "shop"}),
        ([("shop",)], "new", {"shop": "new"}),
        ([("shop",), ("shop", "shop"), ()], "new", {"shop": "new"}),
        # Tables of the same name would meet.
        ([("shop",), ("web",)], "new", {"shop": "shop", "web": "web"}),
        ([("shop", "web")], "new", {"shop": "shop", "web": "web"}),
        ([()], "new", {}),
    ],
)
def test_only_one_database_goes_into_another(
    databases: Sequence[Sequence[str]], target: str, names: Mapping[str, str]
) -> None:
    connection = Connection(host="h", port=8123, database=target)
    assert _names(connection, [piece(*each) for each in databases]) == names


def test_a_backup_without_rows_asks_for_no_tables() -> None:
    # Nobody answers there.
    loading({}).check_empty()


@pytest.mark.parametrize(
    ("statement", "renamed"),
    [
        ("CREATE DATABASE shop ENGINE = Atomic", "CREATE DATABASE `new` ENGINE = Atomic"),
        ("CREATE TABLE shop.t (a UInt8)", "CREATE TABLE `new`.t (a UInt8)"),
        ("CREATE TABLE web.shop (shop_id UInt8)", "CREATE TABLE web.shop (shop_id UInt8)"),
        ("CREATE DATABASE web", "CREATE DATABASE web"),
        ("CREATE FUNCTION f AS x -> x", "CREATE FUNCTION f AS x -> x"),
    ],
)
def test_statements_are_for_the_new_database(statement: str, renamed: str) -> None:
    into = runner({"shop": "new"})
    assert into.rename(statement) == renamed
    assert into.notes == []
    assert runner({"shop": "shop"}).rename(statement) == statement


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW shop.v AS SELECT * FROM shop.t",
        "CREATE TABLE shop.t (a UInt8) ENGINE = Buffer('shop', 't')",
        "CREATE TABLE shop.t (a UInt8 DEFAULT dictGet('shop.x', 'a', 1)) ENGINE = Log",
    ],
)
def test_what_speaks_of_the_old_database_is_left_out_and_told(statement: str) -> None:
    into = runner({"shop": "new"})
    assert into.rename(statement) == ""
    [note] = into.notes
    assert "'shop'" in note
    assert statement[:40] in note


@pytest.mark.parametrize(
    ("shard", "replica", "label", "told"),
    [
        (1, None, "s1r1", False),
        (2, None, "s2r1", False),
        (2, 2, "s2r2", False),
        # More were dumped than there are.
        (3, None, "s1r1", True),
        (4, 2, "s2r2", True),
        # There are no more replicas: told as well.
        (1, 3, "s1r1", True),
    ],
)
def test_rows_go_where_they_belong(
    shard: int, replica: int | None, label: str, *, told: bool
) -> None:
    into = loading({}, [group(1, 2, 1), group(2, 1, 2)])
    metadata = {"shard": shard} | ({"replica": replica} if replica else {})
    assert into._replica_for(metadata).label == label
    assert ["there are fewer" in note for note in into.notes] == [True] * told


def test_the_rows_of_one_table_are_its_whole_object() -> None:
    of = piece("d", data=bytes(600_000))
    with of.open() as reader:
        [(table, blocks)] = read_tables(of, reader)
        assert table["table"] == "t"
        assert b"".join(blocks) == bytes(600_000)


def test_packed_tables_come_one_after_the_other_however_they_are_listed() -> None:
    data = archive(Given("a/b", b"1" * 1000), Given("none", b""), Given("c", b"3"))
    tables = [{"table": name, "entry": bundles.entry("d", name)} for name in ("c", "none", "a/b")]
    of = piece(data=data, ending=".tar", tables=tables)
    with of.open() as reader:
        found = [(table["table"], b"".join(blocks)) for table, blocks in read_tables(of, reader)]
    assert found == [("a/b", b"1" * 1000), ("none", b""), ("c", b"3")]


def test_packed_tables_that_nobody_reads_are_passed_over() -> None:
    data = archive(Given("a", b"1" * 1000), Given("c", b"3"))
    tables = [{"table": name, "entry": bundles.entry("d", name)} for name in "ac"]
    of = piece(data=data, ending=".tar", tables=tables)
    with of.open() as reader:
        found = [
            b"".join(blocks) for table, blocks in read_tables(of, reader) if table["table"] == "c"
        ]
    assert found == [b"3"]


@pytest.mark.parametrize(
    ("rows", "loaded"),
    [
        ({"rows": 0}, False),
        ({"rows": 1}, True),
        # The first came between the two counts.
        ({"rows": 0, "rows_at_most": 5}, True),
        ({"rows": 2, "rows_at_most": 5}, True),
    ],
)
def test_tables_that_may_have_rows_are_loaded(rows: Mapping[str, int], *, loaded: bool) -> None:
    assert has_rows(rows) is loaded
