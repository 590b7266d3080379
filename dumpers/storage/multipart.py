"""Writes a large object in parts; the object exists only once it is whole."""

import base64
import queue
import secrets
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_futures
from typing import Any, Self

from isal import isal_zlib

from dumpers.contract.names import PART_SIZE
from dumpers.runtime.errors import StorageRefusedError
from dumpers.storage.completion import Completion, StoredObject
from dumpers.storage.open_uploads import abort, create
from dumpers.storage.part_size import MAX_PARTS, MEBIBYTE
from dumpers.storage.run_storage import IN_FLIGHT, RunStorage
from dumpers.streams.digest import BackgroundSha256

_TOKEN_BYTES = 8
# Together with the abort that follows, less than the 30 s after which a pod is killed.
_LAST_PARTS_SECONDS = 5.0


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
        return cls(store, key, create(store, key, token=token).id, buffers, token=token)

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
        # Parts that wait for the store stop waiting when the upload is left.
        self._scope = store.interrupt.child()
        self._sending = store.with_interrupt(self._scope)
        self._checksums = store.checksums
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
        self._scope.cancel("the end of its upload")
        wait_futures([part for part in self._parts if not part.cancel()], _LAST_PARTS_SECONDS)
        abort(self._store, self._key, self._upload)

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
        stored = Completion(
            store=self._store,
            key=self._key,
            upload=self._upload,
            token=self._token,
            size=self.size,
            sha256=self._digest.end(),
            crc32=_base64_crc32(self._crc32),
            checksums=self._checksums,
        ).complete(parts)
        self._completed = True
        return stored

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

        data = memoryview(buffer)[:filled]

        def send() -> dict[str, Any]:
            try:
                return self._sending.repeat(lambda: self._send_once(number, data))
            finally:
                self._free.put(buffer)

        self._parts.append(self._store.submit(send))

    def _send_once(self, number: int, data: memoryview) -> dict[str, Any]:
        """Send a part with its checksum; once more without, where the store refuses that."""
        bucket, refusal = self._sending.bucket, None
        if self._checksums:
            crc32 = _base64_crc32(isal_zlib.crc32(data))
            try:
                return bucket.upload_part(
                    self._key, self._upload, number=number, data=data, crc32=crc32
                )
            except StorageRefusedError as error:
                refusal = error
        part = bucket.upload_part(self._key, self._upload, number=number, data=data, crc32=None)
        if refusal is not None:
            self._checksums = False
            self._store.forgo_checksums(refusal)
        return part


def _base64_crc32(value: int) -> str:
    return base64.b64encode(value.to_bytes(4, "big")).decode()
