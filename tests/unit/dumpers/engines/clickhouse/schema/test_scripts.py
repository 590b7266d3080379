from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.engines.clickhouse.schema import scripts
from dumpers.engines.clickhouse.schema.table import Table
from dumpers.engines.clickhouse.schema.tables import treat
from dumpers.engines.clickhouse.server.sql import identifier, literal
from dumpers.runtime.errors import SourceFailedError
from tests.unit.dumpers.engines.clickhouse.parts import table

ID = "95cc8b85-7fa3-429c-ba55-47a40f424f6b"


def view(name: str, *, needs: Sequence[str] = (), to: str = "", number: int = 0) -> list[Table]:
    """A materialized view, with its own table unless it writes to another."""
    uuid = f"{ID[:-4]}{number:04}"
    where = f"TO d.{to} (`k` UInt8)" if to else "(`k` UInt8) ENGINE = MergeTree ORDER BY k"
    create = f"CREATE MATERIALIZED VIEW d.{name} {where} AS SELECT 1 AS k"
    of = table(
        name,
        "MaterializedView",
        uuid=uuid,
        create=create,
        needs=[("d", need) for need in needs],
    )
    return [of] if to else [of, table(f".inner_id.{uuid}")]


def levels(*tables: Table) -> list[list[str]]:
    return [[item.table.name for item in level] for level in scripts.views_with_rows(treat(tables))]


def heads(script: str) -> list[str]:
    """What each statement of a script begins with."""
    return [" ".join(text.split()[:3]).partition(" (")[0] for text in scripts.statements(script)]


def test_a_script_has_what_it_needs_first() -> None:
    found = treat(
        [
            table("v", "View", create="CREATE VIEW d.v AS SELECT 1"),
            table("uses", needs=[("d", "x")]),
            table("x", "Dictionary", create="CREATE DICTIONARY d.x (k UInt8)"),
            table("t", "Log"),
            table("all_t", "Distributed"),
            *view("mv"),
            *view("to_t", to="t"),
        ]
    )
    tables = scripts.tables(
        [
            "CREATE DATABASE d ENGINE = Atomic",
            "CREATE DATABASE default ENGINE = Ordinary",
            "CREATE DATABASE `default` ENGINE = Atomic",
            "CREATE DATABASE `default ` ENGINE = Atomic",
        ],
        functions=["CREATE FUNCTION f AS x -> x"],
        collections={"c'`": {"key": "it's"}},
        found=found,
    )
    assert scripts.statements(tables)[:2] == [
        r"CREATE NAMED COLLECTION `c'\`` AS `key` = 'it\'s'",
        "CREATE FUNCTION f AS x -> x",
    ]
    assert heads(tables)[2:] == [
        "CREATE DATABASE d",
        "CREATE DATABASE `default",
        "CREATE TABLE d.t",
        "CREATE DICTIONARY d.x",
        "CREATE TABLE d.uses",
    ]
    assert heads(scripts.views(found)) == ["CREATE TABLE d.all_t", "CREATE VIEW d.v"]
    # What has rows of its own comes beside them.
    assert heads(scripts.materialized_views(found)) == ["CREATE MATERIALIZED VIEW"]
    assert "d.to_t TO d.t" in scripts.materialized_views(found)
    assert levels(*(item.table for item in found)) == [["mv"]]


def test_views_that_refresh_themselves_come_last_and_do_not_do_so_at_once() -> None:
    refreshed = "CREATE MATERIALIZED VIEW d.a REFRESH EVERY 1 HOUR TO d.t AS SELECT 1 AS k"
    found = treat([table("a", "MaterializedView", create=refreshed), *view("z", to="t")])
    first, last = scripts.statements(scripts.materialized_views(found))
    assert "d.z TO d.t" in first
    assert last == refreshed.replace(" AS SELECT", " EMPTY AS SELECT")


def test_a_table_without_a_statement_is_named() -> None:
    [lost] = treat([replace(table("lost"), create="")])
    with pytest.raises(SourceFailedError, match=r"d\.lost is created"):
        scripts.tables([], functions=[], collections={}, found=[lost])


