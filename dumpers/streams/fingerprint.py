"""Fingerprints: what a dump holds, table by table, as digests taken while its bytes pass."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import xxhash

from dumpers.streams.reader import Reader

ALGORITHM = "xxh3-128"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDigest:
    """The rows of one table as the dump tool wrote them; `rows` is None where none were counted."""

    digest: str
    rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Digests, as hex, that the dump of an equal database has as well.

    `tables` holds the rows of each table by the name that the dump gives it, `rest` is the digest
    of all other bytes but those that differ from dump to dump. So every byte that matters is in
    one of them.
    """

    tables: Mapping[str, TableDigest]
    rest: str
    algorithm: str = ALGORITHM


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
    """The digests of one dump under way: of the rest, and of each table."""

    def __init__(self) -> None:
        self._rest = xxhash.xxh3_128()
        self._tables: dict[str, xxhash.xxh3_128] = {}
        self._rows: dict[str, int] = {}

    def add(self, data: bytes | memoryview) -> None:
        """Add bytes that are no rows."""
        self._rest.update(data)

    def add_rows(self, table: str, data: bytes | memoryview, *, rows: int | None = None) -> None:
        """Add bytes of a table's rows, and how many rows begin in them where that is known."""
        found = self._tables.get(table)
        if found is None:
            found = self._tables[table] = xxhash.xxh3_128()
        found.update(data)
        if rows is not None:
            self._rows[table] = self._rows.get(table, 0) + rows

    def fingerprint(self) -> Fingerprint:
        """Return all digests."""
        return Fingerprint(
            tables={
                name: TableDigest(digest=found.hexdigest(), rows=self._rows.get(name))
                for name, found in self._tables.items()
            },
            rest=self._rest.hexdigest(),
        )
