"""Cutting the documents out of a page of hits as they are, byte for byte, never re-printed.

The server gives `_source` as it once got it. So there may be line ends between its tokens, which a
line cannot hold and which become blanks, and comments, which Elasticsearch takes for JSON and
nobody else does: they are left out. Nothing else of a document is touched.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

# A hit ends in it: a document's own text cannot come behind it.
_SORT = b',"sort":['
_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")
_STRING_OR_COMMENT = re.compile(rb'("(?:[^"\\]++|\\.)*+")|/\*.*?\*/|//[^\r\n]*', re.DOTALL)
_SHOWN = 300


class BrokenPageError(Exception):
    """An answer that is no whole page; its text says why."""


class _Shards(msgspec.Struct):
    total: int
    successful: int
    failed: int
    failures: list[msgspec.Raw] = []


class _Total(msgspec.Struct):
    value: int
    relation: str


class _Hits(msgspec.Struct):
    hits: list[msgspec.Raw]
    total: _Total | int | None = None


class _Answer(msgspec.Struct):
    timed_out: bool
    shards: _Shards = msgspec.field(name="_shards")
    hits: _Hits
    pit_id: str = ""
    scroll_id: str = msgspec.field(name="_scroll_id", default="")


class _Sorted(msgspec.Struct):
    sort: msgspec.Raw = msgspec.Raw(b"")


_ANSWER = msgspec.json.Decoder(_Answer)
_SORTED = msgspec.json.Decoder(_Sorted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page's documents as `blocks` of lines, and where to go on.

    `after` is the JSON of the last one's sort values, `total` how many there are in all, None where
    it was not asked for. `commented` says that a comment was left out, `large` that it takes the
    room of large pages.
    """

    blocks: tuple[bytes | memoryview, ...]
    count: int
    after: bytes = b""
    total: int | None = None
    point: str = ""
    scroll: str = ""
    commented: bool = False
    large: bool = False


def cut(body: bytes | bytearray) -> Page:
    """Cut a page; BrokenPageError where it is not whole: shards failed, time ran out."""
    answer, commented = _read(body)
    _check(answer)
    hits = answer.hits.hits
    after = b""
    if hits:
        after = bytes(_SORTED.decode(hits[-1]).sort)
    spread = b"\n" in body or b"\r" in body
    if len(hits) == 1 and after and not spread and not commented:
        blocks = _only_line(body, len(memoryview(hits[0])))
    else:
        blocks = (_lines(hits, sorted_=bool(after), spread=spread),)
    total = answer.hits.total
    return Page(
        blocks=blocks,
        count=len(hits),
        after=after,
        total=_exact(total) if isinstance(total, _Total) else total,
        point=answer.pit_id,
        scroll=answer.scroll_id,
        commented=commented,
    )


def _read(body: bytes | bytearray) -> tuple[_Answer, bool]:
    try:
        return _ANSWER.decode(body), False
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        bare = without_comments(body)
        try:
            return _ANSWER.decode(bare), True
        except (msgspec.DecodeError, UnicodeDecodeError):
            begun = bytes(body[:_SHOWN]).decode("utf-8", "replace")
            raise BrokenPageError(f"it is no page of hits ({error}): {begun}") from error


def without_comments(text: bytes | bytearray) -> bytes:
    """JSON without the comments between its tokens, each of which leaves a blank."""
    return _STRING_OR_COMMENT.sub(lambda found: found[1] or b" ", text)


def _check(answer: _Answer) -> None:
    if answer.timed_out:
        raise BrokenPageError("the search timed out")
    shards = answer.shards
    if shards.failed or shards.successful != shards.total:
        why = bytes(shards.failures[0]).decode("utf-8", "replace") if shards.failures else ""
        raise BrokenPageError(
            f"only {shards.successful} of {shards.total} shards answered: {why[:_SHOWN]}"
        )


def _exact(total: _Total) -> int:
    if total.relation != "eq":
        raise BrokenPageError(f"the number of documents is not exact ({total.relation})")
    return total.value


def _only_line(body: bytes | bytearray, size: int) -> tuple[bytes | memoryview, ...]:
    """The line of the only hit, `size` bytes of the body: it may be huge, so it is not copied."""
    sort = body.rindex(_SORT)
    end = body.index(b"]}", sort) + 2
    return memoryview(body)[end - size : sort], b"}\n"


def _lines(hits: Sequence[msgspec.Raw], *, sorted_: bool, spread: bool) -> bytes:
    if not hits:
        return b""
    raw = [bytes(hit) for hit in hits]
    if spread:
        raw = [hit.translate(_LINE_ENDS) for hit in raw]
    if sorted_:
        return b"}\n".join([hit[: hit.rindex(_SORT)] for hit in raw]) + b"}\n"
    return b"\n".join(raw) + b"\n"
