import pytest

from dumpers.contract.notes import NoteCode
from dumpers.engines.clickhouse.schema.names.references import (
    Existing,
    find_incomplete,
    needed_tables,
    notes_on_incomplete,
)
from dumpers.engines.clickhouse.schema.table import Table
from dumpers.engines.clickhouse.schema.tables import treat


def view(query: str, name: str = "v", engine: str = "View") -> Table:
    return Table(
        database="shop", name=name, engine=engine, create=f"CREATE VIEW shop.{name} AS {query}"
    )


@pytest.mark.parametrize(
    ("query", "needed"),
    [
        ("SELECT 1 FROM shop.t", [("shop", "t")]),
        ("SELECT 1 FROM shop.t AS a LEFT JOIN `a b`.`c.d` ON 1", [("shop", "t"), ("a b", "c.d")]),
        ("SELECT 1 FROM shop.t ARRAY JOIN n.x", [("shop", "t")]),
        ("WITH x AS (SELECT 1) SELECT 'FROM a.b' FROM x", []),
        ("SELECT 1 FROM numbers(10)", []),
        ("SELECT trim(BOTH 'x' FROM y) FROM shop.t", [("shop", "t")]),
    ],
)
def test_what_a_view_needs(query: str, needed: list[tuple[str, str]]) -> None:
    assert list(needed_tables(view(query))) == needed


@pytest.mark.parametrize(
    ("engine", "full", "needed"),
    [
        ("Distributed", "Distributed('main', 'shop', 'orders')", [("shop", "orders")]),
        ("Distributed", "Distributed('main', '', 'orders')", []),
        ("Buffer", "Buffer('shop', 'orders', 1, 2)", [("shop", "orders")]),
        ("Alias", "Alias('shop', 'orders')", [("shop", "orders")]),
        ("MergeTree", "MergeTree ORDER BY a", []),
    ],
)
def test_what_a_table_that_forwards_needs(
    engine: str, full: str, needed: list[tuple[str, str]]
) -> None:
    table = Table(database="shop", name="t", engine=engine, engine_full=full)
    assert list(needed_tables(table)) == needed


def test_what_is_needed_and_not_saved_is_told() -> None:
    saved = treat(
        [
            Table(database="shop", name="t", engine="Log"),
            view("SELECT 1 FROM shop.t JOIN system.one ON 1", "fine"),
            view("SELECT 1 FROM shop.left_out", "of_left_out"),
            view("SELECT 1 FROM crm.people", "of_other"),
            view("SELECT 1 FROM away.people", "of_away"),
            view("SELECT 1 FROM shop.gone", "of_gone"),
            view("SELECT 1 FROM nowhere.gone", "of_nowhere"),
            view("SELECT 1 FROM shop.of_other", "a_view_of_it"),
            view("SELECT 1 FROM shop.a_view_of_it", "and_of_that"),
        ]
    )
    existing = Existing(
        tables={("shop", "t"), ("shop", "left_out")},
        looked_into=["shop"],
        databases=["shop", "crm", "away"],
        elsewhere=["away"],
    )
    found = find_incomplete(saved, existing)
    assert found == {
        ("shop", "of_left_out"): NoteCode.NOT_CHOSEN,
        ("shop", "of_other"): NoteCode.NOT_CHOSEN,
        ("shop", "of_gone"): NoteCode.BROKEN_VIEWS,
        ("shop", "of_nowhere"): NoteCode.BROKEN_VIEWS,
        ("shop", "a_view_of_it"): NoteCode.NOT_CHOSEN,
        ("shop", "and_of_that"): NoteCode.NOT_CHOSEN,
    }
    notes = notes_on_incomplete(found)
    assert {(note.code, note.objects) for note in notes} == {
        (code, (".".join(key),)) for key, code in found.items()
    }
