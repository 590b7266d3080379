"""A plain dump as one transaction, which only the proven end of the dump commits; pure."""

from collections.abc import Iterator

from dumpers.engines.postgresql.restore.script.toc import LARGE_OBJECTS, Toc
from dumpers.streams.reader import BLOCK_BYTES, IterReader, Reader

_BEGIN, _COMMIT = b"BEGIN;\n", b"COMMIT;\n"


def in_one_transaction(source: Reader) -> Reader:
    """A reader of the dump between BEGIN and COMMIT.

    psql's own `--single-transaction` commits at the end of its input, and takes the death of who
    writes it for that end. pg_dump puts the contents of large objects into transactions of their
    own, whose COMMIT would be the end of this one: they are left out.
    """
    return IterReader(_gather(_parts(Toc(source))))


def _parts(toc: Toc) -> Iterator[bytes]:
    yield _BEGIN
    while entry := toc.head():
        yield entry.text
        # Numbers and hexadecimal digits are all that these hold besides.
        left_out = {_BEGIN, _COMMIT} if entry.kind == LARGE_OBJECTS else ()
        for part in toc.rest():
            if part not in left_out:
                yield part
    yield _COMMIT


def _gather(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of some size: a definition has many short lines."""
    held: list[bytes] = []
    size = 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= BLOCK_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)
