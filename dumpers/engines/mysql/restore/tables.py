"""Taking chosen tables and views out of a dump, by the comments before each part; pure."""

import re
from collections.abc import Callable, Collection, Iterator

from dumpers.streams.reader import BLOCK_BYTES, IterReader, Reader

# As mysqldump and mariadb-dump write them, and what stands around the bodies of triggers and
# routines, in which any line may occur. Elsewhere none does: a line end in a value is written \n,
# one in a name goes on as a comment.
_LANDMARK = re.compile(
    rb"\n(?:--\n-- (?P<head>(?:Table structure|Sequence structure|Sequence data|Dumping|Temporary|"
    rb"Final view|Removing temporary)(?:[^\n]|\n-- )*)\n--\n|DELIMITER (?P<delimiter>[^\n]+)\n)"
)
_NAME = re.compile(rb"`((?:[^`]|``)+)`", re.DOTALL)
# No landmark is longer: a name has at most 64 characters.
_LONGEST = 1 << 10
# What a dump gives its database before all else, and the settings of the session before that.
_DEFAULTS = re.compile(
    rb"\A((?:/\*M?!\d+ SET [^\n]*\*/;\n)*)/\*M?!\d+ ALTER DATABASE (?:[^*]|\*(?!/))*\*/;\n"
)
# A database's comment has at most 1,024 characters.
_HEAD_BYTES = 1 << 13


class TableCut:
    """The part of a dump's objects that makes these tables and views; `found` are those seen.

    Into a database of somebody's (`is_live`) go the tables alone, not what the dumped one has by
    itself.
    """

    def __init__(
        self,
        wanted: Collection[str],
        *,
        fold: Callable[[str], str] = str,
        is_live: bool = False,
    ) -> None:
        self._wanted = {fold(name) for name in wanted}
        self._fold = fold
        self._is_live = is_live
        self.found: set[str] = set()

    def reader(self, source: Reader) -> Reader:
        """Read the beginning of a dump and its chosen tables; ends proven as the dump does."""
        whole = IterReader(_without_defaults(source)) if self._is_live else source
        return IterReader(self._parts(whole))

    def lacking(self) -> list[str]:
        """What was asked for and in none of the dumps that were read."""
        return sorted(self._wanted - self.found)

    def _parts(self, source: Reader) -> Iterator[bytes]:
        held, searched, keeps, in_body, ended = b"", 0, True, False, False
        while not ended:
            data = source.read(BLOCK_BYTES)
            ended = not data
            held += data
            while True:
                found = _LANDMARK.search(held, searched)
                # Unless nothing follows, the last bytes could be the beginning of a landmark.
                sure = len(held) - (0 if ended else _LONGEST)
                if found is None or found.start() >= sure:
                    break
                # The line end before a landmark belongs to what stands before it, the one that
                # ends it may begin the next.
                searched = found.end() - 1
                if found["delimiter"]:
                    in_body = found["delimiter"] != b";"
                elif not in_body:
                    if keeps:
                        yield held[: found.start() + 1]
                    held, searched = held[found.start() + 1 :], searched - found.start() - 1
                    keeps = self._is_wanted(found["head"])
            searched = max(searched, sure)
            if sure > 0:
                if keeps:
                    yield held[:sure]
                held, searched = held[sure:], searched - sure

    def _is_wanted(self, head: bytes) -> bool:
        named = _NAME.search(head)
        if named is None:
            return False
        text = named[1].replace(b"\n-- ", b"\n").replace(b"``", b"`")
        name = self._fold(text.decode("utf-8", "replace"))
        if name not in self._wanted:
            return False
        self.found.add(name)
        return True


def _without_defaults(source: Reader) -> Iterator[bytes]:
    head = b""
    while len(head) < _HEAD_BYTES and (data := source.read(BLOCK_BYTES)):
        head += data
    yield _DEFAULTS.sub(rb"\1", head, count=1)
    while data := source.read(BLOCK_BYTES):
        yield data
