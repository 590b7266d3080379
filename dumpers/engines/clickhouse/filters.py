"""Which databases, tables and partitions are dumped, as the annotations ask."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from dumpers.engines.clickhouse.schema.lexer import tokens
from dumpers.engines.clickhouse.schema.table_engines import TableTreatment
from dumpers.engines.clickhouse.schema.tables import SYSTEM_DATABASES, BackupTable
from dumpers.engines.names import abbreviate
from dumpers.runtime.errors import ConfigurationError, SourceRefusedError

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
    if not table_filter.databases:
        return tuple(own)
    return tuple(
        name
        for name in own
        if any(fnmatchcase(name, pattern) for pattern in table_filter.databases)
    )


def tables(
    table_filter: TableFilter, chosen: Sequence[str], every: Iterable[BackupTable]
) -> tuple[tuple[BackupTable, ...], tuple[str, ...]]:
    """Return the tables of the chosen databases that were asked for, and notes.

    A view's own table comes with its view. Raises SourceRefusedError where there is none of a
    pattern.
    """
    found = [
        item
        for item in every
        if item.table.database in chosen
        and item.kind not in {TableTreatment.INNER, TableTreatment.SKIPPED}
    ]
    _require(
        "tables",
        table_filter.tables,
        lambda pattern: any(_matches(item, pattern) for item in found),
    )
    if table_filter.tables:
        found = [
            item
            for item in found
            if any(_matches(item, pattern) for pattern in table_filter.tables)
        ]
    notes = tuple(
        f"the table {pattern!r} was to be left out, but there is none"
        for pattern in table_filter.excluded
        if not any(_matches(item, pattern) for item in found)
    )
    kept = tuple(
        item
        for item in found
        if not any(_matches(item, pattern) for pattern in table_filter.excluded)
    )
    return kept, notes


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


def _matches(item: BackupTable, pattern: str) -> bool:
    return fnmatchcase(item.table.name, pattern) or fnmatchcase(item.table.full_name, pattern)


def _plain(name: str) -> str:
    return next(tokens(name)).value if name.startswith("`") else name
