"""The readers and writers of a stream, and how readers are put together."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Protocol

# How many bytes are read and written at a time.
BLOCK_BYTES = 1 << 18


class Reader(Protocol):
    """A source of bytes that raises unless its end is proven: b"" means whole."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes (any number if negative), b"" only at the proven end."""
        ...


class Writer(Protocol):
    """A target for bytes, which takes all of them or raises."""

    def write(self, data: bytes, /) -> int:
        """Take `data` and return its length."""
        ...

    def flush(self) -> None:
        """Do nothing that matters: a target is completed by a call of its own."""
        ...


class BufferedReader(ABC):
    """Base of readers whose source comes in blocks: serves what is asked for and keeps the rest.

    A subclass says where the next block comes from; its errors pass through `read`. After an
    error every further `read` raises the same one: a source that has failed has no proven end.
    """

    def __init__(self) -> None:
        self._rest = memoryview(b"")
        self._ended = False
        self._error: BaseException | None = None

    @abstractmethod
    def next_block(self) -> bytes | memoryview:
        """Return the next block, of any size but empty only at the proven end.

        The block must not change afterwards. After the end this method is not called again.
        """

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes (a whole block if negative), b"" only at the proven end."""
        if self._error is not None:
            raise self._error
        if not self._rest and not self._ended:
            try:
                block = self.next_block()
            except BaseException as error:
                self._error = error
                raise
            self._ended = not block
            if isinstance(block, bytes) and (size < 0 or len(block) <= size):
                # As it is: a copy of every block would cost as much as a checksum of it.
                return block
            self._rest = memoryview(block)
        end = len(self._rest) if size < 0 else size
        block, self._rest = bytes(self._rest[:end]), self._rest[end:]
        return block


class PrefixedReader:
    """Reads some bytes first, then another reader."""

    def __init__(self, first: bytes, rest: Reader) -> None:
        self._first = first
        self._rest = rest

    def read(self, size: int = -1, /) -> bytes:
        """Return the first bytes, then those of the other reader; its errors pass through."""
        if self._first:
            end = len(self._first) if size < 0 else size
            first, self._first = self._first[:end], self._first[end:]
            return first
        return self._rest.read(size)


class IterReader(BufferedReader):
    """Adapts an iterator of byte blocks, empty ones among them, to a reader.

    The iterator's exceptions pass through.
    """

    def __init__(self, blocks: Iterator[bytes | memoryview]) -> None:
        super().__init__()
        self._blocks = blocks

    def next_block(self) -> bytes | memoryview:
        """Return the next block that is not empty; b"" once there is none."""
        return next((block for block in self._blocks if len(block)), b"")


def copy(source: Reader, target: Writer) -> None:
    """Write all of `source` to `target`; errors of either side pass through."""
    while data := source.read(BLOCK_BYTES):
        target.write(data)
