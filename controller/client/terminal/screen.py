"""Lines for a person who waits, above one status line that is written over and over."""

import os
import shutil
import sys
from typing import TextIO

_ERASE = "\r\x1b[K"


class Screen:
    """Writes to stderr by default; where that is no terminal, each new status is a line."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._shown = False
        self._last = ""

    @property
    def is_live(self) -> bool:
        """Whether a status is written over and over."""
        return self._live

    def line(self, text: str) -> None:
        """Write a line that stays."""
        self.clear()
        self._stream.write(f"{_clean(text)}\n")
        self._stream.flush()

    def status(self, text: str) -> None:
        """Put the status line; the same text twice is written once."""
        if text == self._last:
            return
        self._last = text
        if not self._live:
            self.line(text)
            return
        width = shutil.get_terminal_size().columns
        self._stream.write(f"{_ERASE}{_clean(text)[: width - 1]}")
        self._stream.flush()
        self._shown = True

    def clear(self) -> None:
        """Take the status line away."""
        if self._shown:
            self._stream.write(_ERASE)
            self._stream.flush()
            self._shown = False


def _clean(text: str) -> str:
    """Leave out what a terminal would obey."""
    return "".join(letter if letter.isprintable() or letter == "\t" else " " for letter in text)
