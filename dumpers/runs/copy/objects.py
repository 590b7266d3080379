"""Copies the objects of a backup as they are stored: no key is needed, nothing is unpacked."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from dumpers.repository.copying.move import Move
from dumpers.repository.records import ObjectRecord
from dumpers.runs.progress import COPYING, shown
from dumpers.runtime.errors import BackupDamagedError, StorageRefusedError
from dumpers.runtime.threads import map_parallel
from dumpers.storage.download import Download
from dumpers.storage.errors import ForbiddenByStoreError
from dumpers.storage.multipart import Upload
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.s3.answers import Head
from dumpers.storage.s3.object_lock import Lock
from dumpers.storage.stores import Stores
from dumpers.streams.reader import BLOCK_BYTES

# Each has the buffers of an upload, and some blocks that are read ahead.
_AT_A_TIME = 2
# By so much the lock of what an earlier copy left may end before this copy's.
_EARLIER = timedelta(days=1)


@dataclass(slots=True, kw_only=True)
class ObjectCopies:
    """Copies objects from `source` to `target`, whose run is the backup's.

    `sent` counts the bytes that were written, those of attempts that failed among them.
    """

    source: RunStorage
    target: RunStorage
    move: Move
    sent: int = 0
    _skipped: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def copy_all(self, objects: Sequence[ObjectRecord]) -> Mapping[str, bool]:
        """Copy the objects; by each one's key in the target whether that confirmed it.

        Objects that the target vouches for by their checksum, as an earlier copy left them, are
        not sent again. BackupDamagedError, and the object is not made, where what comes from the
        source is not what its record says; StorageRefusedError where another run's would be
        replaced.
        """
        scope = self.target.interrupt.child()
        source, target = self.source.with_interrupt(scope), self.target.with_interrupt(scope)
        checked: dict[str, bool] = {}

        def copy(item: ObjectRecord) -> None:
            checked[self.move.key(item.key)] = self._copy(source, target, item)

        total = sum(item.size for item in objects)
        with shown(COPYING, total, lambda: self.sent + self._skipped, lambda: "a store"):
            map_parallel(
                copy,
                objects,
                at_a_time=min(_AT_A_TIME, len(objects)),
                name="copy",
                stop=lambda: scope.cancel("the failure of another object"),
            )
        return checked

    def _copy(self, source: RunStorage, target: RunStorage, item: ObjectRecord) -> bool:
        key = self.move.key(item.key)
        if self._is_there(target, key, item):
            with self._lock:
                self._skipped += item.size
            return True
        name = self.move.storage
        stores = Stores({name: target}, interrupt=target.interrupt)
        with (
            Upload.begin(
                stores, {name: key}, part_size=None, estimate=item.size, uploads=_AT_A_TIME
            ) as upload,
            Download(source, item.key) as download,
        ):
            while data := download.read(BLOCK_BYTES):
                upload.write(data)
                with self._lock:
                    self.sent += len(data)
                if upload.size > item.size:
                    break
            if (upload.size, upload.sha256()) != (item.size, item.sha256):
                raise BackupDamagedError(
                    f"{item.key} is not what was stored: {upload.size} bytes were read of "
                    f"{item.size}, or their sha256 differs; it was not copied: verify the backup, "
                    "and copy it from another storage"
                )
            return upload.complete()[name].checked

    def _is_there(self, target: RunStorage, key: str, item: ObjectRecord) -> bool:
        """Whether an earlier copy left the object; StorageRefusedError where it is another run's.

        Nothing shows that where the keys may not look.
        """
        try:
            head = target.call(lambda: target.bucket.head(key))
        except ForbiddenByStoreError:
            return False
        if head is None:
            return False
        if head.run != target.run:
            whose = f"of the run {head.run}" if head.run else "of which the store names no run"
            raise StorageRefusedError(
                f"{self.move.storage} holds an object {whose} under {key}, where this copy's would "
                "go; it was left as it is"
            )
        return (
            _is_locked_enough(head, target.lock)
            and bool(item.crc32)
            and (head.size, head.crc32) == (item.size, item.crc32)
        )


def _is_locked_enough(head: Head, lock: Lock | None) -> bool:
    """Whether an object that an earlier copy left is kept about as long as the lock asks for."""
    if lock is None:
        return True
    return head.locked_until is not None and head.locked_until >= lock.until - _EARLIER
