"""Which databases, tables and partitions are dumped, as the annotations ask."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.clickhouse.schema.lexer import tokens
from dumpers.engines.clickhouse.schema.table import SYSTEM_DATABASES
from dumpers.engines.clickhouse.schema.table_engines import TableTreatment
from dumpers.engines.clickhouse.schema.tables import BackupTable
from dumpers.engines.names import abbreviate
from dumpers.runtime.errors import ConfigurationError, SourceRefusedError

# A pattern that fits this name of a table fits them all.
_ANY = "\0" * 64
_WILD = re.compile(r"[*?[]")
_NAME = r"(?:[^\s`:;,.'\"]+|`(?:[^`\\]|\\.|``)+`)"
_IDS = r"(?:'[\w-]+'|[\w-]+)"
_PARTITIONS = re.compile(
    rf"\s*({_NAME})\s*\.\s*({_NAME})\s*:\s*({_IDS}(?:\s*,\s*{_IDS})*)\s*(?:;|$)", re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFilter:
    """Patterns of what is dumped, all where `databases` or `tables` is empty.

    A table's pattern may stand for its name alone or for `database.table`; `*`, `?` and `[…]` are
    those of a shell, and letters of either case differ. `?` stands for a comma.
    """

    databases: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    _asked: "_Patterns" = field(init=False, repr=False, compare=False)
    _left_out: "_Patterns" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort the patterns, once for all names that are held against them."""
        object.__setattr__(self, "_asked", _sort(self.tables))
        object.__setattr__(self, "_left_out", _sort(self.excluded))

    @property
    def is_everything(self) -> bool:
        """Whether nothing was named: what cannot be read may be left out then."""
        return not self.tables and all(pattern == "*" for pattern in self.databases)

    def has_database(self, name: str) -> bool:
        """Whether tables of a database are asked for, as far as its name tells."""
        asked = not self.databases or any(fnmatchcase(name, part) for part in self.databases)
        return asked and name not in SYSTEM_DATABASES and not self._excludes(name, _ANY)

    def names_database(self, name: str) -> bool:
        """Whether a database is asked for as a whole: its tables may not be known."""
        parts = [pattern.partition(".") for pattern in self.tables]
        named = any(dot and fnmatchcase(name, database) for database, dot, _ in parts)
        return self.has_database(name) and (not parts or named)

    def has_table(self, database: str, name: str) -> bool:
        """Whether a table is asked for, as far as its name tells."""
        asked = not self.tables or self._asked.fit(database, name)
        return asked and self.has_database(database) and not self._excludes(database, name)

    def asks_for(self, database: str, name: str) -> bool:
        """Whether a pattern of tables fits, or there is none."""
        return not self.tables or self._asked.fit(database, name)

    def _excludes(self, database: str, name: str) -> bool:
        return self._left_out.fit(database, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Patterns:
    """Patterns of tables: thousands of plain names cost no more than one."""

    plain: frozenset[str]
    wild: tuple[str, ...]

    def fit(self, database: str, name: str) -> bool:
        full = f"{database}.{name}"
        plain = name in self.plain or full in self.plain
        return plain or any(_fits(pattern, database, name) for pattern in self.wild)


def _sort(patterns: Sequence[str]) -> _Patterns:
    wild = tuple(pattern for pattern in patterns if _WILD.search(pattern))
    return _Patterns(plain=frozenset(patterns).difference(wild), wild=wild)


def databases(table_filter: TableFilter, existing: Iterable[str]) -> tuple[str, ...]:
    """The databases that were asked for, never the server's own.

    Raises SourceRefusedError where there is none of a pattern.
    """
    own = [name for name in existing if name not in SYSTEM_DATABASES]
    _require(
        "databases",
        table_filter.databases,
        lambda pattern: any(fnmatchcase(n, pattern) for n in own),
    )
    return tuple(name for name in own if table_filter.has_database(name))


def tables(
    table_filter: TableFilter,
    chosen: Sequence[str],
    every: Iterable[BackupTable],
    existing: Sequence[str] = (),
) -> tuple[tuple[BackupTable, ...], tuple[Note, ...]]:
    """Return the tables of the chosen databases that were asked for, and notes.

    A view's own table comes with its view. `existing` are all databases, those left out as a whole
    among them. Raises SourceRefusedError where there is none of a pattern.
    """
    within = frozenset(chosen)
    found = [item for item in every if item.table.database in within and item.is_saved]
    _require("tables", table_filter.tables, _fitting(found))
    chosen_tables = [item for item in found if table_filter.asks_for(*item.table.key)]
    fits_any = _fitting(chosen_tables)
    unused = tuple(
        pattern
        for pattern in table_filter.excluded
        if not fits_any(pattern) and not any(_fits(pattern, name, _ANY) for name in existing)
    )
    notes = (
        Note(
            code=NoteCode.NOTHING_MATCHED,
            text="these tables were to be left out, but there are none",
            objects=unused,
        ),
    )
    kept = tuple(item for item in chosen_tables if table_filter.has_table(*item.table.key))
    return kept, notes if unused else ()


def read_partitions(variable: str, text: str) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """Read the partitions to dump of some tables: `db.table: 202401, '202402'; db.other: all`.

    Partitions go by their ids, as system.parts has them in `partition_id`: letters, digits and
    dashes, the same on every server, where values would be expressions of each table's own key.
    Tables are named without patterns, as what is not named is dumped whole; a name that holds other
    than plain letters stands in backticks. Raises ConfigurationError.
    """
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    place = 0
    while text[place:].strip():
        match = _PARTITIONS.match(text, place)
        if match is None:
            raise ConfigurationError(
                f"{variable} holds {text[place:].strip()!r}: it must be `database.table: id, id`, "
                "apart by semicolons, with ids as in system.parts.partition_id"
            )
        place = match.end()
        table = (_plain(match[1]), _plain(match[2]))
        if table in found:
            raise ConfigurationError(f"{variable} names the table {'.'.join(table)} twice")
        ids = (name.strip().strip("'") for name in match[3].split(","))
        found[table] = tuple(dict.fromkeys(ids))
    return found


def check_partitions(
    partitions: Mapping[tuple[str, str], Sequence[str]], chosen: Iterable[BackupTable]
) -> None:
    """Raise SourceRefusedError where a table is not dumped, or has no partitions."""
    parted = {
        item.table.key
        for item in chosen
        if item.kind is TableTreatment.DATA and item.table.engine.endswith("MergeTree")
    }
    missing = [f"{database}.{table}" for database, table in partitions.keys() - parted]
    if missing:
        raise SourceRefusedError(
            "partitions are asked for of tables that are not in this dump, or are not of the "
            f"MergeTree family: {abbreviate(sorted(missing))}"
        )


def _require(what: str, patterns: Sequence[str], exists: Callable[[str], bool]) -> None:
    missing = [pattern for pattern in patterns if not exists(pattern)]
    if missing:
        raise SourceRefusedError(
            f"the server has not these {what} that were asked for, or this account may not see "
            f"them: {abbreviate(missing)}"
        )


def _fitting(items: Iterable[BackupTable]) -> Callable[[str], bool]:
    """Whether a pattern fits any of these tables."""
    keys = [item.table.key for item in items]
    names = {text for database, name in keys for text in (name, f"{database}.{name}")}

    def fits(pattern: str) -> bool:
        if not _WILD.search(pattern):
            return pattern in names
        return any(_fits(pattern, *key) for key in keys)

    return fits


def _fits(pattern: str, database: str, name: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(f"{database}.{name}", pattern)


def _plain(name: str) -> str:
    return next(tokens(name)).value if name.startswith("`") else name
