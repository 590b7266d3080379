import re

import pytest

from dumpers.contract.notes import NoteCode
from dumpers.engines.clickhouse import filters
from dumpers.engines.clickhouse.filters import TableFilter
from dumpers.engines.clickhouse.schema.table import Table
from dumpers.engines.clickhouse.schema.tables import treat
from dumpers.runtime.errors import ConfigurationError, SourceRefusedError

DATABASES = ("default", "shop", "shop_old", "system", "information_schema", "INFORMATION_SCHEMA")
ID = "95cc8b85-7fa3-429c-ba55-47a40f424f6b"


def table(name: str, engine: str = "MergeTree", database: str = "shop", uuid: str = "") -> Table:
    return Table(database=database, name=name, engine=engine, uuid=uuid)


ALL = treat(
    [
        table("orders"),
        table("Orders"),
        table("log_a"),
        table("log_b", "Log"),
        table("a.b"),
        table("[x]"),
        table("per_day", "MaterializedView", uuid=ID),
        table(f".inner_id.{ID}"),
        table("orders", database="shop_old"),
        table("one", "SystemOne", database="system"),
    ]
)


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        ((), ("default", "shop", "shop_old")),
        (("*",), ("default", "shop", "shop_old")),
        (("shop",), ("shop",)),
        (("shop*",), ("shop", "shop_old")),
        (("shop_old", "default"), ("default", "shop_old")),
    ],
)
def test_databases_are_chosen(patterns: tuple[str, ...], chosen: tuple[str, ...]) -> None:
    assert filters.databases(TableFilter(databases=patterns), DATABASES) == chosen


@pytest.mark.parametrize("pattern", ["gone", "Shop", "system", "sys*"])
def test_databases_that_are_not_there_are_refused(pattern: str) -> None:
    with pytest.raises(SourceRefusedError, match="these databases that were asked for") as caught:
        filters.databases(TableFilter(databases=("shop", pattern)), DATABASES)
    assert repr(pattern) in str(caught.value)
    assert "'shop'" not in str(caught.value)


@pytest.mark.parametrize(
    ("tables", "excluded", "names"),
    [
        ((), (), ["orders", "Orders", "log_a", "log_b", "a.b", "[x]", "per_day"]),
        (("orders",), (), ["orders"]),
        (("?rders",), (), ["orders", "Orders"]),
        (("shop.log_*",), (), ["log_a", "log_b"]),
        (("log_*", "orders"), ("*_b",), ["orders", "log_a"]),
        (("a.b",), (), ["a.b"]),
        (("shop.a.b",), (), ["a.b"]),
        (("[[]x]",), (), ["[x]"]),
        (("per_day",), (), ["per_day"]),
        ((), ("shop.*",), []),
        ((), ("log_*", "O*", "*.b", "*x*", "shop.per*"), ["orders"]),
    ],
)
def test_tables_are_chosen(
    tables: tuple[str, ...], excluded: tuple[str, ...], names: list[str]
) -> None:
    asked = TableFilter(tables=tables, excluded=excluded)
    found, notes = filters.tables(asked, ("shop",), ALL)
    assert [item.table.name for item in found] == names
    assert notes == ()


@pytest.mark.parametrize(
    "pattern", ["gone", "ORDERS", "shop_old.orders", ".inner_id.*", "one", "orders.*"]
)
def test_tables_that_are_not_there_are_refused(pattern: str) -> None:
    with pytest.raises(SourceRefusedError, match="these tables that were asked for") as caught:
        filters.tables(TableFilter(tables=(pattern,)), ("shop",), ALL)
    assert repr(pattern) in str(caught.value)


def test_an_exclusion_that_excludes_nothing_is_told() -> None:
    asked = TableFilter(excluded=("log_*", "gone", ".inner*"))
    found, notes = filters.tables(asked, ("shop",), ALL)
    assert len(found) == 5
    [note] = notes
    assert (note.code, note.objects) == (NoteCode.NOTHING_MATCHED, ("gone", ".inner*"))


