"""How far the reading of a backup is, and what it waits for."""

from collections.abc import Iterator
from contextlib import contextmanager

from dumpers.storage.download import Download
from dumpers.streams.filters import CountingReader


class Meter:
    """Counts the stored bytes of objects that are read one after the other."""

    def __init__(self) -> None:
        self._before = 0
        self._stored: CountingReader | None = None
        self._download: Download | None = None

    @contextmanager
    def of(self, download: Download, stored: CountingReader) -> Iterator[None]:
        """Count an object while it is read."""
        self._stored, self._download = stored, download
        try:
            yield
        finally:
            self._before += stored.count
            self._stored = self._download = None

    def done(self) -> int:
        """The bytes that were read so far."""
        stored = self._stored
        return self._before + (stored.count if stored else 0)

    def where(self) -> str:
        """What a reading without progress waits for."""
        download = self._download
        return "the store" if download is None or download.is_waiting else "decryption"
