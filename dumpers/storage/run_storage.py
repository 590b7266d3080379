"""The bucket as one run sees it: every call runs in a worker thread, so that signals are noticed.

The main thread can then end the run in good order while the store hangs.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_futures
from contextlib import suppress
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from dumpers.contract.location import S3Location
from dumpers.runtime.errors import InterruptedRunError, KsnapshotError, StorageFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.storage.errors import AlreadyThereError, ForbiddenByStoreError, UnknownToStoreError
from dumpers.storage.rate_limit import OnSent, RateLimit
from dumpers.storage.s3.answers import CreatedUpload

if TYPE_CHECKING:
    from dumpers.storage.s3.bucket import S3Bucket

_LOG = logging.getLogger(__name__)
T = TypeVar("T")

# The parts of one upload that are under way at once; each fills a buffer.
IN_FLIGHT = 2
# Calls at a time, of all uploads; threads are started only as they are needed.
_WORKERS = 16
# With the last parts of an upload it has to stay below the 30 s after which a pod is killed.
_LAST_CALL_SECONDS = 7.0
# Stands for the token of an upload that is never completed.
_PROBE = "probe"
_ABORT_SECONDS = 120.0


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
    """

    def __init__(self, location: S3Location, *, run: str, interrupt: Interrupt) -> None:
        self.run = run
        self.interrupt = interrupt
        self.checksums = True
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

    def submit(self, call: Callable[[], T]) -> "Future[T]":
        """Begin a call in a worker thread."""
        return self._pool.submit(call)

    def call(self, call: Callable[[], T]) -> T:
        """Make a call and wait for its result, or for the interrupt."""
        return self.interrupt.result(self.submit(call))

    def run_detached(self, call: Callable[[], T]) -> "Future[T]":
        """Begin a call outside the worker threads, which may all wait for a store that hangs."""
        pool = ThreadPoolExecutor(1, thread_name_prefix="detached")
        try:
            return pool.submit(call)
        finally:
            pool.shutdown(wait=False)

    def put_once(self, key: str, body: bytes) -> bool:
        """Write a small object that must not be there yet; `key` carries the run's random id.

        AlreadyThereError where the key holds something else. Where the answer got lost, the object
        is read back to find out. Stores that do not know the condition are asked before whether
        the key is free. Returns False only where the key is taken and its object may not be read:
        then it is the run's own, unless a sweep took the key after the run's deadline.
        """
        try:
            self.call(lambda: self.bucket.put(key, body, only_new=True))
        except UnknownToStoreError:
            self._put_where_free(key, body)
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

    def _put_where_free(self, key: str, body: bytes) -> None:
        """Write without a condition, unless the key is seen to hold something else."""
        with suppress(ForbiddenByStoreError):
            if self.call(lambda: self.bucket.head(key)) is not None:
                if self.call(lambda: self.bucket.get(key)) == body:
                    return
                raise AlreadyThereError(f"{key} exists already")
        self.call(lambda: self.bucket.put(key, body, only_new=False))

    def _was_put(self, key: str, body: bytes) -> bool:
        """Whether a write whose answer is an error or was lost has succeeded all the same."""
        try:
            return self.call(lambda: self.bucket.get(key)) == body
        except InterruptedRunError:
            raise
        except KsnapshotError:
            return False

    def probe(self, key: str) -> None:
        """Begin an upload under `key` and abort it: proof of bucket, keys and rights.

        Also finds out whether the store keeps checksums of whole objects.
        """
        try:
            created = self.create(key, token=_PROBE)
        except UnknownToStoreError:
            self.checksums = False
            created = self.create(key, token=_PROBE)
        self.checksums = created.checksums
        abort = self.submit(lambda: self.bucket.abort_upload(key, created.id))
        try:
            self.interrupt.result(abort)
        except InterruptedRunError:
            wait_futures([abort], _LAST_CALL_SECONDS)
            raise

    def create(self, key: str, *, token: str) -> CreatedUpload:
        """Begin an upload, and drop those that lost answers left under this key.

        The object will carry `token`, by which it is told from one of an earlier upload.
        """
        begin = self.submit(
            lambda: self.bucket.create_upload(
                key, run=self.run, token=token, checksums=self.checksums
            )
        )
        try:
            created = self.interrupt.result(begin)
        except InterruptedRunError:
            # It may have been begun all the same, and only its answer knows its id.
            with suppress(KsnapshotError, TimeoutError):
                self.abort(key, begin.result(_LAST_CALL_SECONDS).id)
            raise
        if created.retried:
            self._abort_strays(key, keep=created.id)
        return created

    def abort(self, key: str, upload: str) -> None:
        """Drop an upload, within seconds once the run was told to end; never raises."""
        done = self.run_detached(lambda: self.bucket.abort_upload(key, upload))
        try:
            done.result(_LAST_CALL_SECONDS if self.interrupt.is_over else _ABORT_SECONDS)
        except (KsnapshotError, TimeoutError) as error:
            _LOG.warning(
                "an unfinished upload stays in the bucket: a lifecycle rule for incomplete "
                "multipart uploads removes it",
                extra=fields(key=key, upload=upload, error=str(error) or "no answer"),
            )

    def _abort_strays(self, key: str, *, keep: str) -> None:
        """Drop what the store began without us hearing of it; nobody else writes this key."""
        try:
            for found, upload in self.call(lambda: self.bucket.uploads(key)):
                if found == key and upload != keep:
                    self.call(partial(self.bucket.abort_upload, key, upload))
        except InterruptedRunError:
            self.abort(key, keep)
            raise
        except KsnapshotError as error:
            _LOG.info("an upload may stay open", extra=fields(key=key, why=str(error)))
