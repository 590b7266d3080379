"""Readers that count or compress what they read from another."""

from typing import Self

from isal import isal_zlib

from dumpers.streams.digest import BackgroundSha256
from dumpers.streams.reader import BLOCK_BYTES, Reader

# isal's default level: zlib -6's ratio on dumps at more than ten times its speed.
_GZIP_LEVEL = 2
_GZIP_CONTAINER = 31


class CountingReader:
    """Passes a reader's bytes on, and counts and hashes (sha256) them.

    A context manager: leaving it ends the thread that computes the digest.
    """

    def __init__(self, source: Reader) -> None:
        self._source = source
        self._digest = BackgroundSha256()
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
        """The digest of everything that was read, as hex; no more may be read afterwards."""
        return self._digest.end()


class GzipReader:
    """The source's bytes as one gzip member.

    Without a name or time in its header, so that equal input gives equal output.
    """

    def __init__(self, source: Reader) -> None:
        self._source = source
        self._compressor = isal_zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_CONTAINER)
        self._ready = bytearray()
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` compressed bytes; the source's errors pass through."""
        wanted = size if size >= 0 else BLOCK_BYTES
        while not self._ended and len(self._ready) < wanted:
            data = self._source.read(BLOCK_BYTES)
            if data:
                self._ready += self._compressor.compress(data)
            else:
                self._ready += self._compressor.flush()
                self._ended = True
        block = bytes(self._ready[:wanted])
        del self._ready[:wanted]
        return block
