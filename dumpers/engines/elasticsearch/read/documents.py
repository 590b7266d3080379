"""All documents of all chosen indices as one stream of lines, with bounded memory.

Indices come one after the other, as stores cap what is open at a time; the slices of each are read
beside each other. An index counts as read when as many documents were written as it had at the
moment that it was opened at.
"""

import ctypes
import queue
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from dumpers.engines.elasticsearch.read.cursor import (
    RENEWED_SECONDS,
    Cursor,
    IndexRead,
    Opened,
    OversizedPageSlot,
)
from dumpers.engines.elasticsearch.read.pages import Page
from dumpers.engines.elasticsearch.read.point_in_time import open_point
from dumpers.engines.elasticsearch.read.scroll import open_scrolls
from dumpers.runtime.errors import SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import IterReader, Reader

# Pages that wait to be written, of all slices together.
_PAGES_AHEAD = 4
_LOOK_SECONDS = 0.2
_M_MMAP_THRESHOLD, _LARGE_PIECE = -3, 256 << 10
"""https://man7.org/linux/man-pages/man3/mallopt.3.html"""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What has been written of the indices so far; `metadata` is for the manifest."""

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
    _give_memory_back()
    blocks = _documents(wanted, tally, interrupt)
    try:
        yield IterReader(blocks)
    finally:
        blocks.close()


def _give_memory_back() -> None:
    """Have the memory of pages go back to the system as soon as they are written.

    By itself glibc keeps what it once gave out for larger and larger pieces, for every thread.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_PIECE)


def _documents(
    wanted: Sequence[IndexRead], tally: Tally, interrupt: Interrupt
) -> Generator[bytes | memoryview, None, None]:
    for item in wanted:
        written = 0
        # One for each: an index that is given up may have taken it for good.
        room = OversizedPageSlot()
        with _open_index(item, room, interrupt) as opened:
            for page in _pages(opened, item.parallel, room, interrupt):
                written += page.count
                if page.commented:
                    tally.commented.add(item.index.name)
                blocks = page.blocks
                # What is written leaves the memory before the next one is waited for.
                del page
                yield from blocks
                del blocks
            if written != opened.total:
                raise SourceFailedError(
                    f"{item.index.name} had {opened.total} documents when it was opened, and "
                    f"{written} were read"
                )
        tally.documents[item.index.name] = written


def _pages(
    opened: Opened, parallel: int, room: OversizedPageSlot, interrupt: Interrupt
) -> Iterator[Page]:
    """The pages of all slices as they come, some slices at a time."""
    crew = _SliceReaders(opened.cursors, room)
    try:
        crew.start(min(parallel, len(opened.cursors)))
        yield from crew.pages(interrupt)
    finally:
        crew.stop()


class _SliceReaders:
    """Threads that read slices, one after the other each, into one short queue."""

    def __init__(self, cursors: Sequence[Cursor], room: OversizedPageSlot) -> None:
        self._left = list(reversed(cursors))
        self._slices = len(cursors)
        self._ahead: queue.Queue[Page | BaseException | None] = queue.Queue(_PAGES_AHEAD)
        # Of its own, so that the threads end when whoever reads has left.
        self._interrupt = Interrupt()
        self._room = room
        self._threads: list[threading.Thread] = []

    def start(self, number: int) -> None:
        """Begin to read."""
        for _ in range(number):
            thread = threading.Thread(target=self._work, name="slice", daemon=True)
            self._threads.append(thread)
            thread.start()

    def pages(self, interrupt: Interrupt) -> Iterator[Page]:
        """What they read, until all slices have come to their ends; their errors are raised."""
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
                    self._room.give_back()

    def stop(self) -> None:
        """Let all threads end; none of them does anything to the server after this."""
        self._interrupt.cancel("the end of the reading")
        for thread in self._threads:
            while thread.is_alive():
                # One of them may wait for room.
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
        """Put a page into the queue; while there is no room, the server must not forget us."""
        renewed = time.monotonic()
        while True:
            self._interrupt.check()
            try:
                self._ahead.put(page, timeout=_LOOK_SECONDS)
            except queue.Full:
                if time.monotonic() - renewed > RENEWED_SECONDS:
                    cursor.renew(self._interrupt)
                    renewed = time.monotonic()
                continue
            return


def _open_index(
    wanted: IndexRead, room: OversizedPageSlot, interrupt: Interrupt
) -> AbstractContextManager[Opened]:
    """Open an index; a context that closes what the server keeps for it."""
    if wanted.product.has_points_in_time:
        return open_point(wanted, room, interrupt)
    return open_scrolls(wanted, interrupt)
