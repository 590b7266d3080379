"""The tables of a stored object with their rows, as a restore reads them."""

import tarfile
from collections.abc import Iterator, Mapping
from typing import IO, Any, cast

from dumpers.engines.protocol import StoredDump
from dumpers.streams.reader import Reader

_BLOCK = 1 << 18


def has_rows(table: Mapping[str, Any]) -> bool:
    """Whether a table of the manifest may have rows.

    Where rows were counted, there may have been none before the read and some after it.
    """
    return bool(table.get("rows_at_most", table["rows"]))


def read_blocks(reader: Reader) -> Iterator[bytes]:
    """All of a reader, block by block."""
    while block := reader.read(_BLOCK):
        yield block


def read_tables(
    piece: StoredDump, reader: Reader
) -> Iterator[tuple[Mapping[str, Any], Iterator[bytes]]]:
    """The tables of an object with their rows, one after the other."""
    tables = piece.metadata["tables"]
    if piece.ending != ".tar":
        yield tables[0], read_blocks(reader)
        return
    by_entry = {table["entry"]: table for table in tables}
    with tarfile.open(fileobj=cast("IO[bytes]", reader), mode="r|") as archive:
        for entry in archive:
            data = archive.extractfile(entry)
            assert data is not None
            yield by_entry[entry.name], read_blocks(data)
