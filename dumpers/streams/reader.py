"""What everything reads from, and how readers are put together."""

from collections.abc import Iterator
from typing import Protocol

# What is read and written at a time.
BLOCK_BYTES = 1 << 17


class Reader(Protocol):
    """A source of bytes that raises unless its end is proven: b"" means whole."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes (any number if negative), b"" only at the proven end."""
        ...


class Writer(Protocol):
    """Where bytes go; takes all it is given or raises."""

    def write(self, data: bytes, /) -> int:
        """Take `data` and return its length."""
        ...

    def flush(self) -> None:
        """Do nothing that matters: the end is told by other means."""
        ...


class PrefixedReader:
    """A reader's bytes behind some others."""

    def __init__(self, first: bytes, rest: Reader) -> None:
        self._first = first
        self._rest = rest

    def read(self, size: int = -1, /) -> bytes:
        """Return the first bytes, then what the reader gives; its errors pass through."""
        if self._first:
            end = len(self._first) if size < 0 else size
            first, self._first = self._first[:end], self._first[end:]
            return first
        return self._rest.read(size)


class IterReader:
    """Blocks, as a reader; errors of what makes them pass through."""

    def __init__(self, blocks: Iterator[bytes | memoryview]) -> None:
        self._blocks = blocks
        self._block = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes, b"" once there is no further block."""
        while not self._block:
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._block = memoryview(block)
        end = len(self._block) if size < 0 else size
        given, self._block = bytes(self._block[:end]), self._block[end:]
        return given


def copy(source: Reader, target: Writer) -> None:
    """Write all of `source` to `target`; errors of either side pass through."""
    while data := source.read(BLOCK_BYTES):
        target.write(data)
