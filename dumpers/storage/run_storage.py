"""The bucket as one run sees it: every call runs in a worker thread, so that signals are noticed.

The main thread can then end the run in good order while the store hangs. Calls are made again while
the store is away, as long as the location's patience lasts.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from copy import copy
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Self, TypeVar

from dumpers.contract.storages.location import S3Location
from dumpers.runtime.errors import (
    InterruptedRunError,
    KsnapshotError,
    StorageFailedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.storage.errors import (
    AlreadyThereError,
    ForbiddenByStoreError,
    SignatureRefusedError,
    UnknownToStoreError,
)
from dumpers.storage.patience import Patience
from dumpers.storage.rate_limit import OnSent, RateLimit
from dumpers.storage.s3.object_lock import Lock, lock_from
from dumpers.storage.way_out import WayOut

if TYPE_CHECKING:
    from dumpers.storage.s3.bucket import S3Bucket

_LOG = logging.getLogger(__name__)
T = TypeVar("T")

# Calls at a time, of all uploads; threads are started only as they are needed.
_WORKERS = 16
# The patience of cleaning up at a store that was away for longer than the run's.
_GIVEN_UP_SECONDS = 5.0


def open_bucket(location: S3Location, pace: OnSent | None) -> "S3Bucket":
    """Load the SDK and set up its client, which takes half a second and no request."""
    from dumpers.storage.s3.bucket import S3Bucket  # noqa: PLC0415  half a second, in a worker

    return S3Bucket(location, pace)


def _with_pace(bucket: "S3Bucket", pace: OnSent) -> "S3Bucket":
    """The same bucket and client, with another pace."""
    other = copy(bucket)
    other.pace = pace
    return other


class RunStorage:
    """The bucket as one run sees it. A context manager: leaving it gives its threads back.

    The client is set up in the background: faults of the location are raised by the first call.
    `started` (UTC) is when a run began that writes dumps: locks count from then.
    """

    def __init__(
        self,
        location: S3Location,
        *,
        run: str,
        interrupt: Interrupt,
        patience: Patience | None = None,
        started: datetime | None = None,
    ) -> None:
        self.run = run
        self.interrupt = interrupt
        self.checksums = True
        self.lock = lock_from(location.object_lock, started)
        self.upload_concurrency = location.upload_concurrency
        self._patience = patience or Patience(seconds=location.patience)
        self._way_out = WayOut(self._patience, interrupt)
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="s3")
        rate = location.max_bandwidth
        self._rate_limit = RateLimit(rate) if rate else None
        pace = self._rate_limit.pace(interrupt.sleep) if self._rate_limit else None
        self._opening = self._pool.submit(lambda: open_bucket(location, pace))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def with_interrupt(self, interrupt: Interrupt) -> "RunStorage":
        """The same storage and threads, for calls that end with `interrupt`; not to be left.

        All such storages together keep the limit on bandwidth; waits for it end with `interrupt`.
        """
        other = copy(self)
        other.interrupt = interrupt
        if self._rate_limit:
            pace = self._rate_limit.pace(interrupt.sleep)
            opening = self.submit(lambda: _with_pace(self.bucket, pace))
            other._opening = opening  # noqa: SLF001  of this class
        return other

    @property
    def bucket(self) -> "S3Bucket":
        """For worker threads only: waits until the bucket is set up."""
        return self._opening.result()

    def bucket_heard(self, on_sent: OnSent) -> "S3Bucket":
        """The bucket, for worker threads only; `on_sent` hears of each block of a part, too."""
        bucket = self.bucket
        pace = bucket.pace

        def heard(size: int) -> None:
            if pace is not None:
                pace(size)
            on_sent(size)

        return _with_pace(bucket, heard)

    def given_up(self) -> "RunStorage":
        """The same storage, for cleaning up at a store that the run has given up.

        Nobody waits there for long, whatever the location's patience: a call that hangs keeps no
        good run from its end.
        """
        other = copy(self)
        seconds = min(self._patience.seconds, _GIVEN_UP_SECONDS)
        patience = replace(self._patience, seconds=seconds)
        other._way_out = WayOut(patience, self.interrupt, is_short=True)  # noqa: SLF001  of this class
        return other

    def submit(self, call: Callable[[], T]) -> "Future[T]":
        """Begin a call in a worker thread, as a single attempt."""
        return self._pool.submit(call)

    def attempt(self, call: Callable[[], T]) -> T:
        """Make a call once and wait for its result, or for the interrupt."""
        return self.interrupt.result(self.submit(call))

    def call(self, call: Callable[[], T]) -> T:
        """Make a call, again while the store is away, and wait for its result or the interrupt.

        The call must do no harm when made twice.
        """
        return self.attempt(lambda: self.repeat(call))

    def repeat(self, call: Callable[[], T]) -> T:
        """Make a call in this thread, again while the store is away; for worker threads only."""
        return self._patience.call(call, interrupt=self.interrupt)

    def call_at_end(self, call: Callable[[], T], *, last_seconds: float) -> T:
        """Make a call on the run's way out, whatever the interrupt says; see `WayOut.call`."""
        return self._way_out.call(call, last_seconds=last_seconds)

    def put_once(self, key: str, body: bytes, *, is_locked: bool = False) -> bool:
        """Write a small object that must not be there yet; `key` carries the run's random id.

        AlreadyThereError where the key holds something else. Where the answer got lost, the object
        is read back to find out. Stores that do not know the condition are asked before each
        attempt whether the key is free. Returns False only where the key is taken and its object
        may not be read: then it is the run's own, unless a sweep took the key after the run's
        deadline. With `is_locked` it gets the run's lock, where the location asks for one.
        """
        lock = self.lock if is_locked else None
        try:
            self.call(lambda: self.bucket.put(key, body, only_new=True, lock=lock))
        except (UnknownToStoreError, SignatureRefusedError):
            # A signature may fit without the condition, which something between dropped or altered.
            self.call(lambda: self._put_where_free(key, body, lock))
        except AlreadyThereError:
            try:
                stored = self.call(lambda: self.bucket.get(key))
            except ForbiddenByStoreError:
                _LOG.warning("written, but may not be read back", extra=fields(key=key))
                return False
            if stored != body:
                raise
        except StorageFailedError:
            if not self._was_put(key, body):
                raise
        return True

    def _put_where_free(self, key: str, body: bytes, lock: Lock | None) -> None:
        """Write without a condition, unless the key is seen to hold something else.

        One attempt, so that no pause lies between the look and the write.
        """
        with suppress(ForbiddenByStoreError):
            if self.bucket.head(key) is not None:
                if self.bucket.get(key) == body:
                    return
                raise AlreadyThereError(f"{key} exists already")
        self.bucket.put(key, body, only_new=False, lock=lock)

    def _was_put(self, key: str, body: bytes) -> bool:
        """Whether a write whose answer is an error or was lost has succeeded all the same."""
        try:
            return self.attempt(lambda: self.bucket.get(key)) == body
        except InterruptedRunError:
            raise
        except KsnapshotError:
            return False

    def forgo_checksums(self, refusal: KsnapshotError) -> None:
        """Ask the store for no more checksums: it refused a request with one, and not without."""
        self.checksums = False
        _LOG.info(
            "the store takes no checksums; sha256 proves the objects",
            extra=fields(why=str(refusal)),
        )