def test_a_database_that_is_left_out_as_a_whole_is_an_exclusion_that_counts() -> None:
    asked = TableFilter(excluded=("crm.*",))
    _, notes = filters.tables(asked, ("shop",), ALL, ("shop", "crm"))
    assert notes == ()


@pytest.mark.parametrize(
    ("asked", "database", "named"),
    [
        (TableFilter(), True, True),
        (TableFilter(databases=("*",)), True, True),
        (TableFilter(databases=("shop",)), False, False),
        (TableFilter(databases=("c*",)), True, True),
        (TableFilter(excluded=("crm.*",)), False, False),
        (TableFilter(excluded=("*",)), False, False),
        (TableFilter(excluded=("c?m.*",)), False, False),
        # These leave out tables of some names only.
        (TableFilter(excluded=("?",)), True, True),
        (TableFilter(excluded=("crm.a*", "[*]", "crm.?")), True, True),
        (TableFilter(tables=("orders",)), True, False),
        (TableFilter(tables=("crm.orders",)), True, True),
        (TableFilter(tables=("shop.orders",)), True, False),
    ],
)
def test_whether_a_database_is_looked_into(
    asked: TableFilter, *, database: bool, named: bool
) -> None:
    assert asked.has_database("crm") is database
    assert asked.names_database("crm") is named
    assert not asked.has_database("system")


def test_what_nobody_named() -> None:
    assert TableFilter(excluded=("x",)).is_everything
    assert TableFilter(databases=("*",)).is_everything
    assert not TableFilter(databases=("*", "shop")).is_everything
    assert not TableFilter(tables=("*",)).is_everything


@pytest.mark.parametrize(
    ("text", "partitions"),
    [
        ("", {}),
        (" ; ", None),
        ("d.t: 202401", {("d", "t"): ("202401",)}),
        ("d.t:'a1','b2';", {("d", "t"): ("a1", "b2")}),
        (
            "d.t: 'all'; e . u : 2--3, -1-5 ,2--3 ; d.x:20240101",
            {("d", "t"): ("all",), ("e", "u"): ("2--3", "-1-5"), ("d", "x"): ("20240101",)},
        ),
        ("my-db.tab_1: x", {("my-db", "tab_1"): ("x",)}),
        ("`a.b`.`c;d:e, \\`f`: x", {("a.b", "c;d:e, `f"): ("x",)}),
        ("Zürich.😀: x", {("Zürich", "😀"): ("x",)}),
    ],
)
def test_partitions_are_read(
    text: str, partitions: dict[tuple[str, str], tuple[str, ...]] | None
) -> None:
    if partitions is None:
        with pytest.raises(ConfigurationError):
            filters.read_partitions("PARTITIONS", text)
    else:
        assert filters.read_partitions("PARTITIONS", text) == partitions


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("t: 1", "'t: 1'"),
        ("d.t", "'d.t'"),
        ("d.t:", "'d.t:'"),
        ("d.t: 1,", "'d.t: 1,'"),
        ("d.t: 1 2", "'d.t: 1 2'"),
        ("d.t: 1; d.u: (2)", "'d.u: (2)'"),
        ("d.t: 1 d.u: 2", "'d.t: 1 d.u: 2'"),
        ("d.t: '1' OR 1", "OR 1"),
        ("d.t: 1; `d`.t: 2", "d.t twice"),
    ],
)
def test_what_names_no_partitions_is_refused(text: str, word: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(word)):
        filters.read_partitions("PARTITIONS", text)


def test_partitions_are_of_tables_that_have_them() -> None:
    chosen, _ = filters.tables(TableFilter(), ("shop",), ALL)
    filters.check_partitions({("shop", "orders"): ("1",), ("shop", "a.b"): ("1",)}, chosen)
    wrong = {("shop", name): ("1",) for name in ("log_b", "gone", "orders")}
    with pytest.raises(SourceRefusedError, match=r": 'shop\.gone', 'shop\.log_b'$"):
        filters.check_partitions(wrong, chosen)
