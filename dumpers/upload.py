"""Writing to the store so that nothing half-way counts: records once, large objects in parts.

Every call runs in a worker thread, so that the main thread notices a signal while the store hangs.
"""

import base64
import hashlib
import logging
import queue
import zlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_futures
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from dumpers.contract import PART_SIZE, S3Location
from dumpers.errors import (
    InterruptedRunError,
    KsnapshotError,
    StorageFailedError,
    StorageRefusedError,
)
from dumpers.interrupt import Interrupt
from dumpers.log import fields
from dumpers.s3 import AlreadyThereError, Bucket, ForbiddenByStoreError, UnknownToStoreError

_LOG = logging.getLogger(__name__)
T = TypeVar("T")

MAX_PARTS = 10_000
MIN_PART_SIZE = 16 << 20
MAX_PART_SIZE = 5 << 30
_MEBIBYTE = 1 << 20
# gzip shrinks a dump to a quarter or less; four times what that promises still has to fit.
_EXPECTED_RATIO, _SAFETY = 4, 4
_IN_FLIGHT = 2
_LAST_PARTS_SECONDS = 5.0


def choose_part_size(estimate: int) -> int:
    """Size in bytes of an upload's parts, equal for all of them as some stores demand.

    `estimate` is the expected number of bytes before compression.
    """
    expected = estimate * _SAFETY // _EXPECTED_RATIO
    size = -(-expected // MAX_PARTS)
    mebibytes = -(-size // _MEBIBYTE)
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
    """The bucket as one run sees it. A context manager: leaving it gives its threads back."""

    def __init__(self, location: S3Location, *, run: str, interrupt: Interrupt) -> None:
        self._run = run
        self._interrupt = interrupt
        self._pool = ThreadPoolExecutor(_IN_FLIGHT, thread_name_prefix="s3")
        self._checksums = True
        self._bucket = self._call(lambda: Bucket(location))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def put_once(self, key: str, body: bytes) -> None:
        """Write a small object that must not be there yet.

        An answer that got lost is settled by reading the object back. Stores that do not know the
        condition are asked without it.
        """
        try:
            self._call(lambda: self._bucket.put(key, body, only_new=True))
        except UnknownToStoreError:
            self._call(lambda: self._bucket.put(key, body, only_new=False))
        except AlreadyThereError:
            if self._call(lambda: self._bucket.get(key)) != body:
                raise

    def probe(self, key: str) -> None:
        """Begin an upload under `key` and abort it: proof of bucket, keys and rights.

        Also finds out whether the store takes checksums of whole objects.
        """
        try:
            upload = self._create(key)
        except UnknownToStoreError:
            self._checksums = False
            upload = self._create(key)
        self._call(lambda: self._bucket.abort_upload(key, upload))

    def upload(self, key: str, *, part_size: int) -> "Upload":
        """Begin the upload of one large object in parts of `part_size` bytes."""
        return Upload(
            bucket=self._bucket,
            key=key,
            run=self._run,
            upload=self._create(key),
            part_size=part_size,
            checksums=self._checksums,
            pool=self._pool,
            interrupt=self._interrupt,
        )

    def _create(self, key: str) -> str:
        return self._call(
            lambda: self._bucket.create_upload(key, run=self._run, checksums=self._checksums)
        )

    def _call(self, call: Callable[[], T]) -> T:
        return self._interrupt.result(self._pool.submit(call))


class Upload:
    """A large object on its way: written like a file, there only after `complete`.

    A context manager: leaving it in any other way aborts the upload, so that nothing of it stays.
    Two buffers of one part each are all the memory it takes.
    """

    def __init__(
        self,
        *,
        bucket: Bucket,
        key: str,
        run: str,
        upload: str,
        part_size: int,
        checksums: bool,
        pool: ThreadPoolExecutor,
        interrupt: Interrupt,
    ) -> None:
        self._bucket = bucket
        self._key = key
        self._run = run
        self._upload = upload
        self._part_size = part_size
        self._checksums = checksums
        self._pool = pool
        self._interrupt = interrupt
        self._free: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
        for _ in range(_IN_FLIGHT):
            self._free.put(bytearray(part_size))
        self._buffer: bytearray | None = None
        self._filled = 0
        self._parts: list[Future[dict[str, Any]]] = []
        self._settled = 0
        self._digest = hashlib.sha256()
        self._crc32 = 0
        self._completed = False
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._completed:
            self._abort()

    def write(self, data: bytes, /) -> int:
        """Take `data`, sending each part that becomes full; raises what an earlier part met."""
        view = memoryview(data)
        self._digest.update(view)
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
        parts = [self._interrupt.result(part) for part in self._parts]
        crc32 = _base64_crc32(self._crc32)
        try:
            self._call(
                lambda: self._bucket.complete_upload(
                    self._key,
                    self._upload,
                    parts=parts,
                    size=self.size,
                    crc32=crc32 if self._checksums else None,
                )
            )
        except InterruptedRunError:
            raise
        except KsnapshotError:
            # The answer to a completion that succeeded may be lost: the object itself tells.
            if not self._is_stored(crc32):
                raise
            checked = True
        else:
            checked = self._confirm(crc32)
        self._completed = True
        return StoredObject(
            key=self._key,
            size=self.size,
            sha256=self._digest.hexdigest(),
            crc32=crc32,
            checked=checked,
        )

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
        head = self._call(lambda: self._bucket.head(self._key))
        return (
            head is not None
            and head.size == self.size
            and head.crc32 in (None, crc32)
            and head.run in (None, self._run)
        )

    def _next_buffer(self) -> bytearray:
        def take(timeout: float) -> bytearray:
            try:
                return self._free.get(timeout=timeout)
            except queue.Empty:
                raise TimeoutError from None

        buffer = self._interrupt.wait(take)
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
                body = buffer if filled == len(buffer) else bytes(memoryview(buffer)[:filled])
                return self._bucket.upload_part(
                    self._key,
                    self._upload,
                    number=number,
                    body=body,
                    crc32=_base64_crc32(zlib.crc32(body)) if self._checksums else None,
                )
            finally:
                self._free.put(buffer)

        self._parts.append(self._pool.submit(send))

    def _abort(self) -> None:
        # A part that arrives after the abort would stay in the store, so those under way may end
        # first; one that hangs is not waited for.
        wait_futures([part for part in self._parts if not part.cancel()], _LAST_PARTS_SECONDS)
        try:
            # In this thread: the workers may all hang.
            self._bucket.abort_upload(self._key, self._upload)
        except KsnapshotError as error:
            _LOG.warning(
                "an unfinished upload stays in the bucket: a lifecycle rule for incomplete "
                "multipart uploads removes it",
                extra=fields(key=self._key, upload=self._upload, error=str(error)),
            )

    def _call(self, call: Callable[[], T]) -> T:
        return self._interrupt.result(self._pool.submit(call))


def _base64_crc32(value: int) -> str:
    return base64.b64encode(value.to_bytes(4, "big")).decode()
