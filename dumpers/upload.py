"""Writing to the store so that nothing half-way counts: records once, large objects in parts.

Every call runs in a worker thread, so that the main thread notices a signal while the store hangs.
"""

import base64
import logging
import math
import queue
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_futures
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, TypeVar

from dumpers.bucket import (
    AlreadyThereError,
    Bucket,
    CreatedUpload,
    ForbiddenByStoreError,
    UnknownToStoreError,
    open_bucket,
)
from dumpers.contract import PART_SIZE
from dumpers.errors import (
    InterruptedRunError,
    KsnapshotError,
    StorageFailedError,
    StorageRefusedError,
)
from dumpers.interrupt import Interrupt
from dumpers.location import S3Location
from dumpers.log import fields
from dumpers.pace import Pacer
from dumpers.stream import Digest

_LOG = logging.getLogger(__name__)
T = TypeVar("T")

MAX_PARTS = 10_000
MIN_PART_SIZE = 16 << 20
MAX_PART_SIZE = 5 << 30
_MEBIBYTE = 1 << 20
# Random bytes, the worst there is, leave pg_dump as hex and gzip at 1.09 times their size.
_WORST_RATIO = 1.25
_IN_FLIGHT = 2
# Kubernetes kills a pod 30 s after it asked it to end: all of them together stay below.
_LAST_PARTS_SECONDS, _LAST_CALL_SECONDS = 5.0, 8.0
_ABORT_SECONDS = 120.0


