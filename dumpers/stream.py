"""Readers and counters that the pipeline is made of; each holds at most one block in memory."""

import hashlib
from typing import Protocol

from isal import isal_zlib

from dumpers.engines.base import Reader

# isal's default level: zlib -6's ratio on dumps at more than ten times its speed.
_GZIP_LEVEL = 2
_GZIP_CONTAINER = 31
_BLOCK = 1 << 17


class Writer(Protocol):
    """Where bytes go; takes all it is given or raises."""

    def write(self, data: bytes, /) -> int:
        """Take `data` and return its length."""
        ...

    def flush(self) -> None:
        """Do nothing that matters: the end is told by other means."""
        ...


class CountingReader:
    """Passes a reader's bytes on and keeps their number, and their sha256 as hex."""

    def __init__(self, source: Reader) -> None:
        self._source = source
        self._digest = hashlib.sha256()
        self.count = 0

    def read(self, size: int = -1, /) -> bytes:
        """Read from the source; its errors pass through."""
        data = self._source.read(size)
        self.count += len(data)
        self._digest.update(data)
        return data

    @property
    def sha256(self) -> str:
        """Digest of all that was read so far."""
        return self._digest.hexdigest()


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


def copy(source: Reader, target: Writer) -> None:
    """Write all of `source` to `target`; errors of either side pass through."""
    while data := source.read(_BLOCK):
        target.write(data)
