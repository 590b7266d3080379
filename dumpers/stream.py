"""Readers and counters that the pipeline is made of; each holds a few blocks in memory."""

import hashlib
import queue
import threading
from collections.abc import Iterator
from typing import Protocol, Self

from isal import isal_zlib

from dumpers.streams.reader import Reader

# isal's default level: zlib -6's ratio on dumps at more than ten times its speed.
_GZIP_LEVEL = 2
_GZIP_CONTAINER = 31
_BLOCK = 1 << 17
# How far the digest may lag behind, in blocks: memory for it, and slack for the threads.
_BLOCKS_AHEAD = 16


class Writer(Protocol):
    """Where bytes go; takes all it is given or raises."""

    def write(self, data: bytes, /) -> int:
        """Take `data` and return its length."""
        ...

    def flush(self) -> None:
        """Do nothing that matters: the end is told by other means."""
        ...


class Digest:
    """sha256 of a stream, computed in a thread of its own: hashing costs as much as compressing.

    The blocks are handed over as they are, so they must not change; a few of them wait at most.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._blocks: queue.Queue[bytes | None] = queue.Queue(_BLOCKS_AHEAD)
        self._thread = threading.Thread(target=self._work, name="sha256", daemon=True)
        self._thread.start()

    def update(self, block: bytes) -> None:
        """Take the next block, as soon as there is room for it."""
        self._blocks.put(block)

    def end(self) -> str:
        """End the thread and return the digest of all blocks, as hex; harmless when repeated."""
        if self._thread.is_alive():
            self._blocks.put(None)
            self._thread.join()
        return self._digest.hexdigest()

    def _work(self) -> None:
        while (block := self._blocks.get()) is not None:
            self._digest.update(block)


class CountingReader:
    """Passes a reader's bytes on and keeps their number, and their sha256 as hex.

    A context manager: leaving it ends the thread that computes the digest.
    """

    def __init__(self, source: Reader) -> None:
        self._source = source
        self._digest = Digest()
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._digest.end()

    def read(self, size: int = -1, /) -> bytes:
        """Read from the source; its errors pass through."""
        data = self._source.read(size)
        self.count += len(data)
        self._digest.update(data)
        return data

    def sha256(self) -> str:
        """Digest of all that was read; nothing is read after it was asked for."""
        return self._digest.end()


class GzipReader:
    """The source's bytes as one gzip member, without name or time, so that equal is equal."""

    def __init__(self, source: Reader) -> None:
        self._source = source
        self._compressor = isal_zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_CONTAINER)
        self._ready = bytearray()
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` compressed bytes; the source's errors pass through."""
        wanted = size if size >= 0 else _BLOCK
        while not self._ended and len(self._ready) < wanted:
            data = self._source.read(_BLOCK)
            if data:
                self._ready += self._compressor.compress(data)
            else:
                self._ready += self._compressor.flush()
                self._ended = True
        block = bytes(self._ready[:wanted])
        del self._ready[:wanted]
        return block


class Prefixed:
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


class Joined:
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
    while data := source.read(_BLOCK):
        target.write(data)
