"""One dump of a database's tables, cut at their headers into streams that load one by one.

All streams come from one run of the dump tool, so they show one moment. The beginning of the dump,
which sets up the session, is repeated before each.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

from dumpers.engines.mysql.client import identifier
from dumpers.engines.mysql.survey.schema import Table
from dumpers.runtime.errors import SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import BufferedReader, PrefixedReader, Reader

# Where a table begins, and what stands around the bodies of triggers, in which any line may occur.
# Elsewhere none does: the tools write a line end in a value as \n.
_LANDMARK = re.compile(
    rb"\n(?:(?P<header>--\n-- (?:Table structure for table |Sequence structure for ))"
    rb"|DELIMITER (?P<delimiter>[^\n]+)\n)"
)
# No landmark is longer: a table's name has at most 64 characters.
_LONGEST = 1 << 10
_BLOCK = 1 << 17
_SHOWN = 100


class Sections:
    """The output of one dump tool, as a reader for each of these tables, in their order.

    The first reader starts the tool by `start`, and all wait through the interrupt given to the
    first; leaving `tools` ends the tool.
    """

    def __init__(
        self,
        start: Callable[[Interrupt], AbstractContextManager[Reader]],
        *,
        tables: Sequence[Table],
        tools: ExitStack,
    ) -> None:
        self._start = start
        self._tables = tables
        self._tools = tools
        self._cutter: Cutter | None = None
        self._preamble = b""

    @contextmanager
    def open(self, interrupt: Interrupt) -> Iterator[Reader]:
        """Read the next section; the one before must have been read to its end."""
        if self._cutter is None:
            reader = self._tools.enter_context(self._start(interrupt))
            self._cutter = Cutter(reader, tables=self._tables)
            self._preamble = b"".join(iter(self._cutter.read, b""))
        self._cutter.go_on()
        yield PrefixedReader(self._preamble, self._cutter)


class Cutter(BufferedReader):
    """A dump as it is read, with an end before each table's header."""

    def __init__(self, source: Reader, *, tables: Sequence[Table]) -> None:
        super().__init__()
        self._source = source
        self._heads = [_head(table) for table in tables]
        self._tables = tables
        self._begun = 0
        self._source_ended = False
        # Bytes of the source that were not returned yet. All landmarks that begin before
        # `_searched` are known; with `_border`, the section ends at `_searched`.
        self._held = b""
        self._searched = 0
        self._border = False
        self._in_body = False

    def go_on(self) -> None:
        """Begin the next section; the one under way must have been read to its end."""
        assert self._ended
        self._ended = False

    def next_block(self) -> bytes:
        """Return more bytes of the section, b"" at its proven end.

        Raises SourceFailedError where another table begins than was to follow, and what the source
        raises.
        """
        while True:
            end = self._known()
            if end > 0:
                block, self._held = self._held[:end], self._held[end:]
                self._searched = max(self._searched - end, 0)
                return block
            if self._border or self._source_ended:
                if not self._border and self._begun < len(self._heads):
                    raise self._unexpected(b"its end")
                self._border = False
                return b""
            data = self._source.read(_BLOCK)
            self._source_ended = not data
            self._held += data

    def _known(self) -> int:
        """How many of the unreturned bytes belong to this section for sure."""
        while not self._border:
            found = _LANDMARK.search(self._held, self._searched)
            # Unless nothing follows, the last bytes could be the beginning of a landmark.
            sure = len(self._held) - (0 if self._source_ended else _LONGEST)
            if found is None or found.start() >= sure:
                self._searched = max(self._searched, sure)
                return sure
            self._border = self._is_border(found)
            # The line end that it begins with belongs to what stands before it, the one that it
            # ends with may begin the next.
            self._searched = found.start() + 1 if self._border else found.end() - 1
        return self._searched

    def _is_border(self, found: re.Match[bytes]) -> bool:
        if found["delimiter"]:
            self._in_body = found["delimiter"] != b";"
            return False
        if self._in_body:
            return False
        heads = self._heads[self._begun : self._begun + 1]
        if not heads or not self._held.startswith(heads[0], found.start()):
            raise self._unexpected(self._held[found.start() :].lstrip(b"\n-"))
        self._begun += 1
        return True

    def _unexpected(self, found: bytes) -> SourceFailedError:
        wanted = (
            f"the table {self._tables[self._begun].name!r}"
            if self._begun < len(self._tables)
            else "the end"
        )
        line = found.strip().partition(b"\n")[0][:_SHOWN].decode("utf-8", "replace")
        return SourceFailedError(
            f"the dump cannot be cut into its tables: {wanted} was to follow, and there is "
            f"{line!r}: take the annotation per-table off, or the options that change a dump's "
            "comments"
        )


def _head(table: Table) -> bytes:
    """The header of a table, as the tools write it: a line end in a name goes on as a comment."""
    what = "Sequence structure for" if table.is_sequence else "Table structure for table"
    name = identifier(table.name).replace("\n", "\n-- ")
    return f"\n--\n-- {what} {name}\n--\n".encode()
