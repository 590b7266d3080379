"""Readers that pack by Zstandard, or unpack, what they read from another.

The library is that of Python itself since 3.14, and its backport before. It is imported where it is
used only: few backups need it, and the user's command may be without.
"""

from typing import Any

from dumpers.runtime.errors import BackupDamagedError
from dumpers.streams.filters import PackingReader
from dumpers.streams.reader import BufferedReader, Reader

# The library's default. Measured on rows of text beside isal's level 2: objects smaller by a sixth,
# for twice the CPU; levels above take two to four times that again for a few percent.
_LEVEL = 3
# The largest window that RFC 8878 asks every reader to have: 8 MiB. What is written has a quarter
# of it.
_MAX_WINDOW_LOG = 23
MAX_WINDOW_MIB = 1 << _MAX_WINDOW_LOG >> 20
# What is unpacked at a time.
_UNPACKED_BYTES = 1 << 18


def load_zstd() -> Any:
    """The library; ImportError where there is none."""
    try:
        from compression import zstd  # noqa: PLC0415  see above
    except ImportError:
        from backports import zstd  # noqa: PLC0415
    return zstd


class ZstdReader(PackingReader):
    """The source's bytes as one frame of Zstandard, with a checksum of its contents.

    Plain `zstd -d` unpacks it.
    """

    def __init__(self, source: Reader) -> None:
        library = load_zstd()
        name = library.CompressionParameter
        options = {name.compression_level: _LEVEL, name.checksum_flag: 1}
        super().__init__(source, library.ZstdCompressor(options=options))


class UnzstdReader(BufferedReader):
    """The bytes of one frame of Zstandard, which has to be all of the source.

    The end is told only where the frame ended, its checksum fits if it has one, as all of ours
    have, and nothing follows it;
    BackupDamagedError otherwise, also where unpacking would take more memory than 8 MiB. The
    source's errors pass through.
    """

    def __init__(self, source: Reader) -> None:
        super().__init__()
        library = load_zstd()
        self._source = source
        self._zstd_error = library.ZstdError
        self._decompressor = library.ZstdDecompressor(
            options={library.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG}
        )

    def next_block(self) -> bytes:
        """Return the next bytes, at most 256 KiB whatever the source holds."""
        while not self._decompressor.eof:
            packed = self._source.read() if self._decompressor.needs_input else b""
            if not packed and self._decompressor.needs_input:
                raise BackupDamagedError(
                    "the compressed bytes end too early: their checksum is missing"
                )
            try:
                block: bytes = self._decompressor.decompress(packed, _UNPACKED_BYTES)
            except self._zstd_error as error:
                raise BackupDamagedError(f"the compressed bytes are damaged: {error}") from error
            if block:
                return block
        if self._decompressor.unused_data or self._source.read(1):
            raise BackupDamagedError("something follows the end of the compressed bytes")
        return b""
