"""Whether tables are what they were, by what a server says of them."""

from collections.abc import Mapping

import pytest

from dumpers.contract.connection import Connection
from dumpers.engines.mysql.client import Server, cells
from dumpers.engines.mysql.parallel.stamps import describe_altered, describe_changes, read_stamps
from dumpers.engines.mysql.programs import Flavour, Program
from dumpers.runtime.errors import DUMP_ERRORS

SERVER = Server(
    flavour=Flavour.MYSQL,
    version="8.0.36",
    number=(8, 0),
    folds=False,
    connection=Connection(host="db", port=3306, username="u", password="p", database="shop"),
    errors=DUMP_ERRORS,
    client=Program(name="mysql", flavour=Flavour.MYSQL, version="", number=(8, 0)),
)


def read(made: Mapping[str, str], *, stripped: bool) -> Mapping[str, tuple[str, ...]]:
    """The stamps of tables that were made then, by answers whose edges may be stripped."""

    def ask(sql: str) -> list[tuple[str, ...]]:
        mark = ["r"] if sql.startswith("SELECT 'r', ") else []
        second = ["7" if "columns" in sql else when for when in made.values()]
        rows = ([*mark, name, value, *mark] for name, value in zip(made, second, strict=True))
        text = "\n".join("\t".join(row) for row in rows)
        return cells((text.strip() if stripped else text).split("\n"))

    return read_stamps(SERVER, [*made], ask)


def test_blanks_at_the_edge_of_an_answer_count() -> None:
    made = {" odd": "2026-11-30 01:00:00", "t": "2026-11-30 01:00:00", "unknown": ""}
    before, now = read(made, stripped=False), read(made, stripped=True)
    assert before == now
    assert before[" odd"] == ("2026-11-30 01:00:00", "7")
    assert describe_changes("shop", before, now) == ""


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ({"a": ("1", "7")}, "dropped 'b':"),
        ({"a": ("2", "7"), "b": ("1", "7")}, "dropped 'a':"),
        ({"a": ("1", "8"), "b": ("2", "7")}, "dropped 'a' and 1 more:"),
    ],
)
def test_a_change_is_told(now: Mapping[str, tuple[str, ...]], words: str) -> None:
    before = {"a": ("1", "7"), "b": ("1", "7")}
    found = describe_changes("shop", before, {"b": ("", ""), **now})
    assert words in found


def test_a_table_that_was_altered_since_it_was_cut_is_told() -> None:
    now = {"a": ("1", "7"), "b": ("1", "8"), "c": ("2", "")}
    assert describe_altered("shop", {}, now) == ""
    assert describe_altered("shop", {"a": "7"}, now) == ""
    assert "altered 'b':" in describe_altered("shop", {"b": "7", "a": "7"}, now)
    # Of names that differ in case alone the server gives one.
    assert describe_altered("shop", {"a": "", "c": "7"}, now) == ""
