"""Fingerprints: what a dump holds, table by table, as digests taken while its bytes pass."""

import re
from typing import Protocol

import xxhash

from dumpers.contract.fingerprint import Fingerprint, TableDigest
from dumpers.streams.reader import Reader

ALGORITHM = "xxh3-128"
# Before each place at which rows of a table stand: no dump holds it, as text has no such byte.
PLACE = b"\0"
_LONGEST_LAST_LINE = 512


class Scanner(Protocol):
    """Takes the blocks of one dump in their order, and has its fingerprint at their end."""

    def update(self, block: bytes) -> None:
        """Take the next block, of any size."""
        ...

    def end(self) -> Fingerprint:
        """Return the fingerprint of all blocks; called once, after the last."""
        ...


class ScannedReader:
    """Passes a reader's bytes on, and shows them to a scanner."""

    def __init__(self, source: Reader, scanner: Scanner) -> None:
        self._source = source
        self._scanner = scanner

    def read(self, size: int = -1, /) -> bytes:
        """Read from the source; its errors pass through."""
        data = self._source.read(size)
        self._scanner.update(data)
        return data


class Digests:
    """The digests of one dump under way: of the rest, and of each table.

    No two dumps that differ have the same ones: where the rows of a table begin, the rest has the
    head of the rows, and they have a mark. Of the rest, what `last_line` matches is left out.
    """

    def __init__(self, last_line: re.Pattern[bytes]) -> None:
        self._last_line = last_line
        self._rest = xxhash.xxh3_128()
        self._tail = b""
        self._tables: dict[str, xxhash.xxh3_128] = {}
        self._rows: dict[str, int] = {}
        self._table: str | None = None

    def add(self, data: bytes | memoryview) -> None:
        """Add bytes that are no rows."""
        if data:
            self._table = None
            tail = self._tail + data
            sure = max(len(tail) - _LONGEST_LAST_LINE, 0)
            self._rest.update(memoryview(tail)[:sure])
            self._tail = tail[sure:]

    def begin(self, table: str, head: bytes) -> None:
        """Begin rows of a table; several statements that follow each other are one place of it."""
        found = self._tables.get(table)
        if found is None:
            found = self._tables[table] = xxhash.xxh3_128()
        if table != self._table:
            self.add(head)
            found.update(PLACE)
            self._table = table
        found.update(head)

    def add_rows(self, table: str, data: memoryview, *, rows: int | None) -> None:
        """Add bytes of a table's rows with the mark behind them, and how many begin in them."""
        self._tables[table].update(data)
        if rows is not None:
            self._rows[table] = self._rows.get(table, 0) + rows

    def fingerprint(self) -> Fingerprint:
        """Return all digests."""
        self._rest.update(self._last_line.sub(b"", self._tail))
        return Fingerprint(
            algorithm=ALGORITHM,
            tables={
                name: TableDigest(digest=found.hexdigest(), rows=self._rows.get(name))
                for name, found in self._tables.items()
            },
            rest=self._rest.hexdigest(),
        )
