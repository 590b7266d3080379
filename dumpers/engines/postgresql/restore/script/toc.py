"""A plain dump as the entries that pg_dump's comments part it into, read line by line.

A header is one only outside of quotes and of COPY's rows, as functions and rows may hold any line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dumpers.engines.postgresql.restore.script.statements import Quotes
from dumpers.runtime.errors import TargetRefusedError
from dumpers.streams.reader import BLOCK_BYTES, Reader

_RULE = b"--\n"
_HEADER = re.compile(
    rb"-- (?:Data for |Statistics for )?Name: (?P<name>.*); Type: (?P<kind>[A-Z ]+); "
    rb"Schema: (?P<schema>.*?); Owner: .*\n"
)
_END = b"-- PostgreSQL database dump complete\n"
_COPY, _FROM_STDIN = b"COPY ", b" FROM stdin;\n"
_ROWS_END = b"\\.\n"
# Of the session, and for the entries behind it: pg_dump writes them before the next one's header.
_SETTINGS = (b"SET default_", b"SET SESSION AUTHORIZATION ")
ROWS = "TABLE DATA"
LARGE_OBJECTS = "BLOBS"
# Of these the size has no bounds.
STORED = frozenset((ROWS, LARGE_OBJECTS))
# The parts of a dump before its first and after its last entry.
BEGINNING, END = "BEGINNING", "END"
# A definition is small. Of INSERT a row is one line, which may be as long as the row.
_MOST_BYTES = 256 << 20
_LONG_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry's kind and name, as its header has them, and its text.

    Where `Toc.rest` was not read, the text is the header only.
    """

    kind: str
    schema: str = ""
    name: str = ""
    text: bytes


class Toc:
    """Reads the entries of a dump, in their order.

    `settings` are those of the session that stand in the rest that was read last.
    """

    def __init__(self, source: Reader) -> None:
        self._source = source
        self._block = b""
        self._at = 0
        self._ended = False
        self._header: tuple[str, str, str] | None = (BEGINNING, "", "")
        self._begun = b""
        self.settings = b""

    def next(self) -> Entry | None:
        """The next entry, of which only what it stores is not read yet; None at the proven end.

        Raises TargetRefusedError where a definition is larger than one can be.
        """
        head = self.head()
        if head is None or head.kind in STORED:
            return head
        parts, size = [head.text], 0
        for part in self.rest():
            size += len(part)
            if size > _MOST_BYTES:
                raise TargetRefusedError(
                    "one definition of the dump is larger than can be: it cannot be taken apart"
                )
            parts.append(part)
        return replace(head, text=b"".join(parts))

    def head(self) -> Entry | None:
        """The next entry without the rest of its text; None at the proven end.

        The rest of the one before must have been read.
        """
        if self._header is None:
            return None
        kind, schema, name = self._header
        return Entry(kind=kind, schema=schema, name=name, text=self._begun)

    def rest(self) -> Iterator[bytes]:
        """The rest of the entry: lines, parts of very long ones, rows of COPY in blocks."""
        quotes, is_copy = Quotes(), False
        self._header, self.settings = None, b""
        while line := self._line(quotes):
            if not quotes.open:
                if line == _RULE and self._take_header():
                    return
                is_copy = line.startswith(_COPY)
                if line.startswith(_SETTINGS) and line.endswith(b";\n"):
                    self.settings += line
            quotes.follow(line)
            yield line
            # A name may hold line ends, so that the statement has several.
            if is_copy and not quotes.open and line.endswith(_FROM_STDIN):
                yield from self._copied()
                is_copy = False

    def _take_header(self) -> bool:
        line = self._line(Quotes())
        found = _HEADER.fullmatch(line)
        if found:
            texts = (found[part].decode("utf-8", "replace") for part in ("kind", "schema", "name"))
            kind, schema, name = texts
            self._header = (kind, schema, name)
        elif line == _END:
            self._header = (END, "", "")
        else:
            self._block, self._at = line + self._rest_of_block(), 0
            return False
        self._begun = _RULE + line
        return True

    def _copied(self) -> Iterator[bytes]:
        """The rows of COPY, with the line that ends them."""
        # As if after the end of a row, which the line before them is.
        held = b"\n"
        skipped = 1
        while data := self._rest_of_block() or self._read():
            held += data
            place = _find_end(held)
            if place >= 0:
                end = place + 1 + len(_ROWS_END)
                self._block, self._at = held[end:], 0
                yield held[skipped:end]
                return
            # The last bytes may be the beginning of the end.
            sure = len(held) - len(_ROWS_END)
            if sure > skipped:
                yield held[skipped:sure]
                held, skipped = held[sure:], 0
        yield held[skipped:]

    def _line(self, quotes: Quotes) -> bytes:
        """The next line, or a part of a very long one within quotes; nothing at the end."""
        parts: list[bytes] = []
        size, most = 0, _LONG_BYTES
        while True:
            end = self._block.find(b"\n", self._at) + 1
            if end:
                line, self._at = self._block[self._at : end], end
                return b"".join((*parts, line)) if parts else line
            parts.append(self._rest_of_block())
            size += len(parts[-1])
            if size >= most:
                parts = [b"".join(parts)]
                if quotes.may_part_behind(parts[0]):
                    return parts[0]
                most *= 2
            self._block, self._at = self._read(), 0
            if not self._block:
                return b"".join(parts)

    def _rest_of_block(self) -> bytes:
        rest, self._block, self._at = self._block[self._at :], b"", 0
        return rest

    def _read(self) -> bytes:
        data = b"" if self._ended else self._source.read(BLOCK_BYTES)
        self._ended = not data
        return data


def _find_end(rows: bytes) -> int:
    """Where the line end before the end of rows of COPY is; negative where that does not come.

    All rows pass here. Most blocks have no backslash, or no end: from behind, a block is searched
    in half the time.
    """
    end = b"\n" + _ROWS_END
    if b"\\" not in rows or rows.rfind(end) < 0:
        return -1
    return rows.find(end)
