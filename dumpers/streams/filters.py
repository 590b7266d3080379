"""Readers that count, or pack by gzip or unpack, what they read from another."""

from typing import Any, Self

from dumpers.runtime.errors import BackupDamagedError
from dumpers.streams.digest import BackgroundSha256
from dumpers.streams.reader import BLOCK_BYTES, BufferedReader, Reader

# isal's default level: zlib -6's ratio on dumps at more than ten times its speed.
_GZIP_LEVEL = 2
_GZIP_CONTAINER = 31
# What is unpacked at a time.
_UNPACKED_BYTES = 1 << 18


def _load_zlib() -> Any:
    """The fast one where it is installed: the user's command needs nothing but Python to unpack."""
    try:
        from isal import isal_zlib  # noqa: PLC0415  see above
    except ImportError:
        import zlib  # noqa: PLC0415

        return zlib
    return isal_zlib


_ZLIB = _load_zlib()


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


class PackingReader:
    """The source's bytes as a compressor of the common interface makes them: compress, flush."""

    def __init__(self, source: Reader, compressor: Any) -> None:
        self._source = source
        self._compressor = compressor
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


class GzipReader(PackingReader):
    """The source's bytes as one gzip member.

    Without a name or time in its header, so that equal input gives equal output.
    """

    def __init__(self, source: Reader) -> None:
        super().__init__(source, _ZLIB.compressobj(_GZIP_LEVEL, wbits=_GZIP_CONTAINER))


class GunzipReader(BufferedReader):
    """The bytes of one gzip member, which has to be all of the source.

    The end is told only where the trailer was read and fits, and nothing follows it;
    BackupDamagedError otherwise. The source's errors pass through.
    """

    def __init__(self, source: Reader) -> None:
        super().__init__()
        self._source = source
        self._decompressor = _ZLIB.decompressobj(wbits=_GZIP_CONTAINER)

    def next_block(self) -> bytes:
        """Return the next bytes, at most 256 KiB whatever the source holds."""
        packed = self._decompressor.unconsumed_tail
        while not self._decompressor.eof:
            packed = packed or self._source.read()
            if not packed:
                raise BackupDamagedError(
                    "the compressed bytes end too early: their trailer is missing"
                )
            try:
                block: bytes = self._decompressor.decompress(packed, _UNPACKED_BYTES)
            except _ZLIB.error as error:
                raise BackupDamagedError(f"the compressed bytes are damaged: {error}") from error
            if block:
                return block
            packed = self._decompressor.unconsumed_tail
        if self._decompressor.unused_data or self._source.read(1):
            raise BackupDamagedError("something follows the end of the compressed bytes")
        return b""
