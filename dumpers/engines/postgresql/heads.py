"""Changing lines in the first kilobytes of a dump, where its settings stand."""

from collections.abc import Mapping, Sequence

from dumpers.engines.postgresql.clients import quote_identifier
from dumpers.engines.postgresql.names import in_encoding
from dumpers.streams.reader import BLOCK_BYTES, BufferedReader, Reader

# Servers below this major do not know a setting that newer clients write into every dump.
TRANSACTION_TIMEOUT_SINCE = 17
_TRANSACTION_TIMEOUT = b"SET transaction_timeout = 0;\n"
_EMPTY_PATH = b"SELECT pg_catalog.set_config('search_path', '', false);\n"
_HEAD_BYTES = 4096


def head_changes(
    *, unknown_setting: bool, path: Sequence[str], encoding: str
) -> Mapping[bytes, bytes]:
    """The lines of a plain dump that have to be others.

    For a server that does not know it (`unknown_setting`), a setting is left out. `path` are the
    schemas to set as the search path of a load, none for pg_dump's own empty one; `encoding` is the
    dump's.
    """
    changes = {_TRANSACTION_TIMEOUT: b""} if unknown_setting else {}
    if path:
        names = ", ".join(map(quote_identifier, path)).replace("'", "''")
        named = in_encoding(f"'{names}'", encoding)
        changes[_EMPTY_PATH] = _EMPTY_PATH.replace(b"''", named)
    return changes


class ChangedHead(BufferedReader):
    """A reader with whole lines changed or left out, which stand in the first kilobytes or nowhere.

    `lines` holds what stands for each of them, line ends included; of equal lines the first is
    changed.
    """

    def __init__(self, source: Reader, lines: Mapping[bytes, bytes]) -> None:
        super().__init__()
        self._source = source
        self._lines = lines
        self._begun = False

    def next_block(self) -> bytes:
        """Return the source's next block, the first one changed; its errors propagate."""
        if self._begun:
            return self._source.read(BLOCK_BYTES)
        self._begun = True
        head = b""
        while len(head) < _HEAD_BYTES and (data := self._source.read(_HEAD_BYTES)):
            head += data
        for line, other in self._lines.items():
            before, found, after = head.partition(b"\n" + line)
            if found:
                head = before + b"\n" + other + after
        return head


class Followed(BufferedReader):
    """A reader with more behind its proven end."""

    def __init__(self, source: Reader, more: bytes) -> None:
        super().__init__()
        self._source = source
        self._more = more

    def next_block(self) -> bytes:
        """Return the source's next block, at its end what follows; its errors propagate."""
        if data := self._source.read(BLOCK_BYTES):
            return data
        data, self._more = self._more, b""
        return data
