"""Finding a server's error at the end of a body that began with status 200.

Servers end a body that broke in one of three ways: since 25.11 with a block that carries the tag of
a header of theirs, since about 24.12 with a block without a tag, before with nothing but the text.
Newer ones leave out the last chunk too, so the end of a broken connection is looked at as well.
"""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from dumpers.engines.clickhouse.server.errors import read_error, shorten
from dumpers.runtime.errors import SourceFailedError
from dumpers.streams.reader import Reader

TAG_HEADER = "X-ClickHouse-Exception-Tag"

_BLOCK = 1 << 17
# Room for an error's whole text, which may repeat the query.
_HELD = 1 << 20
# Bare text is looked for in no more than this: data may hold such text.
_BARE_HELD = 1 << 16

# A proxy may have kept the header with the tag.
_UNTAGGED = re.compile(rb"__exception__\r?\n(?:\w{1,64}\r?\n)?(?=[\w:. ]{0,32}Code: \d)")
# getCurrentExceptionMessage of src/Common/Exception.cpp, for errors of its own, of Poco's and of
# the standard library, in old and new releases.
_BARE = re.compile(
    rb"Code: \d+(?:, (?:e\.displayText\(\) =|e\.code\(\) =|type:)|\. \w+::(?:\w+::)*\w*Exception)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerError:
    """An error at the end of a body; not `certain` if data may hold the same text."""

    text: str
    certain: bool


def find_error(tail: bytes, *, tag: str) -> ServerError | None:
    """Look for a server's error in the end of a body; `tag` is the header's value, or empty."""
    if tag:
        mark = re.escape(tag.encode())
        begin = re.search(rb"__exception__(?:\r?\n)?" + mark + rb"\s*", tail)
        end = re.search(rb"\s(?:\d+ )?" + mark + rb"(?:\r?\n)?__exception__", tail)
        if begin is None and end is None:
            return None
        text = tail[begin.end() if begin else 0 : end.start() if end else None]
        return ServerError(text=_one_line(text), certain=True)
    marked = _UNTAGGED.search(tail)
    if marked is not None:
        return ServerError(text=_one_line(tail[marked.end() :]), certain=True)
    bare = _BARE.search(tail, max(len(tail) - _BARE_HELD, 0))
    if bare is not None:
        return ServerError(text=_one_line(tail[bare.start() :]), certain=False)
    return None


class ProvenReader:
    """A body that gives its last bytes, and its end, only once no error was found in them.

    `count` is the number of bytes that it gave.

    `confirm` is asked where the end looks like an error and data may look so too: whether the
    server says that the query ended well. Without it, such a body has failed. The source has to
    give all that it received before it raises.
    """

    def __init__(
        self, source: Reader, *, tag: str, confirm: Callable[[], bool] | None = None
    ) -> None:
        self._source = source
        self._tag = tag
        self._confirm = confirm
        self._blocks: deque[bytes] = deque()
        self._held = 0
        self._ended = False
        self.count = 0

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes, b"" only at the proven end.

        Raises SourceFailedError with the server's own words, and what the source raises.
        """
        if not size:
            return b""
        while not self._ended and (not self._blocks or self._held - len(self._blocks[0]) < _HELD):
            self._read_block()
        if not self._blocks:
            return b""
        block = self._blocks.popleft()
        if 0 <= size < len(block):
            self._blocks.appendleft(block[size:])
            block = block[:size]
        self._held -= len(block)
        self.count += len(block)
        return block

    def _read_block(self) -> None:
        """Read one block; at the end of the body, raise the server's error if there is one."""
        try:
            data = self._source.read(_BLOCK)
        except SourceFailedError as broken:
            error = find_error(b"".join(self._blocks), tag=self._tag)
            if error is None:
                raise
            text = f"{broken}; the server's last words: {error.text}"
            raise SourceFailedError(text) from read_error(error.text)
        if data:
            self._blocks.append(data)
            self._held += len(data)
            return
        self._check_end()
        self._ended = True

    def _check_end(self) -> None:
        error = find_error(b"".join(self._blocks), tag=self._tag)
        if error is None:
            return
        if error.certain:
            raise _broken_off(error)
        if self._confirm is None:
            raise SourceFailedError(
                "the data ends like an error of the server, and its query_log, which could tell, "
                f"cannot be asked: {error.text}"
            )
        if not self._confirm():
            raise _broken_off(error)


def _broken_off(error: ServerError) -> SourceFailedError:
    broken = SourceFailedError(f"the server broke off: {error.text}")
    broken.__cause__ = read_error(error.text)
    return broken


def _one_line(text: bytes) -> str:
    return shorten(text.decode("utf-8", "replace"))
