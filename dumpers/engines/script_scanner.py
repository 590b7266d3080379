"""The fingerprint of a script of SQL: the rows of its tables, and all between them."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import stringzilla

from dumpers.contract.fingerprint import Fingerprint
from dumpers.streams.fingerprint import Digests

# Longer beginnings are none that a dump tool writes.
_LONGEST_TITLE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptForm:
    """How a dump tool writes its script.

    `title` matches what the script begins with, in which the lines `of_the_run` differ from run to
    run, and `last_line` what it ends with, which differs, too. `names_database` are lines with the
    database's name in a comment, which all hold `naming_sign`.

    `rows_head` matches from a line's start to where a table's rows begin, its first group being the
    table; each holds `sign` and is at most `longest_head` bytes long. One that holds the sign but
    goes on behind the bytes at hand is an `unfinished_head`. `rows_end` ends the rows, and is never
    within them. `counts_lines` says that each row has one line end before it.

    `body` is the line that opens what users wrote, which holds no heads, and the one that ends it
    with the line end before it.
    """

    title: re.Pattern[bytes]
    of_the_run: re.Pattern[bytes]
    last_line: re.Pattern[bytes]
    rows_head: re.Pattern[bytes]
    sign: bytes
    unfinished_head: re.Pattern[bytes]
    longest_head: int
    rows_end: bytes
    counts_lines: bool
    body: tuple[bytes, bytes] | None = None
    names_database: re.Pattern[bytes] | None = None
    naming_sign: bytes = b""


# Takes bytes from a place on, and returns the place of the first that it left.
_Take = Callable[[bytes, int], int]


class ScriptScanner:
    """A Scanner of scripts of one form, in memory bounded by its longest head."""

    def __init__(self, form: ScriptForm) -> None:
        self._form = form
        self._digests = Digests(form.last_line)
        self._held = b""
        self._table = ""
        self._take: _Take = self._take_title

    def update(self, block: bytes) -> None:
        """Take the next block, of any size."""
        data = self._held + block if self._held else block
        place, before = 0, (-1, self._take)
        while place < len(data) and (place, self._take) != before:
            before = (place, self._take)
            place = self._take(data, place)
        self._held = data[place:]

    def end(self) -> Fingerprint:
        """Return the fingerprint of all blocks; called once, after the last."""
        if self._take == self._take_rows:
            self._add_rows(memoryview(self._held))
        else:
            is_title = self._take == self._take_title
            self._digests.add(self._without_run(self._held) if is_title else self._held)
        return self._digests.fingerprint()

    def _take_title(self, data: bytes, place: int) -> int:
        """Take the title, once a whole line follows it."""
        title = self._form.title.match(data)
        end = title.end() if title else 0
        if b"\n" not in data[end:] and len(data) < _LONGEST_TITLE:
            return place
        self._digests.add(self._without_run(data[:end]))
        self._take = self._take_rest
        return end

    def _take_rest(self, data: bytes, place: int) -> int:
        """Take lines, up to the next rows or the next body."""
        head, end = self._find_head(data, place)
        if head:
            self._add_lines(data[place : head.start()])
            self._table = head[1].decode("utf-8", "backslashreplace")
            self._digests.begin(self._table, head[0])
            self._take = self._take_rows
            return head.end()
        if self._take == self._take_body:
            self._add_lines(data[place:end])
            return end
        end = min(data.rfind(b"\n", place) + 1 or place, end)
        self._add_lines(data[place:end])
        if len(data) - end >= self._form.longest_head:
            self._take = self._take_line
        return end

    def _find_head(self, data: bytes, place: int) -> tuple[re.Match[bytes] | None, int]:
        """Find the next head; where there is none, the place up to which there is none for sure.

        Where a body comes first, its lines are to be taken next, from that place on.
        """
        view, form = memoryview(data), self._form
        body = self._find_body(data, place)
        at = place
        while (found := stringzilla.find(view[at:body], form.sign)) >= 0:
            sign = at + found
            start = data.rfind(b"\n", place, sign) + 1 or place
            if head := form.rows_head.match(data, start):
                return head, start
            if form.unfinished_head.match(data, start):
                return None, start
            at = data.find(b"\n", sign) + 1 or len(data)
        if body < len(data):
            self._take = self._take_body
            # The line end stays: it may belong to the line that ends the body.
            return None, data.index(b"\n", body)
        return None, len(data)

    def _find_body(self, data: bytes, place: int) -> int:
        """The place of the next line that opens a body, or of the end."""
        if self._form.body:
            opening, at, view = self._form.body[0], place, memoryview(data)
            while (found := int(stringzilla.find(view[at:], opening))) >= 0:
                at += found
                if at == place or data[at - 1] == ord("\n"):
                    return at
                at += 1
        return len(data)

    def _take_body(self, data: bytes, place: int) -> int:
        assert self._form.body
        return self._take_until(data, place, self._form.body[1], self._digests.add)

    def _take_line(self, data: bytes, place: int) -> int:
        """Take the rest of a line that is too long to hold a head."""
        return self._take_until(data, place, b"\n", self._digests.add)

    def _take_rows(self, data: bytes, place: int) -> int:
        return self._take_until(data, place, self._form.rows_end, self._add_rows)

    def _take_until(
        self, data: bytes, place: int, mark: bytes, add: Callable[[memoryview], None]
    ) -> int:
        """Take bytes up to the mark and with it, after which the rest goes on."""
        view = memoryview(data)[place:]
        found = int(stringzilla.find(view, mark))
        # The last bytes may be the beginning of a mark.
        end = found + len(mark) if found >= 0 else max(len(view) - len(mark) + 1, 0)
        add(view[:end])
        if found >= 0:
            self._take = self._take_rest
        return place + end

    def _add_rows(self, data: memoryview) -> None:
        count, end = None, self._form.rows_end
        if self._form.counts_lines:
            count = stringzilla.count(data, b"\n")
            count -= end.count(b"\n") if data[-len(end) :] == end else 0
        self._digests.add_rows(self._table, data, rows=count)

    def _add_lines(self, lines: bytes) -> None:
        naming = self._form.names_database
        if naming and stringzilla.find(lines, self._form.naming_sign) >= 0:
            lines = naming.sub(b"", lines)
        self._digests.add(lines)

    def _without_run(self, title: bytes) -> bytes:
        return self._form.of_the_run.sub(b"", title)
