"""Comparing the fingerprints of two dumps of one database."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dumpers.contract.fingerprint import Fingerprint, TableDigest
from dumpers.engines.drilling.protocol import DrilledObject, TableVerdict
from dumpers.engines.protocol import SourceInfo
from dumpers.streams.fingerprint import Scanner
from dumpers.streams.reader import Reader

_BLOCK_BYTES = 1 << 18
# Not the numbers of a distribution, which stand in brackets or within words.
_IN_BRACKETS = re.compile(r"\([^)]*\)")
_NUMBER = re.compile(r"(?<![\w.-])\d+(?:\.\d+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What two dumps differ in besides the rows of tables, in sentences."""

    faults: tuple[str, ...]
    unproved: tuple[str, ...] = ()


def scan(reader: Reader, scanner: Scanner) -> Fingerprint:
    """The fingerprint of what a reader gives, to its proven end."""
    while block := reader.read(_BLOCK_BYTES):
        scanner.update(block)
    return scanner.end()


def compare_tables(
    dumped: Fingerprint,
    restored: Fingerprint,
    database: str,
    *,
    shown: Callable[[str], str] = str,
) -> tuple[TableVerdict, ...]:
    """A verdict on each table with rows, of either dump, by `database.table`.

    `shown` is a table's name as people write it.
    """
    names = dict.fromkeys((*dumped.tables, *restored.tables))
    return tuple(
        _verdict(f"{database}.{shown(name)}", dumped.tables.get(name), restored.tables.get(name))
        for name in names
    )


def describe_rest(what: str) -> str:
    """The sentence on a part of a backup where something else than the rows of tables differs."""
    return (
        f"{what!r} differs in more than the rows of its tables: in structure, sequences, "
        "functions, triggers, comments or rights; to see where, restore the backup beside, and "
        "compare what a dump of that says of them with the backup itself"
    )


def weigh(
    rest: Sequence[str],
    *,
    others: Sequence[str],
    tables: Sequence[TableVerdict],
    dumped: DrilledObject,
    restored: SourceInfo,
) -> Differences:
    """What the sentences `rest` of describe_rest, and those on what else differs, weigh.

    Another release of server or tool may write the same structure in other words: where nothing
    but that differs, it is not proved, and no fault.
    """
    was = [dumped.server_version, dumped.tool_version]
    found = [restored.server_version, restored.tool_version]
    pairs = [
        f"{first} and {second}"
        for first, second in zip(was, found, strict=True)
        if first and _numbers(first) != _numbers(second)
    ]
    if not rest or not pairs or others or not all(table.good for table in tables):
        return Differences(faults=(*rest, *others))
    why = f"which may be as the releases differ: {'; '.join(pairs)}"
    return Differences(faults=(), unproved=tuple(f"{sentence}, {why}" for sentence in rest))


def _numbers(version: str) -> list[str]:
    return _NUMBER.findall(_IN_BRACKETS.sub("", version))


def _verdict(name: str, was: TableDigest | None, found: TableDigest | None) -> TableVerdict:
    rows = found.rows if found else None
    if was is None:
        return TableVerdict(
            name=name, rows=rows, good=False, why="its rows were not dumped, and are there"
        )
    if found is None:
        return TableVerdict(
            name=name, rows=None, good=False, why="it is not there, or has no rows any more"
        )
    if found.digest == was.digest:
        return TableVerdict(name=name, rows=rows, good=True)
    counted = was.rows is not None and found.rows is not None and was.rows != found.rows
    why = f"it has {found.rows} rows instead of {was.rows}" if counted else "its rows differ"
    return TableVerdict(name=name, rows=rows, good=False, why=why)
