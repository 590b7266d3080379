import re

import pytest

from dumpers.engines.postgresql.catalog.patterns import (
    literal,
    parse_pattern,
    quote_pattern,
    quote_patterns,
)


@pytest.mark.parametrize(
    ("text", "schema", "name", "is_literal"),
    [
        ("orders", None, "^(orders)$", True),
        ("Orders", None, "^(orders)$", True),
        ('"Orders"', None, "^(Orders)$", True),
        ("app.orders", "^(app)$", "^(orders)$", True),
        ("db.app.orders", "^(app)$", "^(orders)$", True),
        ('"a.b"', None, r"^(a\.b)$", True),
        ('"a""b".c', '^(a"b)$', "^(c)$", True),
        ("or*_?", None, "^(or.*_.)$", False),
        ('"or*_?"', None, r"^(or\*_\?)$", True),
        ("a$b", None, r"^(a\$b)$", True),
        ("(a|b)", None, "^((a|b))$", False),
        ("int[]", None, r"^(int\[])$", False),
        ("ÉT*", None, "^(Ét.*)$", False),
        ('o"R"d', None, "^(oRd)$", True),
        ("", None, "^()$", True),
    ],
)
def test_a_pattern_is_read_as_pg_dump_reads_it(
    text: str, schema: str | None, name: str, is_literal: object
) -> None:
    found = parse_pattern(text)
    assert (found.schema, found.name, found.is_literal) == (schema, name, is_literal)


@pytest.mark.parametrize("name", ["plain", "A.b", 'q"uote', "*?", "a|b)", "$1", "\\d", "é", "-n"])
def test_a_quoted_name_fits_itself_only(name: str) -> None:
    found = parse_pattern(quote_pattern("app", name))
    assert found.is_literal
    assert re.fullmatch(found.name, name)
    assert not re.fullmatch(found.name, f"{name}x")


def test_many_names_go_into_few_patterns() -> None:
    names = [("app", f"T {number}") for number in range(250)] + [("b", "x")]
    patterns = quote_patterns(names)
    assert len(patterns) == 4
    found = [parse_pattern(pattern) for pattern in patterns]
    for schema, name in names:
        fitting = [
            one
            for one in found
            if re.fullmatch(str(one.schema), schema) and re.fullmatch(one.name, name)
        ]
        assert len(fitting) == 1


@pytest.mark.parametrize(
    ("text", "sql"), [("a", "E'a'"), ("it's", "E'it''s'"), ("\\'", "E'\\\\'''")]
)
def test_a_literal_is_one_whatever_the_settings_are(text: str, sql: str) -> None:
    assert literal(text) == sql
