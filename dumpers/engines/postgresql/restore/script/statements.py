"""Lines of pg_dump's scripts, and whether each begins within a quoted text; pure.

The scripts set standard_conforming_strings. Rows of COPY are not for this.
"""

import re

_OPENING = re.compile(
    rb"""--[^\n]*|/\*|(?<![A-Za-z0-9_\x80-\xff$])[eE]'|'|\"|"""
    rb"""(?<![A-Za-z0-9_\x80-\xff$])\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$"""
)
# A line of plain texts and nothing else that opens anything, as rows of INSERT are: told at once.
_CLOSED = re.compile(rb"(?:[^'\"$/eE-]++|[eE](?!')|-(?!-)|/(?!\*)|'[^']*+')*+")
_ESCAPED = re.compile(rb"\\[\s\S]|'")


class Quotes:
    """Follows a script line by line; `open` is true between a text's quotes, or in a comment."""

    def __init__(self) -> None:
        self._until = b""

    @property
    def open(self) -> bool:
        """Whether the next line begins within quotes."""
        return bool(self._until)

    def may_part_behind(self, begun: bytes) -> bool:
        """Whether a line that has begun so may be followed in two parts: a plain text is open."""
        trial = Quotes()
        trial._until = self._until
        trial.follow(begun)
        return trial._until == b"'"

    def follow(self, line: bytes) -> None:
        """Read on by one whole line, its end included, or a part behind which it may be parted."""
        at = 0
        if not self._until and _CLOSED.fullmatch(line):
            return
        while at < len(line):
            if self._until:
                at = self._close(line, at)
                continue
            found = _OPENING.search(line, at)
            if found is None:
                return
            at = found.end()
            word = found[0]
            if not word.startswith(b"--"):
                self._until = {b"/*": b"*/", b"E'": b"e'"}.get(word, word)

    def _close(self, line: bytes, at: int) -> int:
        if self._until.lower() == b"e'":
            for found in _ESCAPED.finditer(line, at):
                if found[0] == b"'":
                    self._until = b""
                    return found.end()
            return len(line)
        place = line.find(self._until, at)
        if place < 0:
            return len(line)
        at = place + len(self._until)
        self._until = b""
        return at


def split_statements(script: bytes) -> list[bytes]:
    """The statements of a script, each with the comments before it; each ends at a line's end."""
    quotes, found, current = Quotes(), [], b""
    for line in script.splitlines(keepends=True):
        quotes.follow(line)
        current += line
        if not quotes.open and line.rstrip().endswith(b";"):
            found.append(current)
            current = b""
    return [*found, current] if current.strip() else found
