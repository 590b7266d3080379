import pytest

from dumpers.engines.clickhouse.schema.names.naming import Naming, full_name, read_full_name


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (("shop",), "shop"),
        (("shop", "orders"), "shop.orders"),
        (("ünï", "a-b"), "ünï.a-b"),
        (("a.b",), "`a.b`"),
        (("a.b", "c"), "`a.b`.c"),
        (("o'dd `db", "t 🐘\n"), "`o'dd \\`db`.`t 🐘\\n`"),
        (("shop", ""), "shop.``"),
    ],
)
def test_full_names_are_read_as_they_are_written(names: tuple[str, ...], text: str) -> None:
    assert full_name(*names) == text
    assert read_full_name(text) == names


@pytest.mark.parametrize("text", ["a.b.c", "a b", "a.", "", "`a`.`b`.`c`", "'a'"])
def test_what_is_no_full_name_is_one_name(text: str) -> None:
    assert read_full_name(text) == (text,)


def test_what_has_no_new_name_keeps_its_own() -> None:
    naming = Naming(databases={"a": "b"}, tables={("a", "t"): ("c", "u")})
    assert naming.table(("a", "t")) == ("c", "u")
    assert naming.table(("a", "other")) == ("b", "other")
    assert naming.table(("x", "t")) == ("x", "t")
    assert naming.database("x") == "x"
    assert naming.changes
    assert not Naming(databases={"a": "a"}, tables={("a", "t"): ("a", "t")}).changes