def choose_part_size(estimate: int) -> int:
    """Size in bytes of an upload's parts, equal for all of them as some stores demand.

    `estimate` is the expected number of bytes before compression.
    """
    mebibytes = math.ceil(estimate * _WORST_RATIO / MAX_PARTS / _MEBIBYTE)
    return min(max(mebibytes * _MEBIBYTE, MIN_PART_SIZE), MAX_PART_SIZE)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object that is whole in the store; `checked` says whether the store was seen to hold it.

    `crc32` is base64 of the big-endian CRC-32 of the whole, as S3 writes it.
    """

    key: str
    size: int
    sha256: str
    crc32: str
    checked: bool


class Store:
    """The bucket as one run sees it. A context manager: leaving it gives its threads back.

    It is set up in the background: making a Store takes no time, and the first call tells faults.
    """

    def __init__(self, location: S3Location, *, run: str, interrupt: Interrupt) -> None:
        self.run = run
        self.interrupt = interrupt
        self.checksums = True
        self._pool = ThreadPoolExecutor(_IN_FLIGHT, thread_name_prefix="s3")
        rate = location.max_bandwidth
        pace = Pacer(rate, pause=interrupt.pause) if rate else None
        self._opening = self._pool.submit(lambda: open_bucket(location, pace))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def bucket(self) -> Bucket:
        """For worker threads only: waits until the bucket is set up."""
        return self._opening.result()

    def submit(self, call: Callable[[], T]) -> "Future[T]":
        """Begin a call in a worker thread."""
        return self._pool.submit(call)

    def call(self, call: Callable[[], T]) -> T:
        """Make a call and wait for its result, or for the interrupt."""
        return self.interrupt.result(self.submit(call))

    def aside(self, call: Callable[[], T]) -> "Future[T]":
        """Begin something in a thread of its own: the workers may all hang, and so may this."""
        pool = ThreadPoolExecutor(1, thread_name_prefix="aside")
        try:
            return pool.submit(call)
        finally:
            pool.shutdown(wait=False)

    def put_once(self, key: str, body: bytes) -> None:
        """Write a small object that must not be there yet; `key` carries the run's random id.

        An answer that got lost is settled by reading the object back. Stores that do not know the
        condition are asked without it.
        """
        try:
            self.call(lambda: self.bucket.put(key, body, only_new=True))
        except UnknownToStoreError:
            self.call(lambda: self.bucket.put(key, body, only_new=False))
        except AlreadyThereError:
            try:
                stored = self.call(lambda: self.bucket.get(key))
            except ForbiddenByStoreError:
                # Nobody else knows the run's id: what is there is our own, its answer was lost.
                _LOG.warning("written, but may not be read back", extra=fields(key=key))
                return
            if stored != body:
                raise

    def probe(self, key: str) -> None:
        """Begin an upload under `key` and abort it: proof of bucket, keys and rights.

        Also finds out whether the store keeps checksums of whole objects.
        """
        try:
            created = self._create(key)
        except UnknownToStoreError:
            self.checksums = False
            created = self._create(key)
        self.checksums = created.checksums
        abort = self.submit(lambda: self.bucket.abort_upload(key, created.id))
        try:
            self.interrupt.result(abort)
        except InterruptedRunError:
            wait_futures([abort], _LAST_CALL_SECONDS)
            raise

    def upload(self, key: str, *, part_size: int) -> "Upload":
        """Begin the upload of one large object in parts of `part_size` bytes."""
        # Memory first: where there is too little, no upload has been begun.
        buffers = [bytearray(part_size) for _ in range(_IN_FLIGHT)]
        return Upload(self, key, self._create(key).id, buffers)

    def abort(self, key: str, upload: str) -> None:
        """Drop an upload, within seconds once the run was told to end; never raises."""
        done = self.aside(lambda: self.bucket.abort_upload(key, upload))
        try:
            done.result(_LAST_CALL_SECONDS if self.interrupt.is_tripped else _ABORT_SECONDS)
        except (KsnapshotError, TimeoutError) as error:
            _LOG.warning(
                "an unfinished upload stays in the bucket: a lifecycle rule for incomplete "
                "multipart uploads removes it",
                extra=fields(key=key, upload=upload, error=str(error) or "no answer"),
            )

    def _create(self, key: str) -> CreatedUpload:
        begin = self.submit(
            lambda: self.bucket.create_upload(key, run=self.run, checksums=self.checksums)
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


class Upload:
    """A large object on its way: written like a file, there only after `complete`.

    A context manager: leaving it in any other way aborts the upload, so that nothing of it stays.
    Its buffers, of one part each, are all the memory it takes.
    """

    def __init__(self, store: Store, key: str, upload: str, buffers: Sequence[bytearray]) -> None:
        self._store = store
        self._key = key
        self._upload = upload
        self._part_size = len(buffers[0])
        self._free: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
        for buffer in buffers:
            self._free.put(buffer)
        self._buffer: bytearray | None = None
        self._filled = 0
        self._parts: list[Future[dict[str, Any]]] = []
        self._settled = 0
        self._digest = Digest()
        self._crc32 = 0
        self._completed = False
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._digest.end()
        if self._completed:
            return
        # A part that arrives after the abort would stay in the store, so those under way may end
        # first; one that hangs is not waited for.
        wait_futures([part for part in self._parts if not part.cancel()], _LAST_PARTS_SECONDS)
        self._store.abort(self._key, self._upload)

    def write(self, data: bytes, /) -> int:
        """Take `data`, sending each part that becomes full; raises what an earlier part met."""
        view = memoryview(data)
        self._digest.update(data)
        self._crc32 = zlib.crc32(view, self._crc32)
        while view:
            if self._buffer is None:
                self._buffer = self._next_buffer()
            taken = min(len(view), self._part_size - self._filled)
            self._buffer[self._filled : self._filled + taken] = view[:taken]
            self._filled += taken
            self.size += taken
            view = view[taken:]
            if self._filled == self._part_size:
                self._send(self._buffer)
        return len(data)

    def flush(self) -> None:
        """Do nothing: a part is sent when it is full, the last one by `complete`."""

    def complete(self) -> StoredObject:
        """Make the object exist, then see that the store holds what was sent.

        StorageFailedError if it holds something else. A store that may not be asked (HEAD is
        forbidden) is believed, and said so.
        """
        if self._buffer is not None:
            self._send(self._buffer)
        parts = [self._store.interrupt.result(part) for part in self._parts]
        crc32 = _base64_crc32(self._crc32)
        try:
            self._store.call(
                lambda: self._store.bucket.complete_upload(
                    self._key,
                    self._upload,
                    parts=parts,
                    size=self.size,
                    crc32=crc32 if self._store.checksums else None,
                )
            )
        except InterruptedRunError:
            raise
        except KsnapshotError:
            # The answer to a completion that succeeded may be lost: the object itself tells.
            if not self._was_stored(crc32):
                raise
            checked = True
        else:
            checked = self._confirm(crc32)
        self._completed = True
        return StoredObject(
            key=self._key,
            size=self.size,
            sha256=self._digest.end(),
            crc32=crc32,
            checked=checked,
        )

    def _was_stored(self, crc32: str) -> bool:
        try:
            return self._is_stored(crc32)
        except InterruptedRunError:
            raise
        except KsnapshotError:
            return False

    def _confirm(self, crc32: str) -> bool:
        try:
            stored = self._is_stored(crc32)
        except ForbiddenByStoreError:
            _LOG.warning(
                "the stored object could not be looked at: grant s3:GetObject to have it checked",
                extra=fields(key=self._key),
            )
            return False
        if not stored:
            raise StorageFailedError(
                f"{self._key} was completed, but the store does not hold what was sent: it lost "
                "data, or another writer uses this key"
            )
        return True

    def _is_stored(self, crc32: str) -> bool:
        head = self._store.call(lambda: self._store.bucket.head(self._key))
        return (
            head is not None
            and head.size == self.size
            and head.crc32 in (None, crc32)
            and head.run in (None, self._store.run)
        )

    def _next_buffer(self) -> bytearray:
        def take(timeout: float) -> bytearray:
            try:
                return self._free.get(timeout=timeout)
            except queue.Empty:
                raise TimeoutError from None

        buffer = self._store.interrupt.wait(take)
        # A buffer comes back from a part that failed, too: this is where its error is met.
        while self._settled < len(self._parts) and self._parts[self._settled].done():
            self._parts[self._settled].result()
            self._settled += 1
        return buffer

    def _send(self, buffer: bytearray) -> None:
        number, filled = len(self._parts) + 1, self._filled
        if number > MAX_PARTS:
            raise StorageRefusedError(
                f"{self._key} needs more than {MAX_PARTS} parts of {self._part_size // _MEBIBYTE} "
                f"MiB, the most that S3 takes: set {PART_SIZE} to a higher number"
            )
        self._buffer, self._filled = None, 0

        def send() -> dict[str, Any]:
            try:
                data = memoryview(buffer)[:filled]
                return self._store.bucket.upload_part(
                    self._key,
                    self._upload,
                    number=number,
                    data=data,
                    crc32=_base64_crc32(zlib.crc32(data)) if self._store.checksums else None,
                )
            finally:
                self._free.put(buffer)

        self._parts.append(self._store.submit(send))


def _base64_crc32(value: int) -> str:
    return base64.b64encode(value.to_bytes(4, "big")).decode()
