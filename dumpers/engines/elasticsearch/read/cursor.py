"""The parts that both ways of reading an index share: point in time and scroll."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from dumpers.engines.elasticsearch.client import BusyError, LostError, Server
from dumpers.engines.elasticsearch.indices import Index
from dumpers.engines.elasticsearch.product import NO_PIPELINE, Product
from dumpers.engines.elasticsearch.read.page_size import PageSize
from dumpers.engines.elasticsearch.read.pages import BrokenPageError, Page, cut
from dumpers.engines.elasticsearch.survey.limits import Limits
from dumpers.runtime.errors import SourceFailedError
from dumpers.runtime.interrupt import Interrupt

# How often a search context is renewed while its slice waits, where it is kept long enough.
RENEWED_SECONDS = 120.0
_RENEWED_OFTEN = 4
_LOOK_SECONDS = 0.1
_ENOUGH_SECONDS = 900.0
WHOLE_ANSWERS = {"allow_partial_search_results": "false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRead:
    """One index to read, `parallel` slices at a time, with `versions` of documents if asked for."""

    server: Server
    product: Product
    index: Index
    most: int
    parallel: int
    versions: bool = False
    limits: Limits = field(default_factory=Limits)

    @property
    def renewed_seconds(self) -> float:
        """How often a search context is renewed while its slice waits."""
        return min(RENEWED_SECONDS, self.limits.keep_alive / _RENEWED_OFTEN)

    def kept(self, seconds: float) -> str:
        """How long a search context is to be kept, as servers read it: as long as they allow."""
        return f"{round(1000 * min(seconds, self.limits.keep_alive))}ms"

    @property
    def query(self) -> dict[str, str]:
        """The parameters that all searches of the index itself share."""
        plain = {"search_pipeline": NO_PIPELINE} if self.index.pipeline else {}
        return {**WHOLE_ANSWERS, **plain}

    @property
    def body(self) -> dict[str, object]:
        """The body that all searches share."""
        source: object = True
        if self.product.leaves_vectors_out:
            source = {"exclude_vectors": False}
        # Else a cluster's own default may cut every search short.
        body: dict[str, object] = {"_source": source, "timeout": "-1"}
        if self.versions:
            body |= {"version": True, "seq_no_primary_term": True}
        return body

    def size(self) -> PageSize:
        """The size of the first page, by what the index takes on disk: packed, by about four."""
        average = 4 * self.index.size // self.index.documents if self.index.documents else 0
        return PageSize.begin(min(self.most, self.index.window), average=average)


def read_at_once(product: Product, index: Index, limits: Limits) -> bool:
    """Whether an index is read as of one moment, by a point in time.

    OpenSearch caps points in time by shards, and every shard needs a slice of its own. Where one
    search may not ask all shards, each is read by itself. That a point in time is opened without a
    search pipeline, which may be gone, nobody can tell the server.
    """
    if index.shards > limits.shards or index.pipeline:
        return False
    if not product.has_points_in_time or not product.is_opensearch:
        return product.has_points_in_time
    return index.shards <= min(limits.points, index.most_slices)


def acquire(
    slot: threading.Semaphore,
    interrupt: Interrupt,
    *,
    renew: Callable[[Interrupt], None],
    seconds: float,
) -> None:
    """Wait for a semaphore as long as other threads hold it, calling `renew` every `seconds`.

    `renew` keeps the waiting slice's search context alive. Raises what it raises, and
    InterruptedRunError.
    """
    renewed = time.monotonic()
    interrupt.check()
    while not slot.acquire(timeout=_LOOK_SECONDS):
        interrupt.check()
        if time.monotonic() - renewed > seconds:
            renew(interrupt)
            renewed = time.monotonic()


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
        """Keep the search context alive without reading."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An index opened for reading: its slices, of which `at_once` may be read at a time.

    `total` says how many documents it has at that moment, once all slices have been read.
    """

    total: Callable[[], int]
    cursors: Sequence[Cursor]
    at_once: int


def cut_page(body: bytes | bytearray, wanted: IndexRead, *, before: int | None = None) -> Page:
    """Cut a page into documents; SourceFailedError says which index's page is broken."""
    with naming(wanted):
        return cut(body, before=before)


@contextmanager
def naming(wanted: IndexRead) -> Iterator[None]:
    """Say of a broken page where it came from."""
    try:
        yield
    except BrokenPageError as error:
        raise SourceFailedError(
            f"{wanted.server.where}, reading {wanted.index.name}: {error}"
        ) from error


def lost(wanted: IndexRead, error: LostError) -> SourceFailedError:
    """The error for an index whose search context has gone."""
    return SourceFailedError(
        f"{wanted.server.where} has lost the search context of {wanted.index.name}, by which it is "
        f"read as of one moment: it expired, or a node has gone ({error}){_hint(wanted)}"
    )


def too_busy(wanted: IndexRead, error: BusyError) -> SourceFailedError:
    """The error for a server that stayed busy for as long as it was waited for."""
    return SourceFailedError(
        f"{wanted.server.where} has been too busy for ten minutes to give the next page of "
        f"{wanted.index.name}: {error}"
    )


def _hint(wanted: IndexRead) -> str:
    """What may help where the cluster keeps search contexts for a short time only; else empty."""
    if wanted.limits.keep_alive >= _ENOUGH_SECONDS:
        return ""
    return (
        f": the cluster keeps it for {wanted.limits.keep_alive:g} s at most, raise its setting "
        "search.max_keep_alive (or point_in_time.max_keep_alive) to 15m"
    )
