"""A plain dump as the entries that pg_dump's comments part it into, read line by line.

A header is one only outside of quotes and of COPY's rows, as functions and rows may hold any line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dumpers.engines.postgresql.restore.script.statements import Quotes
from dumpers.runtime.errors import TargetRefusedError
from dumpers.streams.reader import BLOCK_BYTES, Reader

_RULE = b"--\n"
_HEADER = re.compile(
    rb"-- (?:Data for |Statistics for )?Name: (?P<name>.*); Type: (?P<kind>[A-Z ]+); "
    rb"Schema: (?P<schema>.*?); Owner: .*\n"
)
_END = b"-- PostgreSQL database dump complete\n"
_COPY = re.compile(rb"COPY .* FROM stdin;\n")
_ROWS_END = b"\\.\n"
ROWS = "TABLE DATA"
# The parts of a dump before its first and after its last entry.
BEGINNING, END = "BEGINNING", "END"
# A definition is small; of rows one line is held.
_MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry's kind and name, as its header has them, and its text.

    Of rows the text is the header only: `Toc.rows` has the rest.
    """

    kind: str
    schema: str = ""
    name: str = ""
    text: bytes


class Toc:
    """Reads the entries of a dump, in their order."""

    def __init__(self, source: Reader) -> None:
        self._source = source
        self._buffer = b""
        self._ended = False
        self._header: tuple[str, str, str] | None = (BEGINNING, "", "")
        self._begun = b""

    def next(self) -> Entry | None:
        """The next entry; None at the proven end. The rows of the one before must be read."""
        if self._header is None:
            return None
        kind, schema, name = self._header
        if kind == ROWS:
            return Entry(kind=kind, schema=schema, name=name, text=self._begun)
        parts = [self._begun, *self._lines()]
        return Entry(kind=kind, schema=schema, name=name, text=b"".join(parts))

    def rows(self) -> Iterator[bytes]:
        """The rest of an entry of rows, in pieces."""
        return self._lines(is_rows=True)

    def _lines(self, *, is_rows: bool = False) -> Iterator[bytes]:
        """The lines up to the next header, which is kept for `next`."""
        quotes, size = Quotes(), 0
        self._header = None
        while line := self._line():
            if line == _RULE and not quotes.open and self._take_header():
                return
            size += len(line)
            if size > _MOST_BYTES and not is_rows:
                raise TargetRefusedError(
                    "one definition of the dump is larger than can be: it cannot be taken apart"
                )
            yield line
            if is_rows and not quotes.open and _COPY.fullmatch(line):
                yield from self._copied()
            else:
                quotes.follow(line)

    def _take_header(self) -> bool:
        line = self._line()
        found = _HEADER.fullmatch(line)
        if found:
            texts = (found[part].decode("utf-8", "replace") for part in ("kind", "schema", "name"))
            kind, schema, name = texts
            self._header = (kind, schema, name)
        elif line == _END:
            self._header = (END, "", "")
        else:
            self._buffer = line + self._buffer
            return False
        self._begun = _RULE + line
        return True

    def _copied(self) -> Iterator[bytes]:
        """The rows of COPY, with the line that ends them."""
        at_start = True
        while True:
            if at_start and self._buffer.startswith(_ROWS_END):
                place = 0
            else:
                place = self._buffer.find(b"\n" + _ROWS_END)
                place += place >= 0
            if place >= 0:
                end = place + len(_ROWS_END)
                yield self._buffer[:end]
                self._buffer = self._buffer[end:]
                return
            # The last bytes may be the beginning of the end.
            sure = 0 if at_start and len(self._buffer) < len(_ROWS_END) else len(self._buffer) - 3
            if sure > 0:
                yield self._buffer[:sure]
                self._buffer = self._buffer[sure:]
                at_start = False
            if not self._fill():
                yield self._buffer
                self._buffer = b""
                return

    def _line(self) -> bytes:
        at = 0
        while (place := self._buffer.find(b"\n", at)) < 0:
            at = len(self._buffer)
            if not self._fill():
                line, self._buffer = self._buffer, b""
                return line
        line, self._buffer = self._buffer[: place + 1], self._buffer[place + 1 :]
        return line

    def _fill(self) -> bool:
        data = b"" if self._ended else self._source.read(BLOCK_BYTES)
        self._ended = not data
        self._buffer += data
        return bool(data)
