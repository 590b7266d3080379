"""Full names of tables as people read and write them, and tables' new names by their old ones."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from dumpers.engines.clickhouse.schema.lexer import significant
from dumpers.engines.clickhouse.server.sql import identifier

Key = tuple[str, str]
"""A database and a table of it."""

_PLAIN = re.compile(r"[\w-]+")
_PARTS = 3


def full_name(*names: str) -> str:
    """A database, or a database and a table, in backticks where a name is not plain."""
    return ".".join(name if _PLAIN.fullmatch(name) else identifier(name) for name in names)


def read_full_name(text: str) -> tuple[str, ...]:
    """Read what `full_name` gave: one name or two; a dot outside of backticks parts them.

    A text that is no such name, as blanks and quotes are in it, is one name as it is.
    """
    if _PLAIN.fullmatch(text):
        return (text,)
    first, dot, second = text.partition(".")
    if dot and _PLAIN.fullmatch(first) and _PLAIN.fullmatch(second):
        return first, second
    words = significant(text)
    whole = "".join(word.text for word in words) == text
    if whole and len(words) == 1 and words[0].is_name:
        return (words[0].value,)
    if (
        whole
        and len(words) == _PARTS
        and words[1].text == "."
        and words[0].is_name
        and words[2].is_name
    ):
        return words[0].value, words[2].value
    return (text,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """New names by old ones; `tables` has every table that the backup knows."""

    databases: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[Key, Key] = field(default_factory=dict)

    def database(self, name: str) -> str:
        """The new name of a database; the same where it has none."""
        return self.databases.get(name, name)

    def table(self, key: Key) -> Key:
        """The new name of a table."""
        return self.tables.get(key) or (self.database(key[0]), key[1])

    @property
    def changes(self) -> bool:
        """Whether anything gets another name."""
        return any(old != new for old, new in (*self.databases.items(), *self.tables.items()))
