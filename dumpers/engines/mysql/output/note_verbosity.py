"""Dumps of MariaDB without the lines that releases of the time before November 2023 refuse.

mariadb-dump sets NOTE_VERBOSITY where the server's number is that of 10.6.16 or more, as which
younger series count whose releases of that time do not know it: ERROR 1193 ends their load.
"""

import re

from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.programs import Flavour
from dumpers.streams.reader import BLOCK_BYTES, BufferedReader, Reader

# The first release of a series that knows it, by
# https://mariadb.com/kb/en/server-system-variables/#note_verbosity; 10.7 to 10.9 never did.
_KNOWN_SINCE = {(10, 10): 7, (10, 11): 6, (11, 0): 4, (11, 1): 3, (11, 2): 2}
_NEVER = frozenset({(10, 7), (10, 8), (10, 9)})
# No value holds such a line: the tools write a line end within one as \n.
_LINES = re.compile(
    rb"^/\*M!100616 SET (?:@OLD_NOTE_VERBOSITY=@@NOTE_VERBOSITY, NOTE_VERBOSITY=0"
    rb"|NOTE_VERBOSITY=@OLD_NOTE_VERBOSITY) \*/;\n",
    re.MULTILINE,
)
# The lines of the session's settings stand before it, and so close to the end.
_EDGE = 1 << 12


def refuses_note_verbosity(server: Server) -> bool:
    """Whether a server would run these lines, and does not know what they set."""
    if server.flavour is not Flavour.MARIADB:
        return False
    patch = re.match(r"\d+\.\d+\.(\d+)", server.version)
    since = _KNOWN_SINCE.get(server.number, 0)
    return server.number in _NEVER or (patch is not None and int(patch[1]) < since)


class WithoutNoteVerbosity(BufferedReader):
    """A dump without these lines, of which one is at its beginning and one at its end."""

    def __init__(self, source: Reader) -> None:
        super().__init__()
        self._source = source
        self._held = b""
        self._is_begun = False
        self._is_over = False

    def next_block(self) -> bytes:
        """Return the next block, which the source's end is never part of before it is known."""
        while not self._is_over:
            block = self._source.read(BLOCK_BYTES)
            self._held += block
            self._is_over = not block
            if self._is_over or (not self._is_begun and len(self._held) > _EDGE * 2):
                self._is_begun = True
                self._held = _LINES.sub(b"", self._held)
            if not self._is_over and self._is_begun and len(self._held) > _EDGE:
                sure, self._held = self._held[:-_EDGE], self._held[-_EDGE:]
                return sure
        last, self._held = self._held, b""
        return last
