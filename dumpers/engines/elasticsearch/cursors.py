"""Where a reading of one index stands: a point in time in slices, or a scroll of each shard."""

import itertools
import json
import queue
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from dumpers.engines.elasticsearch.choice import Index
from dumpers.engines.elasticsearch.client import BusyError, LostError, Patience, Server, path_of
from dumpers.engines.elasticsearch.pages import BrokenPageError, Page, cut, number_in
from dumpers.engines.elasticsearch.product import Product
from dumpers.engines.elasticsearch.sizing import LARGEST, PageSize
from dumpers.runtime.errors import KsnapshotError, SourceFailedError
from dumpers.runtime.interrupt import Interrupt

# Every page renews them; between two, a busy server is waited for as long as `Patience` says.
# They are closed in any case; this long they outlive a dump that is killed.
_POINT_KEPT, _SCROLL_KEPT = "15m", "1h"
RENEWED_SECONDS = 120.0
# Below this a shard is not worth being read in several slices.
_SLICED_BYTES = 32 << 20
_UNREACHED = 5
_WHOLE = {"allow_partial_search_results": "false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is read: `versions` as well where it was asked for; `parallel` slices at a time."""

    server: Server
    product: Product
    index: Index
    most: int
    parallel: int
    versions: bool = False

    @property
    def body(self) -> dict[str, object]:
        """What all searches have in common."""
        source: object = True
        if self.product.leaves_vectors_out:
            source = {"exclude_vectors": False}
        body: dict[str, object] = {"_source": source}
        if self.versions:
            body |= {"version": True, "seq_no_primary_term": True}
        return body

    def size(self) -> PageSize:
        """The size of the first page, by what the index takes on disk: packed, by about four."""
        average = 4 * self.index.size // self.index.documents if self.index.documents else 0
        return PageSize.begin(self.most, average=average)


class Room:
    """Room for one page that is larger than pages are meant to be, of all that is read."""

    def __init__(self) -> None:
        self._free = queue.SimpleQueue[None]()
        self.give_back()

    def take(self, interrupt: Interrupt, *, renew: Callable[[Interrupt], None]) -> None:
        """Wait for it: as long as pages take to be written, with `renew` now and then."""
        while True:
            try:
                return interrupt.take(self._free, seconds=RENEWED_SECONDS)
            except queue.Empty:
                renew(interrupt)

    def give_back(self) -> None:
        """Let the next one have it."""
        self._free.put(None)


class Cursor(Protocol):
    """One slice of an index, read page after page; of one thread."""

    def next(self, interrupt: Interrupt) -> Page:
        """The next page, with fewer documents than were asked for only at the end."""
        ...

    @property
    def ended(self) -> bool:
        """Whether there is no further page."""
        ...

    def renew(self, interrupt: Interrupt) -> None:
        """Keep it alive without reading."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An index opened for reading: how many documents it has at that moment, and its slices."""

    total: int
    cursors: Sequence[Cursor]


def open_(wanted: Wanted, room: Room, interrupt: Interrupt) -> AbstractContextManager[Opened]:
    """Open an index; a context that closes what the server keeps for it."""
    if wanted.product.has_points_in_time:
        return _open_point(wanted, room, interrupt)
    return _open_scrolls(wanted, interrupt)


class _Point:
    """A point in time, shared by its slices; its id may change with every answer."""

    def __init__(self, wanted: Wanted, id_: str) -> None:
        self.wanted = wanted
        self.id = id_

    def search(self, interrupt: Interrupt, **more: object) -> bytes:
        """The whole answer of a small search."""
        body = {"pit": {"id": self.id, "keep_alive": _POINT_KEPT}, **more}
        return self.wanted.server.ask(
            "POST",
            "/_search",
            query=_WHOLE,
            body=json.dumps(body).encode(),
            interrupt=interrupt,
        )

    def close(self) -> None:
        """Let the server forget it."""
        opensearch = self.wanted.product.is_opensearch
        path = "/_search/point_in_time" if opensearch else "/_pit"
        body = {"pit_id": [self.id]} if opensearch else {"id": self.id}
        self.wanted.server.forget("DELETE", path, json.dumps(body).encode())


@contextmanager
def _open_point(wanted: Wanted, room: Room, interrupt: Interrupt) -> Iterator[Opened]:
    server, index = wanted.server, wanted.index
    if wanted.product.is_opensearch:
        path = path_of(index.name) + "/_search/point_in_time"
        # It would else open one of the shards that are there, and say nothing.
        query = {"keep_alive": _POINT_KEPT, "allow_partial_pit_creation": "false"}
    else:
        path = path_of(index.name) + "/_pit"
        query = {"keep_alive": _POINT_KEPT}
        if index.frozen:
            query["ignore_throttled"] = "false"
    opened = server.json("POST", path, query=query, interrupt=interrupt)
    point = _Point(wanted, opened.get("pit_id") or opened.get("id") or "")
    try:
        counted = _cut(point.search(interrupt, size=0, track_total_hits=True), wanted)
        if counted.total is None:
            raise SourceFailedError(f"{server.where} does not count {index.name}")
        many = slices(index, wanted.parallel)
        parts = _parts(point, many, interrupt) if counted.total else ()
        yield Opened(total=counted.total, cursors=[_Slice(point, part, room) for part in parts])
    finally:
        point.close()


def slices(index: Index, parallel: int) -> int:
    """How many: a whole number for each shard, so that no slice has documents of two."""
    per_shard = -(-parallel // index.shards)
    worth = max(1, index.size // index.shards // _SLICED_BYTES)
    return index.shards * min(per_shard, worth)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """The `number`th of `many` slices; of it, what is behind `after` and has a number `before`."""

    number: int
    many: int
    after: bytes = b""
    before: int | None = None

    @property
    def body(self) -> dict[str, object]:
        """What a search says of it."""
        return {"slice": {"id": self.number, "max": self.many}} if self.many > 1 else {}


def _parts(point: _Point, many: int, interrupt: Interrupt) -> Sequence[_Part]:
    """What is read beside each other; none has documents of two shards."""
    shards = point.wanted.index.shards
    if point.wanted.product.slices_by_number or many == shards:
        return [_Part(number=number, many=many) for number in range(many)]
    found = list[_Part]()
    for number in range(shards):
        shard = _Part(number=number, many=shards)
        body = point.search(
            interrupt,
            size=1,
            track_total_hits=False,
            _source=False,
            sort=[{point.wanted.product.order: "desc"}],
            **shard.body,
        )
        with _naming(point.wanted):
            last = cut(body).after
            found += _ranges(shard, number_in(last) + 1, many // shards) if last else []
    return found


def _ranges(shard: _Part, numbers: int, many: int) -> Iterator[_Part]:
    """A shard of so many document numbers in as many equal parts."""
    ends = [numbers * part // many for part in range(many + 1)]
    for first, end in itertools.pairwise(ends):
        if first < end:
            after = b"[%d]" % (first - 1) if first else b""
            yield replace(shard, after=after, before=end)


class _Slice:
    """A slice of a point in time: a page that does not come is asked for again, and is the same."""

    def __init__(self, point: _Point, part: _Part, room: Room) -> None:
        self._point = point
        self._room = room
        self._size = point.wanted.size()
        self._after = part.after
        self._before = part.before
        self._large = False
        self.ended = False
        self._body = {
            **point.wanted.body,
            **part.body,
            "sort": [point.wanted.product.order],
            "track_total_hits": False,
        }

    def next(self, interrupt: Interrupt) -> Page:
        """Read a page, with fewer documents where they are large or the server is busy."""
        wanted = self._point.wanted
        patience = Patience(interrupt=interrupt)
        unreached = 0
        while True:
            asked = self._size.size
            try:
                body = self._fetch(asked, interrupt)
            except LostError as error:
                raise _lost(wanted, error) from error
            except BusyError as error:
                self._size.refused()
                if not patience.wait():
                    raise _too_busy(wanted, error) from error
                continue
            except KsnapshotError as error:
                unreached += 1
                if not isinstance(error, SourceFailedError) or unreached == _UNREACHED:
                    raise
                patience.wait()
                continue
            if body is None:
                continue
            page = self._cut(body)
            self._size.came(page.count, len(body))
            self._after = page.after
            # What follows is shared by the slices: any of the ids will do, the newest best.
            self._point.id = page.point or self._point.id
            self.ended = page.count < asked
            if not self.ended and not page.after:
                raise SourceFailedError(
                    f"{wanted.server.where} does not say where to go on in {wanted.index.name}"
                )
            return page

    def renew(self, interrupt: Interrupt) -> None:
        """Keep the point in time, by an empty search."""
        self._point.search(interrupt, size=0, track_total_hits=False)

    def _cut(self, body: bytearray) -> Page:
        page = _cut(body, self._point.wanted, before=self._before)
        if self._large and not page.count:
            # Its one document is the next part's: nobody will write it, and make room again.
            self._room.give_back()
            return page
        return replace(page, large=self._large)

    def _fetch(self, size: int, interrupt: Interrupt) -> bytearray | None:
        """An answer's body; None where it is too large and was dropped."""
        wanted = self._point.wanted
        pit = {"id": self._point.id, "keep_alive": _POINT_KEPT}
        text = json.dumps({**self._body, "size": size, "pit": pit}).encode()
        if self._after:
            text = text[:-1] + b',"search_after":' + self._after + b"}"
        body = bytearray()
        large = False
        try:
            with wanted.server.http.stream(
                "POST", "/_search", query=_WHOLE, body=text, interrupt=interrupt
            ) as (answer, reader):
                while block := reader.read():
                    body += block
                    if len(body) > LARGEST and not large:
                        if self._size.too_large():
                            return None
                        self._room.take(interrupt, renew=self.renew)
                        large = True
            wanted.server.judge(answer, body)
        except BaseException:
            if large:
                self._room.give_back()
            raise
        self._large = large
        return body


@contextmanager
def _open_scrolls(wanted: Wanted, interrupt: Interrupt) -> Iterator[Opened]:
    """Open a scroll for every shard: each shard at its own moment, as with one scroll for all."""
    cursors: list[_Scroll] = []
    try:
        for shard in range(wanted.index.shards):
            cursor = _Scroll(wanted, shard)
            cursors.append(cursor)
            cursor.open(interrupt)
        yield Opened(total=sum(cursor.total for cursor in cursors), cursors=cursors)
    finally:
        ids = [cursor.id for cursor in cursors if cursor.id]
        if ids:
            body = json.dumps({"scroll_id": ids}).encode()
            wanted.server.forget("DELETE", "/_search/scroll", body)


class _Scroll:
    """A scroll of one shard. A page that does not come is lost: the scroll has gone on."""

    def __init__(self, wanted: Wanted, shard: int) -> None:
        self._wanted = wanted
        self._shard = shard
        self._first: Page | None = None
        # Its pages all have the same size: a small one leaves room for larger documents.
        self._size = max(1, wanted.size().size // 2)
        self.id = ""
        self.total = 0
        self.ended = False

    def open(self, interrupt: Interrupt) -> None:
        """Begin, with the first page."""
        wanted = self._wanted
        query = {
            **_WHOLE,
            "scroll": _SCROLL_KEPT,
            "preference": f"_shards:{self._shard}",
        }
        if wanted.index.frozen:
            query["ignore_throttled"] = "false"
        body = {**wanted.body, "sort": ["_doc"], "size": self._size, "track_total_hits": True}
        path = path_of(wanted.index.name) + "/_search"
        page = self._page(path, query, json.dumps(body).encode(), interrupt)
        if page.total is None:
            raise SourceFailedError(
                f"{wanted.server.where} does not count shard {self._shard} of {wanted.index.name}"
            )
        self.total = page.total
        self._first = page

    def next(self, interrupt: Interrupt) -> Page:
        """Read a page; a server that is busy is asked again, as its scroll has not moved then."""
        page, self._first = self._first, None
        if page is None:
            body = json.dumps({"scroll": _SCROLL_KEPT, "scroll_id": self.id}).encode()
            page = self._page("/_search/scroll", {}, body, interrupt)
        self.ended = page.count == 0
        return page

    def renew(self, interrupt: Interrupt) -> None:
        """Do nothing: a scroll is kept long enough, and cannot be asked for less than a page."""

    def _page(self, path: str, query: dict[str, str], body: bytes, interrupt: Interrupt) -> Page:
        wanted = self._wanted
        patience = Patience(interrupt=interrupt)
        while True:
            try:
                page = _cut(
                    wanted.server.once("POST", path, query=query, body=body, interrupt=interrupt),
                    wanted,
                )
            except LostError as error:
                raise _lost(wanted, error) from error
            except BusyError as error:
                if not patience.wait():
                    raise _too_busy(wanted, error) from error
                continue
            self.id = page.scroll or self.id
            return page


def _cut(body: bytes | bytearray, wanted: Wanted, *, before: int | None = None) -> Page:
    with _naming(wanted):
        return cut(body, before=before)


@contextmanager
def _naming(wanted: Wanted) -> Iterator[None]:
    """Say of a broken page where it came from."""
    try:
        yield
    except BrokenPageError as error:
        raise SourceFailedError(
            f"{wanted.server.where}, reading {wanted.index.name}: {error}"
        ) from error


def _lost(wanted: Wanted, error: LostError) -> SourceFailedError:
    return SourceFailedError(
        f"{wanted.server.where} has lost the search context of {wanted.index.name}, by which it is "
        f"read as of one moment: it expired, or a node has gone ({error})"
    )


def _too_busy(wanted: Wanted, error: BusyError) -> SourceFailedError:
    return SourceFailedError(
        f"{wanted.server.where} has been too busy for ten minutes to give the next page of "
        f"{wanted.index.name}: {error}"
    )
