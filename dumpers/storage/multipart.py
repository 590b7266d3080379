"""Writes a large object in parts; the object exists only once it is whole."""

import base64
import logging
import queue
import secrets
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_futures
from dataclasses import dataclass
from typing import Any, Self

from isal import isal_zlib

from dumpers.contract.names import PART_SIZE
from dumpers.runtime.errors import (
    InterruptedRunError,
    KsnapshotError,
    StorageFailedError,
    StorageRefusedError,
)
from dumpers.runtime.log import fields
from dumpers.storage.errors import ForbiddenByStoreError
from dumpers.storage.part_size import MAX_PARTS, MEBIBYTE
from dumpers.storage.run_storage import IN_FLIGHT, RunStorage
from dumpers.storage.s3.answers import Head
from dumpers.streams.digest import BackgroundSha256

_LOG = logging.getLogger(__name__)
_TOKEN_BYTES = 8
# Together with the abort that follows, less than the 30 s after which a pod is killed.
_LAST_PARTS_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object that is whole in the store; `checked` if the store confirmed this when asked.

    `crc32` is base64 of the big-endian CRC-32 of the whole, as S3 writes it.
    """

    key: str
    size: int
    sha256: str
    crc32: str
    checked: bool


class Upload:
    """A large object on its way: written like a file, existing only after `complete`.

    A context manager: leaving it in any other way aborts the upload, so that no part stays. Takes
    the memory of its buffers, of one part each.
    """

    @classmethod
    def begin(cls, store: RunStorage, key: str, *, part_size: int) -> Self:
        """Begin an upload in parts of `part_size` bytes."""
        # Memory first, so that no upload has begun where there is too little.
        buffers = [bytearray(part_size) for _ in range(IN_FLIGHT)]
        token = secrets.token_hex(_TOKEN_BYTES)
        return cls(store, key, store.create(key, token=token).id, buffers, token=token)

    def __init__(
        self,
        store: RunStorage,
        key: str,
        upload: str,
        buffers: Sequence[bytearray],
        *,
        token: str,
    ) -> None:
        self._store = store
        self._key = key
        self._upload = upload
        self._token = token
        self._part_size = len(buffers[0])
        self._free: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
        for buffer in buffers:
            self._free.put(buffer)
        self._buffer: bytearray | None = None
        self._filled = 0
        self._parts: list[Future[dict[str, Any]]] = []
        self._settled = 0
        self._digest = BackgroundSha256()
        self._crc32 = 0
        self._completed = False
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._digest.end()
        if self._completed:
            return
        # A part that arrives after the abort would stay in the store, so parts under way may end
        # first, but not for long: one may hang.
        wait_futures([part for part in self._parts if not part.cancel()], _LAST_PARTS_SECONDS)
        self._store.abort(self._key, self._upload)

    def write(self, data: bytes, /) -> int:
        """Take `data`, sending each part that becomes full; raises the errors of earlier parts."""
        view = memoryview(data)
        self._digest.update(data)
        self._crc32 = isal_zlib.crc32(view, self._crc32)
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
        """Make the object exist, then ask the store whether it holds what was sent.

        StorageFailedError if it holds something else. Where the run has no right to ask (HEAD), the
        store is trusted, with a warning in the log.
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
            # The answer to a completion that succeeded may be lost: see whether the object exists.
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
        """Whether a completion whose answer is an error has made the object all the same.

        A stream that is read again has the key, and often the size, of its first reading: the
        object counts only by what no earlier upload has, its token or its checksum.
        """
        try:
            head = self._head()
        except InterruptedRunError:
            raise
        except KsnapshotError:
            return False
        is_told = head is not None and not (head.upload is None and head.crc32 is None)
        return is_told and self._is_own(head, crc32)

    def _confirm(self, crc32: str) -> bool:
        try:
            head = self._head()
        except ForbiddenByStoreError:
            _LOG.warning(
                "the stored object could not be looked at: grant s3:GetObject to have it checked",
                extra=fields(key=self._key),
            )
            return False
        if not self._is_own(head, crc32):
            raise StorageFailedError(
                f"{self._key} was completed, but the store does not hold what was sent: it lost "
                "data, or another writer uses this key"
            )
        return True

    def _head(self) -> Head | None:
        return self._store.call(lambda: self._store.bucket.head(self._key))

    def _is_own(self, head: Head | None, crc32: str) -> bool:
        """Whether there is an object, and it is what this upload sent as far as can be seen."""
        return (
            head is not None
            and head.size == self.size
            and head.crc32 in (None, crc32)
            and head.run in (None, self._store.run)
            and head.upload in (None, self._token)
        )

    def _next_buffer(self) -> bytearray:
        buffer = self._store.interrupt.get(self._free)
        # A part that failed also gives its buffer back: its error is raised here.
        while self._settled < len(self._parts) and self._parts[self._settled].done():
            self._parts[self._settled].result()
            self._settled += 1
        return buffer

    def _send(self, buffer: bytearray) -> None:
        number, filled = len(self._parts) + 1, self._filled
        if number > MAX_PARTS:
            raise StorageRefusedError(
                f"{self._key} needs more than {MAX_PARTS} parts of {self._part_size // MEBIBYTE} "
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
                    crc32=_base64_crc32(isal_zlib.crc32(data)) if self._store.checksums else None,
                )
            finally:
                self._free.put(buffer)

        self._parts.append(self._store.submit(send))


def _base64_crc32(value: int) -> str:
    return base64.b64encode(value.to_bytes(4, "big")).decode()
