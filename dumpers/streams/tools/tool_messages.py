"""What a running tool says on its stderr: kept in bounds, and cut down to what it means.

The cause stands first, what followed from it last, and in between there may be megabytes: pg_dump
names the table that may not be read, and then all that it wanted to lock together with it.
"""

import os
import re
import subprocess
import threading

_HEAD_KEPT = _TAIL_KEPT = 16 << 10
# A process that the tool started may hold the pipe open longer than the tool lives.
_WAIT_SECONDS = 5.0

# How tools and servers mark an error: `pg_dump: error: …`, `ERROR:  …`, `ERROR 1045 (28000): …`,
# `mysqldump: Got error: …`, `FATAL:  …`.
_ERROR = re.compile(r"\b(?:error|fatal|panic)(?: \d+ \(\w+\))?(?: at line \d+)?:", re.IGNORECASE)
# A tool of MariaDB repeats the statement that failed between two such lines.
_RULE = re.compile(r"-{8,}")
# A warning that came before is no reason.
_WARNING = re.compile(r"\bwarning\b|\bnotice\b|\[note\]|\bhint\b", re.IGNORECASE)
# The beginning of a line says what it is about; where a statement is quoted before its error, the
# end does.
_LINE_HEAD, _LINE_TAIL = 400, 200
# What a tool wanted of the server, as it says behind the reason: `detail: Query was: LOCK TABLE …`.
_STATEMENT = re.compile(
    r"\b(?:query|command|statement) was:|^\s*(?:statement|context):", re.IGNORECASE
)
_STATEMENT_HEAD = 160
_TEXT_MAX = 2500


class ToolMessages:
    """The head and the tail of a tool's stderr, drained all the time: a full pipe would stop it."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stderr is not None
        self._stream = process.stderr
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def text(self) -> str:
        """What was kept, once the tool has ended, with a mark where something was left out."""
        self._thread.join(_WAIT_SECONDS)
        head, tail = (bytes(part).decode("utf-8", "replace") for part in (self._head, self._tail))
        mark = f"…\n({self._left_out} bytes left out)\n…" if self._left_out else ""
        return f"{head}{mark}{tail}".strip()

    def _drain(self) -> None:
        while data := os.read(self._stream.fileno(), 4096):
            room = _HEAD_KEPT - len(self._head)
            self._head += data[:room]
            self._tail += data[room:]
            excess = max(0, len(self._tail) - _TAIL_KEPT)
            del self._tail[:excess]
            self._left_out += excess
        self._stream.close()


def summarise(said: str) -> str:
    """What a tool said, with its first error first, long lines cut, and in bounds.

    Statements that were repeated between rules are left out, and so are warnings before the error.
    """
    lines = [_cut_line(line) for line in _without_statements(said.splitlines()) if line.strip()]
    first = next(
        (at for at, line in enumerate(lines) if _ERROR.search(line) and not _is_warning(line)), 0
    )
    kept = "\n".join(lines[first:])
    if len(kept) > _TEXT_MAX:
        kept = f"{kept[: _TEXT_MAX * 3 // 4]}…\n…{kept[-_TEXT_MAX // 4 :]}"
    return kept


def _is_warning(line: str) -> bool:
    found = _ERROR.search(line)
    return bool(found and _WARNING.search(line[: found.start()]))


def _without_statements(lines: list[str]) -> list[str]:
    """The lines without those between two rules; all of them where a rule has no second."""
    rules = [at for at, line in enumerate(lines) if _RULE.fullmatch(line.strip())]
    if len(rules) % 2:
        return lines
    pairs = list(zip(rules[::2], rules[1::2], strict=True))
    return [
        line for at, line in enumerate(lines) if not any(begin <= at <= end for begin, end in pairs)
    ]


def _cut_line(line: str) -> str:
    if _STATEMENT.search(line) and len(line) > _STATEMENT_HEAD:
        return f"{line[:_STATEMENT_HEAD]}…"
    if len(line) <= _LINE_HEAD + _LINE_TAIL:
        return line
    return f"{line[:_LINE_HEAD]} … {line[-_LINE_TAIL:]}"
