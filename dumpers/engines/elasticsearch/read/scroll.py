"""Reading an index by a scroll of each of its shards."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dumpers.engines.elasticsearch.client import BusyError, LostError, Patience, path_of
from dumpers.engines.elasticsearch.read.cursor import (
    IndexRead,
    Opened,
    cut_page,
    lost,
    too_busy,
)
from dumpers.engines.elasticsearch.read.pages import Page
from dumpers.runtime.errors import SourceFailedError
from dumpers.runtime.interrupt import Interrupt

_SCROLL_KEPT = 3600.0


@contextmanager
def open_scrolls(wanted: IndexRead, interrupt: Interrupt) -> Iterator[Opened]:
    """Open a scroll for every shard: each shard at its own moment, as with one scroll for all.

    Where the cluster holds fewer scrolls than there are shards, the others are opened when those
    before them have been read.
    """
    at_once = min(wanted.index.shards, max(1, wanted.limits.scrolls))
    frees = at_once < wanted.index.shards
    cursors = [_Scroll(wanted, shard, frees=frees) for shard in range(wanted.index.shards)]
    try:
        for cursor in cursors[:at_once]:
            cursor.open(interrupt)
        yield Opened(
            total=lambda: sum(cursor.total for cursor in cursors), cursors=cursors, at_once=at_once
        )
    finally:
        _clear(wanted, [cursor.id for cursor in cursors if cursor.id])


def _clear(wanted: IndexRead, ids: Sequence[str]) -> None:
    """Let the server forget these scrolls."""
    if ids:
        body = json.dumps({"scroll_id": ids}).encode()
        wanted.server.forget("DELETE", "/_search/scroll", body)


class _Scroll:
    """A scroll of one shard. A page that does not come is lost: the scroll has gone on.

    It is opened at the latest when it is read, and `frees` its place at the server at its end.
    """

    def __init__(self, wanted: IndexRead, shard: int, *, frees: bool) -> None:
        self._wanted = wanted
        self._shard = shard
        self._frees = frees
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
            **wanted.query,
            "scroll": wanted.kept(_SCROLL_KEPT),
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
        if not self.id:
            self.open(interrupt)
        page, self._first = self._first, None
        if page is None:
            kept = self._wanted.kept(_SCROLL_KEPT)
            body = json.dumps({"scroll": kept, "scroll_id": self.id}).encode()
            page = self._page("/_search/scroll", {}, body, interrupt)
        self.ended = page.count == 0
        if self.ended and self._frees:
            _clear(self._wanted, [self.id])
        return page

    def renew(self, interrupt: Interrupt) -> None:
        """Do nothing: a scroll is kept long enough, and cannot be asked for less than a page."""

    def _page(self, path: str, query: dict[str, str], body: bytes, interrupt: Interrupt) -> Page:
        wanted = self._wanted
        patience = Patience(interrupt=interrupt)
        while True:
            try:
                page = cut_page(
                    wanted.server.once("POST", path, query=query, body=body, interrupt=interrupt),
                    wanted,
                )
            except LostError as error:
                raise lost(wanted, error) from error
            except BusyError as error:
                if not patience.wait():
                    raise too_busy(wanted, error) from error
                continue
            self.id = page.scroll or self.id
            return page
