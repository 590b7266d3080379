"""A plain dump as one transaction, which only the proven end of the dump commits; pure."""

from collections.abc import Callable, Container, Iterator
from dataclasses import replace

from dumpers.engines.postgresql.restore.script.toc import LARGE_OBJECTS, STORED, Entry, Toc
from dumpers.streams.reader import BLOCK_BYTES, IterReader, Reader

_BEGIN, _COMMIT = b"BEGIN;\n", b"COMMIT;\n"


def in_one_transaction(source: Reader) -> Reader:
    """A reader of the dump between BEGIN and COMMIT.

    psql's own `--single-transaction` commits at the end of its input, and takes the death of who
    writes it for that end. pg_dump puts the contents of large objects into transactions of their
    own, whose COMMIT would be the end of this one: they are left out.
    """
    return begun_in_one_transaction(Toc(source))


def begun_in_one_transaction(
    toc: Toc, *, before: Container[str] = (), seen: Callable[[Entry], None] | None = None
) -> Reader:
    """The same of a dump's entries up to the first of a kind in `before`, which `toc` has next.

    `seen` is given each entry, of what stores something the header only.
    """
    return IterReader(_gather(_parts(toc, before, seen)))


def together(parts: Iterator[bytes]) -> Reader:
    """A reader of definitions between BEGIN and COMMIT."""
    return IterReader(_gather(iter((_BEGIN, *parts, _COMMIT))))


def _parts(
    toc: Toc, before: Container[str], seen: Callable[[Entry], None] | None
) -> Iterator[bytes]:
    yield _BEGIN
    while (entry := toc.head()) and entry.kind not in before:
        yield entry.text
        # Numbers and hexadecimal digits are all that these hold besides.
        left_out = {_BEGIN, _COMMIT} if entry.kind == LARGE_OBJECTS else ()
        is_definition = seen is not None and entry.kind not in STORED
        text = [entry.text]
        for part in toc.rest():
            if part not in left_out:
                yield part
            if is_definition:
                text.append(part)
        if seen is not None:
            seen(replace(entry, text=b"".join(text)))
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
