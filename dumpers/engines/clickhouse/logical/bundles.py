"""Small tables of a shard together in tar archives, as an object for each would take its time."""

import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dumpers.contract.key_names import segment
from dumpers.engines.clickhouse.logical.identity import identity
from dumpers.engines.clickhouse.logical.plan import TableRead
from dumpers.engines.clickhouse.logical.table_read import (
    ENDING,
    Reading,
    estimate,
    location_metadata,
)
from dumpers.runtime.errors import KsnapshotError, SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import IterReader, Reader

# In bytes before compression. A table is held in memory while it is packed, as a header has its
# size; the limit is for one that grew since it was looked at.
_SMALL, _FEW_ROWS, _LIMIT = 1 << 20, 10_000, 32 << 20
_PACK_SIZE, _PACK_TABLES = 64 << 20, 500
# So few are better found under their own names.
_FEW = 20


def pack(
    items: Sequence[TableRead],
) -> tuple[tuple[TableRead, ...], tuple[tuple[TableRead, ...], ...]]:
    """Split tables into those stored as objects of their own, and bundles of small ones.

    The tables of a bundle belong to the same shard, or the same replica of it.
    """
    by_place: dict[tuple[str, bool], list[TableRead]] = {}
    for item in items:
        if _is_small(item):
            by_place.setdefault(_place(item), []).append(item)
    small = {place: held for place, held in by_place.items() if len(held) > _FEW}
    alone = tuple(item for item in items if not (_is_small(item) and _place(item) in small))
    return alone, tuple(tuple(part) for held in small.values() for part in _cut(held))


def entry(database: str, table: str) -> str:
    """The name of a table's entry in its bundle."""
    return f"{segment(database)}/{segment(table)}{ENDING}"


class BundleStream:
    """The stream of some small tables of one shard or replica, as one tar archive.

    `name` is the cluster's; `number` counts the bundles of the same shard or replica from 1.
    """

    ending = ".tar"

    def __init__(self, name: str, number: int, readings: Sequence[Reading]) -> None:
        self.name = name
        self._number = number
        self._readings = readings
        self._failed: Reading | None = None

    @property
    def part(self) -> tuple[str, ...]:
        """Shard or replica, and the bundle's number."""
        return (self._readings[0].item.label, f"small-{self._number}")

    @property
    def estimate(self) -> int:
        """Bytes of all tables before compression."""
        return sum(estimate(reading.item) for reading in self._readings)

    @property
    def concurrency_group(self) -> str:
        """The shard."""
        return f"s{self._readings[0].item.shard}"

    def identity(self) -> str:
        """Return a digest of the tables as they are read."""
        return identity([reading.item for reading in self._readings])

    @contextmanager
    def open(self, interrupt: Interrupt) -> Iterator[Reader]:
        """Read the archive from its start."""
        yield IterReader(self._blocks(interrupt))

    def can_retry(self, error: KsnapshotError) -> bool:
        """Move on to the next copy of the table that failed; False if there is none."""
        failed, self._failed = self._failed, None
        return failed is not None and failed.can_retry(error)

    def metadata(self) -> Mapping[str, Any]:
        """Return where the rows belong, and the tables, each with the name of its entry."""
        tables = []
        for reading in self._readings:
            self._failed = reading
            table = reading.manifest_metadata()
            tables.append({**table, "entry": entry(table["database"], table["table"])})
        self._failed = None
        return {**location_metadata(self._readings[0].item), "tables": tables}

    def _blocks(self, interrupt: Interrupt) -> Iterator[bytes]:
        for reading in self._readings:
            blocks = _whole(reading, interrupt)
            table = reading.item.backup_table.table
            header = tarfile.TarInfo(entry(*table.key))
            header.size = sum(map(len, blocks))
            yield header.tobuf(tarfile.PAX_FORMAT)
            yield from blocks
            yield bytes(-header.size % tarfile.BLOCKSIZE)
        yield bytes(2 * tarfile.BLOCKSIZE)


def _whole(reading: Reading, interrupt: Interrupt) -> list[bytes]:
    """All blocks of a table, from the next copy if the first fails."""
    while True:
        try:
            return _read(reading, interrupt)
        except SourceFailedError as error:
            if not reading.can_retry(error):
                raise


def _read(reading: Reading, interrupt: Interrupt) -> list[bytes]:
    blocks, size = list[bytes](), 0
    with reading.open(interrupt) as source:
        while block := source.read():
            blocks.append(block)
            size += len(block)
            if size > _LIMIT:
                raise SourceFailedError(
                    f"it was small and has grown beyond {_LIMIT >> 20} MiB since it was looked at: "
                    "the next run stores it for itself"
                )
    return blocks


def _place(item: TableRead) -> tuple[str, bool]:
    """Where a table's rows belong; a restore skips redundant ones by their whole object."""
    return item.label, item.redundant


def _is_small(item: TableRead) -> bool:
    store = item.backup_table.store
    if store.total_bytes is None or store.total_rows is None:
        return False
    # Few bytes of parts may be many rows of defaults.
    return store.total_bytes <= _SMALL and store.total_rows <= _FEW_ROWS


def _cut(items: Sequence[TableRead]) -> Iterator[list[TableRead]]:
    part, size = list[TableRead](), 0
    for item in items:
        if part and (size + estimate(item) > _PACK_SIZE or len(part) == _PACK_TABLES):
            yield part
            part, size = [], 0
        part.append(item)
        size += estimate(item)
    yield part
