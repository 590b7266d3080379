"""Reading an index by a point in time, in slices."""

import itertools
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from dumpers.engines.elasticsearch.client import BusyError, LostError, Patience, path_of
from dumpers.engines.elasticsearch.indices import Index
from dumpers.engines.elasticsearch.read.cursor import (
    WHOLE_ANSWERS,
    IndexRead,
    Opened,
    acquire,
    cut_page,
    lost,
    naming,
    too_busy,
)
from dumpers.engines.elasticsearch.read.page_size import LARGEST
from dumpers.engines.elasticsearch.read.pages import Page, cut, number_in
from dumpers.runtime.errors import KsnapshotError, SourceFailedError
from dumpers.runtime.interrupt import Interrupt

# Every page renews them; between two, a busy server is waited for as long as `Patience` says.
# They are closed in any case; this long they outlive a dump that is killed.
_POINT_KEPT = 900.0
# Below this a shard is not worth being read in several slices.
_SLICED_BYTES = 32 << 20
_UNREACHED = 5


class _Point:
    """A point in time, shared by its slices; its id may change with every answer."""

    def __init__(self, wanted: IndexRead, id_: str) -> None:
        self.wanted = wanted
        self.id = id_

    @property
    def body(self) -> dict[str, str]:
        """The part of a search's body that names and renews it."""
        return {"id": self.id, "keep_alive": self.wanted.kept(_POINT_KEPT)}

    def search(self, interrupt: Interrupt, **more: object) -> bytes:
        """The whole answer of a small search."""
        body = {"pit": self.body, "timeout": "-1", **more}
        return self.wanted.server.ask(
            "POST",
            "/_search",
            query=WHOLE_ANSWERS,
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
def open_point(
    wanted: IndexRead, oversized_page: threading.Semaphore, interrupt: Interrupt
) -> Iterator[Opened]:
    """Open a point in time for an index, and close it behind."""
    server, index = wanted.server, wanted.index
    if wanted.product.is_opensearch:
        path = path_of(index.name) + "/_search/point_in_time"
        # It would else open one of the shards that are there, and say nothing.
        query = {"keep_alive": wanted.kept(_POINT_KEPT), "allow_partial_pit_creation": "false"}
    else:
        path = path_of(index.name) + "/_pit"
        query = {"keep_alive": wanted.kept(_POINT_KEPT)}
        if index.frozen:
            query["ignore_throttled"] = "false"
    opened = server.json("POST", path, query=query, interrupt=interrupt)
    point = _Point(wanted, opened.get("pit_id") or opened.get("id") or "")
    try:
        counted = cut_page(point.search(interrupt, size=0, track_total_hits=True), wanted)
        total = counted.total
        if total is None:
            raise SourceFailedError(f"{server.where} does not count {index.name}")
        many = slices(index, wanted.parallel)
        if wanted.product.slices_by_number:
            many = min(many, index.most_slices)
        parts = _parts(point, many, interrupt) if total else ()
        cursors = [_Slice(point, part, oversized_page) for part in parts]
        yield Opened(total=lambda: total, cursors=cursors, at_once=len(cursors))
    finally:
        point.close()


def slices(index: Index, parallel: int) -> int:
    """The number of slices: the same for each shard, so that no slice has documents of two."""
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
        """The part of a search's body that selects the slice."""
        return {"slice": {"id": self.number, "max": self.many}} if self.many > 1 else {}


def _parts(point: _Point, many: int, interrupt: Interrupt) -> Sequence[_Part]:
    """The parts that are read side by side; no part has documents of two shards."""
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
        with naming(point.wanted):
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

    def __init__(self, point: _Point, part: _Part, oversized_page: threading.Semaphore) -> None:
        self._point = point
        self._oversized_page = oversized_page
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
                raise lost(wanted, error) from error
            except BusyError as error:
                self._size.refused()
                if not patience.wait():
                    raise too_busy(wanted, error) from error
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
        page = cut_page(body, self._point.wanted, before=self._before)
        if self._large and not page.count:
            # Its one document is the next part's: nobody will write it and release the semaphore.
            self._oversized_page.release()
            return page
        return replace(page, large=self._large)

    def _fetch(self, size: int, interrupt: Interrupt) -> bytearray | None:
        """An answer's body; None where it is too large and was dropped."""
        wanted = self._point.wanted
        text = json.dumps({**self._body, "size": size, "pit": self._point.body}).encode()
        if self._after:
            text = text[:-1] + b',"search_after":' + self._after + b"}"
        body = bytearray()
        large = False
        try:
            with wanted.server.http.stream(
                "POST", "/_search", query=WHOLE_ANSWERS, body=text, interrupt=interrupt
            ) as (answer, reader):
                while block := reader.read():
                    body += block
                    if len(body) > LARGEST and not large:
                        if self._size.too_large():
                            return None
                        acquire(
                            self._oversized_page,
                            interrupt,
                            renew=self.renew,
                            seconds=wanted.renewed_seconds,
                        )
                        large = True
            wanted.server.check_answer(answer, body)
        except BaseException:
            if large:
                self._oversized_page.release()
            raise
        self._large = large
        return body
