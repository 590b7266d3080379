import itertools

import pytest

from dumpers.engines.clickhouse.schema.create_order import Phase, phases
from dumpers.engines.clickhouse.schema.table import Table
from dumpers.engines.clickhouse.schema.tables import treat
from tests.unit.dumpers.engines.clickhouse.parts import table


def view(name: str, select: str, database: str = "d") -> Table:
    create = f"CREATE VIEW {database}.{name} AS {select}"
    return table(name, "View", database=database, create=create)


def order(phase: Phase, *tables: Table) -> list[str]:
    return [item.table.full_name for item in dict(phases(treat(tables)))[phase]]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # Servers record none of these; the second is by name before the first.
        (view("z", "SELECT 1"), view("a", "SELECT * FROM d.z")),
        (view("z", "SELECT 1"), view("a", "SELECT * FROM z")),
        (view("z", "SELECT 1"), view("a", "SELECT * FROM `d`.`z`")),
        (view("z", "SELECT 1"), view("a", "SELECT * FROM (SELECT * FROM d.t JOIN d.z USING k)")),
        (view("z", "SELECT 1"), view("a", "WITH x AS (SELECT * FROM d.z) SELECT * FROM x")),
        (view("z", "SELECT 1"), view("a", "SELECT * FROM remote('h', 'd', 'z')")),
        (view("z", "SELECT 1"), view("a", "SELECT * FROM remote('h', 'd.z')")),
        (view("z", "SELECT 1"), table("a", "View", create="CREATE VIEW a AS SELECT * FROM z")),
        (view("z y", "SELECT 1"), view("a", "SELECT * FROM d.`z y`")),
        (view("z", "SELECT 1", "e"), view("a", "SELECT * FROM e.z", "d")),
    ],
)
def test_a_view_comes_behind_what_its_statement_mentions(first: Table, second: Table) -> None:
    names = [first.full_name, second.full_name]
    assert order(Phase.VIEWS, second, first) == order(Phase.VIEWS, first, second) == names


def test_what_is_not_mentioned_comes_by_its_name() -> None:
    tables = [
        view("a", "SELECT 1 AS zz"),
        # Another database's, and not even that.
        view("b", "SELECT * FROM z"),
        view("c", "SELECT * FROM zz"),
        view("z", "SELECT 1", "e"),
    ]
    names = [each.full_name for each in tables]
    assert order(Phase.VIEWS, *reversed(tables)) == names


def test_chains_are_found_however_they_come() -> None:
    tables = [
        view("a", "SELECT * FROM d.b"),
        view("b", "SELECT * FROM d.c"),
        view("c", "SELECT * FROM d.t"),
    ]
    for some in itertools.permutations(tables):
        assert order(Phase.VIEWS, *some, table("t")) == ["d.c", "d.b", "d.a"]


def test_a_distributed_table_comes_behind_what_it_reads() -> None:
    to = table("z", "Buffer", create="CREATE TABLE d.z (`k` UInt8) ENGINE = Buffer('d', 't', 1, 1)")
    over = table(
        "a", "Distributed", create="CREATE TABLE d.a (`k` UInt8) ENGINE = Distributed(c, d, z)"
    )
    assert order(Phase.FORWARDING, over, to) == ["d.z", "d.a"]


def test_what_only_seems_to_go_in_circles_goes_by_what_the_server_says() -> None:
    dictionary = "CREATE DICTIONARY d.{} (k UInt8) SOURCE(CLICKHOUSE(TABLE '{}' DB 'd'))"
    tables = [
        table(
            "a", "Dictionary", create=dictionary.format("a", "z"), needs=[("d", "z"), ("d", "gone")]
        ),
        # Its comment names the other.
        table("z", "Dictionary", create=dictionary.format("z", "t") + " COMMENT 'd.a'"),
    ]
    assert order(Phase.DEPENDENT, *tables) == ["d.z", "d.a"]


def test_circles_come_all_the_same() -> None:
    tables = [view("b", "SELECT * FROM d.a"), view("a", "SELECT * FROM d.b"), view("c", "SELECT 1")]
    assert order(Phase.VIEWS, *tables) == ["d.a", "d.b", "d.c"]


def test_plain_tables_mention_nothing() -> None:
    tables = [
        table("a", create="CREATE TABLE d.a (`z` UInt8, `b` UInt8) ENGINE = Log"),
        table("b", create="CREATE TABLE d.b (`k` UInt8) ENGINE = Log"),
        table("z", create="CREATE TABLE d.z (`k` UInt8) ENGINE = Log"),
    ]
    assert order(Phase.TABLES, *reversed(tables)) == ["d.a", "d.b", "d.z"]
