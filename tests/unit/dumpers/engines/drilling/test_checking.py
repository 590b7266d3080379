import pytest

from dumpers.contract.drill.checks import Check
from dumpers.contract.engine_spec import EngineSpec
from dumpers.engines.drilling.checking import (
    CheckedEngine,
    StatementError,
    choose_database,
    judge,
    names_of,
    without_values,
)
from dumpers.engines.registry import ENGINES, load


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (["t"], ""),
        (["true", "TRUE", "1"], ""),
        (["-0.5"], ""),
        (["1e-9", "+7", ".5", "2."], ""),
        ([], "gave no row"),
        ([None], "gave null"),
        (["t", None], "gave null"),
        (["f"], "gave false"),
        (["False"], "gave false"),
        (["1", "0"], "gave false"),
        (["0.000"], "gave false"),
        (["-0"], "gave false"),
        (["0e10"], "gave false"),
        ([""], "gave what is neither true nor false"),
        (["Ada"], "gave what is neither true nor false"),
        (["NaN"], "gave what is neither true nor false"),
        (["1 of 2"], "gave what is neither true nor false"),
    ],
)
def test_every_row_must_be_true(values: list[str | None], what: str) -> None:
    assert judge(values) == what


SQL = """SELECT count(*)
  FROM shop.orders o
  WHERE o."when" > 'x' AND name::int = ''"""


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('relation "orders" does not exist', 'relation "orders" does not exist'),
        ('relation "ORDERS" does not exist', 'relation "ORDERS" does not exist'),
        ("Table 'shop.orders' doesn't exist", "Table 'shop.orders' doesn't exist"),
        ('column "when" of "orders" is odd', 'column "when" of "orders" is odd'),
        ("near 'FROM shop.orders o' at 1", "near 'FROM shop.orders o' at 1"),
        ("near 'count(*) FROM shop' at 1", "near 'count(*) FROM shop' at 1"),
        ('syntax error in tsquery: "Ada"', "syntax error in tsquery: '…'"),
        ('syntax error in tsquery: ""', "syntax error in tsquery: '…'"),
        ('no "order"', "no '…'"),
        ("no 'shop.Ada' here", "no '…' here"),
        ('"orders" has no "Ada" here', "\"orders\" has no '…' here"),
        ("value: 'it's Ada' is \"odd\" here", "value: '…' here"),
        ('bad: "{"name": "Ada"}" there', "bad: '…' there"),
        ("first\nDETAIL: Ada", "first"),
        ("first 'a\nb' last", "first '…'"),
        ("it isn't, and 'Ada", "it isn't, and '…'"),
        ("", ""),
        ("x" * 300, "x" * 200 + "…"),
    ],
)
def test_a_servers_words_are_told_without_values(said: str, told: str) -> None:
    assert without_values(said, sql=SQL) == told


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("Table 'db.orders' doesn't exist", ["'db.orders'"]),
        ("Access denied for 'Ada'@'h' to 'shop'", ["'shop'"]),
        ("Ada", []),
        ("near 'Ada", []),
    ],
)
def test_names_are_those_of_the_statement(said: str, names: list[str]) -> None:
    assert names_of(said, sql=SQL, database="db") == names


def test_the_database_is_the_only_one_or_that_which_is_named() -> None:
    bare, named = Check(number=1, sql="SELECT 1"), Check(number=2, sql="SELECT 1", database="b")
    assert choose_database(bare, ["a"]) == "a"
    assert choose_database(bare, ["a", "b"]) == ""
    assert choose_database(named, ["a", "b"]) == "b"
    with pytest.raises(StatementError, match="no database"):
        choose_database(named, ["a"])


@pytest.mark.parametrize("spec", ENGINES, ids=lambda spec: spec.type)
def test_engines_take_checks_where_they_say_so(spec: EngineSpec) -> None:
    assert isinstance(load(spec), CheckedEngine) is spec.takes_checks
