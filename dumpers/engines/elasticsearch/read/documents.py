"""All documents of all chosen indices as one stream of lines, with bounded memory.

Indices come one after the other, as stores cap what is open at a time; the slices of each are read
beside each other. An index counts as read when as many documents were written as it had at the
moment that it was opened at.
"""

import queue
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from dumpers.engines.elasticsearch.read.cursor import Cursor, IndexRead, Opened, read_at_once
from dumpers.engines.elasticsearch.read.pages import Page
from dumpers.engines.elasticsearch.read.point_in_time import open_point
from dumpers.engines.elasticsearch.read.scroll import open_scrolls
from dumpers.runtime.errors import SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import IterReader, Reader

# Slices of one index that are read at a time: enough to keep a server busy while pages travel.
PARALLEL = 4
# Pages that wait to be written, of all slices together.
_PAGES_AHEAD = 4
_LOOK_SECONDS = 0.2


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts the documents that were written; `commented` are indices with comments left out."""

    documents: dict[str, int] = field(default_factory=dict)
    commented: set[str] = field(default_factory=set)

    def metadata(self) -> Mapping[str, Any]:
        """The documents of each index, and those whose comments are not in the dump."""
        found: dict[str, Any] = {"documents": self.documents}
        if self.commented:
            found["comments_left_out"] = sorted(self.commented)
        return found


@contextmanager
def documents(wanted: Sequence[IndexRead], tally: Tally, interrupt: Interrupt) -> Iterator[Reader]:
    """Read all indices, in this order; leaving ends all that goes on for it."""
    blocks = _documents(wanted, tally, interrupt)
    try:
        yield IterReader(blocks)
    finally:
        blocks.close()


def _documents(
    wanted: Sequence[IndexRead], tally: Tally, interrupt: Interrupt
) -> Generator[bytes | memoryview, None, None]:
    for item in wanted:
        written = 0
        # Only one page larger than pages are meant to be is in memory at a time. A semaphore for
        # each index, as the threads of an index that is given up may never release it.
        oversized_page = threading.Semaphore(1)
        with _open_index(item, oversized_page, interrupt) as opened:
            for page in _pages(opened, item, oversized_page, interrupt):
                written += page.count
                if page.commented:
                    tally.commented.add(item.index.name)
                blocks = page.blocks
                # What is written leaves the memory before the next one is waited for.
                del page
                yield from blocks
                del blocks
            total = opened.total()
            if written != total:
                raise SourceFailedError(
                    f"{item.index.name} had {total} documents when it was opened, and {written} "
                    "were read"
                )
        tally.documents[item.index.name] = written


def _pages(
    opened: Opened, wanted: IndexRead, oversized_page: threading.Semaphore, interrupt: Interrupt
) -> Iterator[Page]:
    """The pages of all slices as they come, some slices at a time."""
    readers = _SliceReaders(opened.cursors, oversized_page, wanted.renewed_seconds)
    try:
        readers.start(min(wanted.parallel, opened.at_once, len(opened.cursors)))
        yield from readers.pages(interrupt)
    finally:
        readers.stop()


class _SliceReaders:
    """Threads that read slices, one after the other each, into one short queue."""

    def __init__(
        self, cursors: Sequence[Cursor], oversized_page: threading.Semaphore, renewed: float
    ) -> None:
        self._left = list(reversed(cursors))
        self._slices = len(cursors)
        self._ahead: queue.Queue[Page | BaseException | None] = queue.Queue(_PAGES_AHEAD)
        # Of its own, so that the threads end when whoever reads has left.
        self._interrupt = Interrupt()
        self._oversized_page = oversized_page
        self._renewed_seconds = renewed
        self._threads: list[threading.Thread] = []

    def start(self, number: int) -> None:
        """Begin to read."""
        for _ in range(number):
            thread = threading.Thread(target=self._work, name="slice", daemon=True)
            self._threads.append(thread)
            thread.start()

    def pages(self, interrupt: Interrupt) -> Iterator[Page]:
        """The pages that the threads read, until all slices have ended; raises their errors."""
        ended = 0
        while ended < self._slices:
            taken = interrupt.get(self._ahead)
            if taken is None:
                ended += 1
            elif isinstance(taken, BaseException):
                raise taken
            else:
                large = taken.large
                yield taken
                del taken
                if large:
                    self._oversized_page.release()

    def stop(self) -> None:
        """Let all threads end; none of them does anything to the server after this."""
        self._interrupt.cancel("the end of the reading")
        for thread in self._threads:
            while thread.is_alive():
                # One of them may wait for a place in the queue.
                with suppress(queue.Empty):
                    self._ahead.get_nowait()
                thread.join(_LOOK_SECONDS)

    def _work(self) -> None:
        try:
            while self._left:
                try:
                    cursor = self._left.pop()
                except IndexError:
                    return
                while not cursor.ended:
                    page = cursor.next(self._interrupt)
                    if page.count:
                        self._hand_over(page, cursor)
                    del page
                self._ahead.put(None)
        except BaseException as error:  # noqa: BLE001  whoever reads raises it
            if not self._interrupt.is_cancelled:
                self._ahead.put(error)

    def _hand_over(self, page: Page, cursor: Cursor) -> None:
        """Put a page into the queue; while the queue is full, renew the slice's search context."""
        renewed = time.monotonic()
        while True:
            self._interrupt.check()
            try:
                self._ahead.put(page, timeout=_LOOK_SECONDS)
            except queue.Full:
                if time.monotonic() - renewed > self._renewed_seconds:
                    cursor.renew(self._interrupt)
                    renewed = time.monotonic()
                continue
            return


def _open_index(
    wanted: IndexRead, oversized_page: threading.Semaphore, interrupt: Interrupt
) -> AbstractContextManager[Opened]:
    """Open an index; a context that closes what the server keeps for it."""
    if read_at_once(wanted.product, wanted.index, wanted.limits):
        return open_point(wanted, oversized_page, interrupt)
    return open_scrolls(wanted, interrupt)