def test_there_is_no_script_of_nothing() -> None:
    found = treat([table("t")])
    assert scripts.views(found) == scripts.materialized_views(found) == scripts.creates([]) == ""
    assert scripts.tables([], functions=[], collections={}, found=[]) == ""
    assert scripts.views_with_rows(found) == []


@pytest.mark.parametrize(
    ("views", "found"),
    [
        ([view("a"), view("b", number=1)], [["a", "b"]]),
        ([view("b", needs=["t"]), view("a", number=1)], [["b", "a"]]),
        ([view("a", needs=["b"]), view("b", number=1)], [["b"], ["a"]]),
        # By its own table, which is what an old server names.
        ([view("a", needs=[f".inner_id.{ID[:-4]}0001"]), view("b", number=1)], [["b"], ["a"]]),
        (
            [
                view("a", needs=["b", "c"]),
                view("b", needs=["c"], number=1),
                view("c", number=2),
                view("d", needs=["c"], number=3),
            ],
            [["c"], ["b", "d"], ["a"]],
        ),
        # Its own name, and its own table.
        ([view("a", needs=["a", f".inner_id.{ID[:-4]}0000"])], [["a"]]),
        ([view("a", needs=["a"]), view("b", needs=["a"], number=1)], [["a"], ["b"]]),
        # A circle, and what hangs on it or stands apart.
        ([view("a", needs=["b"]), view("b", needs=["a"], number=1)], [["a", "b"]]),
        (
            [
                view("a", needs=["b"]),
                view("b", needs=["a"], number=1),
                view("c", number=2),
                view("d", needs=["a"], number=3),
            ],
            [["c"], ["a", "b", "d"]],
        ),
        # Views without rows are no level.
        ([view("a", needs=["b"]), view("b", to="t")], [["a"]]),
    ],
)
def test_views_with_rows_come_by_levels(
    views: Sequence[Sequence[Table]], found: list[list[str]]
) -> None:
    assert levels(*(one for tables in views for one in tables)) == found


@given(st.lists(st.lists(st.integers(0, 5), max_size=3), min_size=1, max_size=6))
def test_every_view_is_of_one_level_behind_what_it_reads(needs: list[list[int]]) -> None:
    # None reads a later one: there are no circles.
    reads = {
        f"v{number}": {f"v{each}" for each in of if each < number}
        for number, of in enumerate(needs)
    }
    tables = [
        each
        for number, name in enumerate(reads)
        for each in view(name, needs=sorted(reads[name]), number=number)
    ]
    found = levels(*reversed(tables))
    level = {name: number for number, names in enumerate(found) for name in names}
    assert sorted(name for names in found for name in names) == sorted(reads)
    assert all(level[other] < level[name] for name, others in reads.items() for other in others)


# Statements as servers store them: no comments, and no semicolon outside of names and strings.
STATEMENTS = st.builds(
    lambda name, text, rest: f"CREATE TABLE d.{identifier(name)} {rest}({literal(text)})",
    st.text(min_size=1),
    st.text(),
    st.sampled_from(["", "\n", "AS `a;b`", "DEFAULT ';'", '"x;"', "'it''s;'"]),
)


@given(st.lists(STATEMENTS))
def test_a_script_is_its_statements(found: list[str]) -> None:
    assert scripts.statements(scripts.script(found)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        (" ;\n; ", []),
        ("a; b", ["a", "b"]),
        ("a;\n\nb;\n", ["a", "b"]),
        ("a ';' b; `c;d`", ["a ';' b", "`c;d`"]),
        (r"a '\';'; b", [r"a '\';'", "b"]),
        ("a -- x;\n; b", ["a -- x;", "b"]),
        ("a /* ; */; b", ["a /* ; */", "b"]),
    ],
)
def test_statements_of_a_script_that_somebody_changed(text: str, found: list[str]) -> None:
    assert scripts.statements(text) == found
