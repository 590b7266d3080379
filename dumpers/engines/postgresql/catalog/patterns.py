"""Names of tables and schemas as pg_dump takes them: patterns, read as its own rules read them.

https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-PATTERNS; the rules are those of
`patternToSQLRegex` in src/fe_utils/string_utils.c.
"""

import string
from collections.abc import Sequence
from dataclasses import dataclass

_SPECIAL = frozenset("|*+?()[]{}.^$\\")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_WILD = frozenset("*?|+()[]{}^")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A pattern's parts as regular expressions; `schema` is None where it names none.

    `text` is what was written; `is_literal` means that it can fit one name only.
    """

    text: str
    schema: str | None
    name: str
    is_literal: bool


def parse_pattern(text: str) -> Pattern:
    """Read a pattern of a table or a schema; of three parts the first, a database, is dropped."""
    parts, quoted, literal, index = [""], False, True, 0
    while index < len(text):
        letter = text[index]
        index += 1
        if letter == '"':
            if quoted and text[index : index + 1] == '"':
                parts[-1] += '"'
                index += 1
            else:
                quoted = not quoted
        elif letter == "." and not quoted:
            parts.append("")
        elif quoted or letter == "$":
            parts[-1] += f"\\{letter}" if letter in _SPECIAL else letter
        else:
            literal &= letter not in _WILD
            parts[-1] += _outside_quotes(letter, text[index : index + 1])
    *_, schema, name = (None, *parts)
    return Pattern(
        text=text,
        schema=None if schema is None else _anchored(schema),
        name=_anchored(name or ""),
        is_literal=literal,
    )


def quote_pattern(*parts: str) -> str:
    """The pattern that fits exactly the name of these parts."""
    return ".".join('"{}"'.format(part.replace('"', '""')) for part in parts)


def quote_patterns(names: Sequence[tuple[str, str]], *, at_a_time: int = 100) -> list[str]:
    """Patterns that fit exactly these names of schema and table, many in each of them.

    pg_dump asks the server once for every pattern, and a command line has an end.
    """
    by_schema: dict[str, list[str]] = {}
    for schema, name in names:
        by_schema.setdefault(schema, []).append(quote_pattern(name))
    return [
        f"{quote_pattern(schema)}.({'|'.join(listed[start : start + at_a_time])})"
        for schema, listed in by_schema.items()
        for start in range(0, len(listed), at_a_time)
    ]


def literal(text: str) -> str:
    """A text in SQL, whatever `standard_conforming_strings` is."""
    return "E'{}'".format(text.replace("\\", "\\\\").replace("'", "''"))


def plain(expression: str) -> str | None:
    """The only name that a pattern's part fits; None where it may fit several."""
    inner = expression.removeprefix("^(").removesuffix(")$")
    return None if _SPECIAL & set(inner) else inner


def fits(column: str, expression: str) -> str:
    """The SQL condition that a name in `column` fits a regular expression."""
    return f'{column}::text COLLATE "default" ~ {literal(expression)}'


def _outside_quotes(letter: str, following: str) -> str:
    if letter == "*":
        return ".*"
    if letter == "?":
        return "."
    # An array's brackets, and not an empty class of letters.
    if letter == "[" and following == "]":
        return "\\["
    return letter.translate(_LOWER)


def _anchored(expression: str) -> str:
    return f"^({expression})$"
