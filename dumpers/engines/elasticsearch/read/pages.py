"""Cutting the documents out of a page of hits as they are, byte for byte, never re-printed.

The server gives `_source` as it once got it. So there may be line ends between its tokens, which a
line cannot hold and which become blanks, and comments, which Elasticsearch takes for JSON and
nobody else does: they are left out. Nothing else of a document is touched.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

# A hit ends in it: a document's own text cannot come behind it.
_SORT = b',"sort":['
_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")
# More than this of a document is not copied; its sort values are within so much of its end.
_HUGE, _HUGE_TAIL = 1 << 20, 1000
_ESCAPE = re.compile(rb"\\(?:(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL)
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
_NUMBER = msgspec.json.Decoder(tuple[int])


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


def number_in(after: bytes) -> int:
    """The document's number in its shard that is its only sort value; BrokenPageError."""
    try:
        [found] = _NUMBER.decode(after)
    except msgspec.DecodeError as error:
        raise BrokenPageError(f"documents are not sorted by one number ({error})") from error
    return found


def cut(body: bytes | bytearray, *, before: int | None = None) -> Page:
    """Cut a page, as far as its documents' numbers are `before` that one.

    BrokenPageError where it is not whole: shards failed, time ran out.
    """
    commented = False
    hits: Sequence[msgspec.Raw | memoryview]
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        answer, hits, commented = _relaxed(body, error)
    else:
        hits = answer.hits.hits
    _check(answer)
    listed = answer.hits.hits
    if before is not None:
        # Numbers ascend, so few documents are looked at.
        count = bisect_left(
            listed, before, key=lambda hit: number_in(bytes(_SORTED.decode(hit).sort))
        )
        listed, hits = listed[:count], hits[:count]
    after = bytes(_SORTED.decode(listed[-1]).sort) if listed else b""
    total = answer.hits.total
    return Page(
        blocks=_lines(hits, sorted_=bool(after), spread=b"\n" in body or b"\r" in body),
        count=len(listed),
        after=after,
        total=_exact(total) if isinstance(total, _Total) else total,
        point=answer.pit_id,
        scroll=answer.scroll_id,
        commented=commented,
    )


def without_comments(text: bytes | bytearray) -> bytes:
    """JSON without the comments between its tokens, each of which leaves a blank."""
    return _STRING_OR_COMMENT.sub(lambda found: found[1] or b" ", text)


def without_surrogates(text: bytes) -> bytes:
    """JSON of the same length whose strings have no halves of surrogate pairs, to find places in.

    Servers take and keep such halves, which no text can hold.
    """
    return _ESCAPE.sub(lambda found: b"\\u0041" if found[1] else found[0], text)


def _relaxed(body: bytes | bytearray, error: Exception) -> tuple[_Answer, list[memoryview], bool]:
    """Cut what servers take for JSON, though it is not."""
    text = without_comments(body)
    shadow = without_surrogates(text)
    try:
        answer = _ANSWER.decode(shadow)
    except (msgspec.DecodeError, UnicodeDecodeError):
        begun = bytes(body[:_SHOWN]).decode("utf-8", "replace")
        raise BrokenPageError(f"it is no page of hits ({error}): {begun}") from error
    found, place = [], 0
    for hit in answer.hits.hits:
        place = shadow.index(bytes(hit), place)
        found.append(memoryview(text)[place : place + len(memoryview(hit))])
        place += len(found[-1])
    return answer, found, text != body


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


def _lines(
    hits: Sequence[msgspec.Raw | memoryview], *, sorted_: bool, spread: bool
) -> tuple[bytes | memoryview, ...]:
    if not hits:
        return ()
    if len(hits) == 1 and len(memoryview(hits[0])) > _HUGE:
        return _huge_line(memoryview(hits[0]), sorted_=sorted_)
    raw = [bytes(hit) for hit in hits]
    if spread:
        raw = [hit.translate(_LINE_ENDS) for hit in raw]
    if sorted_:
        raw = [hit.rpartition(_SORT)[0] for hit in raw]
    tail = b"}\n" if sorted_ else b"\n"
    return (tail.join((*raw, b"")),)


def _huge_line(hit: memoryview, *, sorted_: bool) -> tuple[bytes | memoryview, ...]:
    """The line of one document that is huge: its memory is that of the page, it is not copied."""
    end = len(hit)
    if sorted_:
        end -= _HUGE_TAIL
        end += bytes(hit[end:]).rindex(_SORT)
    blocks = (hit[place : min(end, place + _HUGE)] for place in range(0, end, _HUGE))
    tail = b"}\n" if sorted_ else b"\n"
    return (*(_on_one_line(block) for block in blocks), tail)


def _on_one_line(block: memoryview) -> bytes | memoryview:
    text = bytes(block)
    return text.translate(_LINE_ENDS) if b"\n" in text or b"\r" in text else block
