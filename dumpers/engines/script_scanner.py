"""The fingerprint of a script of SQL: the rows of its tables, and all between them."""

import re
from dataclasses import dataclass

import stringzilla

from dumpers.streams.fingerprint import Digests, Fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptForm:
    """How a dump tool writes rows.

    `head` matches from a line's start to where a table's rows begin, its first group being the
    table, and every head holds `sign`; one is at most `longest_head` bytes long, and what holds the
    sign but not yet the whole head is an `unfinished_head`. `mark` ends the rows, and is never
    within them. `counts_lines` says that each row has one line end before it.
    `of_the_run` matches whole lines that differ from run to run, which all hold one of `run_signs`.
    """

    head: re.Pattern[bytes]
    sign: bytes
    unfinished_head: re.Pattern[bytes]
    longest_head: int
    mark: bytes
    counts_lines: bool
    of_the_run: re.Pattern[bytes]
    run_signs: tuple[bytes, ...]


class ScriptScanner:
    """A Scanner of scripts of one form, in memory bounded by its longest head."""

    def __init__(self, form: ScriptForm) -> None:
        self._form = form
        self._digests = Digests()
        self._held = b""
        self._table: str | None = None
        # In a line that is no head and was too long to be held: what comes next begins no line.
        self._within_line = False

    def update(self, block: bytes) -> None:
        """Take the next block, of any size."""
        data = self._held + block if self._held else block
        place, went = 0, -1
        while place < len(data) and place != went:
            went = place
            if self._table is not None:
                place = self._take_rows(data, place, self._table)
            elif self._within_line:
                place = self._take_line(data, place)
            else:
                place = self._take_rest(data, place)
        self._held = data[place:]

    def end(self) -> Fingerprint:
        """Return the fingerprint of all blocks; called once, after the last."""
        self._add_rest(self._held)
        return self._digests.fingerprint()

    def _take_rest(self, data: bytes, place: int) -> int:
        """Take lines, and the head of the next rows; returns the place of the first byte left."""
        head, begun = self._find_head(data, place)
        if head:
            self._add_rest(data[place : head.start()])
            self._table = head[1].decode("utf-8", "backslashreplace")
            self._add_rows(self._table, memoryview(head[0]))
            return head.end()
        end = min(data.rfind(b"\n", place) + 1 or place, begun)
        self._add_rest(data[place:end])
        self._within_line = len(data) - end >= self._form.longest_head
        return end

    def _take_line(self, data: bytes, place: int) -> int:
        """Take the rest of a long line."""
        end = data.find(b"\n", place) + 1
        self._within_line = end == 0
        self._digests.add(memoryview(data)[place : end or len(data)])
        return end or len(data)

    def _find_head(self, data: bytes, place: int) -> tuple[re.Match[bytes] | None, int]:
        """Find the next head; where there is none, also the place where one may have begun."""
        view = memoryview(data)
        while (found := stringzilla.find(view[place:], self._form.sign)) >= 0:
            sign = place + found
            start = data.rfind(b"\n", place, sign) + 1 or place
            if head := self._form.head.match(data, start):
                return head, start
            if self._form.unfinished_head.match(data, start):
                return None, start
            place = sign + len(self._form.sign)
        return None, len(data)

    def _take_rows(self, data: bytes, place: int, table: str) -> int:
        """Take a table's rows, at most up to their mark; returns the place of what is left."""
        view, mark = memoryview(data)[place:], self._form.mark
        found = int(stringzilla.find(view, mark))
        # The last bytes may be the beginning of a mark.
        rows = view[: found if found >= 0 else max(len(view) - len(mark) + 1, 0)]
        self._add_rows(table, rows)
        if found < 0:
            return place + len(rows)
        self._table = None
        return place + found + len(mark)

    def _add_rows(self, table: str, data: memoryview) -> None:
        count = stringzilla.count(data, b"\n") if self._form.counts_lines else None
        self._digests.add_rows(table, data, rows=count)

    def _add_rest(self, lines: bytes) -> None:
        if any(stringzilla.find(lines, sign) >= 0 for sign in self._form.run_signs):
            lines = self._form.of_the_run.sub(b"", lines)
        self._digests.add(lines)
