import pytest

from dumpers.contract.drill.checks import LONGEST, MOST, Check, parse_checks


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("SELECT true", ["SELECT true"]),
        ("SELECT true;", ["SELECT true"]),
        ("SELECT 1;\nSELECT 2;\n", ["SELECT 1", "SELECT 2"]),
        ("SELECT 1; \t\r\nSELECT\r\n 2 ;", ["SELECT 1", "SELECT\n 2"]),
        ("\n-- ours;\nSELECT 1\n  -- and;\n  WHERE true;\n-- end", ["SELECT 1\n  WHERE true"]),
        # Only the end of a line ends a statement: the server refuses two.
        ("SELECT 1; SELECT 2;", ["SELECT 1; SELECT 2"]),
        ("SELECT 1; -- why\nSELECT 2", ["SELECT 1; -- why\nSELECT 2"]),
        ("SELECT 'a;b', $$c;d$$ /* e;f */ -- g;h", ["SELECT 'a;b', $$c;d$$ /* e;f */ -- g;h"]),
        # It ends one within quotes and comments as well.
        ("SELECT 'a;\nb' <> ''", ["SELECT 'a", "b' <> ''"]),
        ("SELECT $$a;\n$$ <> ''", ["SELECT $$a", "$$ <> ''"]),
        ("SELECT true /* not;\nyet */ AND false", ["SELECT true /* not", "yet */ AND false"]),
        ("SELECT true -- so;\nAND false", ["SELECT true -- so", "AND false"]),
        # Such a line is left out of a text, too.
        ("SELECT 'a\n--b\nc'", ["SELECT 'a\nc'"]),
    ],
)
def test_lines_decide_what_a_statement_is(text: str, statements: list[str]) -> None:
    expected = tuple(Check(number=place, sql=sql) for place, sql in enumerate(statements, 1))
    assert parse_checks(text) == expected


def test_a_line_names_the_database_of_what_follows() -> None:
    found = parse_checks(
        "SELECT 1;\n-- database: shop \nSELECT 2;\nSELECT 3;\n--database: Our Own\nSELECT 4"
    )
    assert [check.database for check in found] == ["", "shop", "shop", "Our Own"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must hold a statement"),
        (" \n-- only words;\n", "must hold a statement"),
        (";", "no statement before the `;` of statement 1"),
        ("SELECT 1;\n ;\nSELECT 2", "no statement before the `;` of statement 2"),
        ("SELECT 1\n-- database: x\nWHERE true", "names a database within statement 1"),
        ("SELECT '\0'", "control characters"),
        ("SELECT '\x1b[0m'", "control characters"),
        ("SELECT '\ud800'", "control characters"),
        (f"SELECT '{'x' * LONGEST}'", "at most 8192 bytes"),
        (f"SELECT '{'é' * (LONGEST // 2)}'", "at most 8192 bytes"),
        ("SELECT 1;\n" * (MOST + 1), "at most 32 statements, and holds 33"),
    ],
)
def test_what_cannot_be_read_is_said_without_showing_it(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as raised:
        parse_checks(text)
    assert "SELECT '" not in str(raised.value)


def test_as_many_as_there_may_be_are_read() -> None:
    assert len(parse_checks("SELECT 1;\n" * MOST)) == MOST
