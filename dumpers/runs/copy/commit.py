"""Writes the manifest of a copy, which makes the backup exist in the target."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from dumpers.repository.copying.move import Move
from dumpers.repository.keys import COPIED, FINGERPRINT, MANIFEST, STARTED, SWEEPING
from dumpers.repository.records import Manifest
from dumpers.repository.removal.folders import list_names
from dumpers.repository.removal.heads import read_heads
from dumpers.runs.copy.there import There, is_copied
from dumpers.runtime.errors import StorageFailedError, StorageRefusedError
from dumpers.storage.errors import AlreadyThereError, ChangedInStoreError, ForbiddenByStoreError
from dumpers.storage.run_storage import RunStorage


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The place of the backup `source` in the target: `record` is the folder of its records."""

    target: RunStorage
    move: Move
    record: str
    source: Manifest
    now: Callable[[], datetime]

    def look(self) -> There:
        """What the target holds of the run; nothing is concluded from a look that is forbidden."""
        try:
            names = list_names(self.target, self.record)
            found = self.target.call(lambda: self.target.bucket.get_version(self._key))
        except ForbiddenByStoreError:
            return There()
        body, etag = found or (b"", "")
        return There(body=body, etag=etag, names=names)

    def lost(self) -> list[str]:
        """The keys of those of the backup's objects that are not there whole, as they were stored.

        Raises the store's errors.
        """
        sizes = {self.move.key(item.key): item.size for item in self.source.objects}
        heads = read_heads(self.target, sizes)
        return [key for key, head in heads.items() if head is None or head.size != sizes[key]]

    def write(self, there: There, body: bytes, *, started: bytes) -> None:
        """Write the manifest, in place of a tombstone only where that is the one that was seen.

        `started` is the copy's own started record. StorageFailedError where a sweep, or another
        copy, was at what this one has stored; StorageRefusedError where the key is taken, and the
        keys may not see by what.
        """
        key, target = self._key, self.target
        with suppress(ForbiddenByStoreError):
            self._look_again(started)
        if not there.body:
            self._write_new(body)
            return
        try:
            target.call(lambda: target.bucket.replace(key, body, etag=there.etag, lock=target.lock))
        except ChangedInStoreError as error:
            found = target.call(lambda: target.bucket.get_version(key))
            # By an attempt whose answer got lost, perhaps.
            if found is None or found[0] != body:
                raise StorageFailedError(f"{key} changed meanwhile: copy again") from error

    def _look_again(self, started: bytes) -> None:
        """Raise where a sweep has begun since, or has been here, or another copy has begun.

        A sweep that begins behind this look first takes the manifest's key, or the tombstone.
        """
        key, target, run = f"{self.record}{STARTED}", self.target, self.source.begun.run
        names = list_names(target, self.record)
        if SWEEPING in names:
            raise StorageFailedError(
                f"what a crashed run {run} left in {self.move.storage} is being removed: copy again"
            )
        found = target.call(lambda: target.bucket.get_version(key))
        if found is None:
            target.call(lambda: target.bucket.put(key, started, only_new=False))
        elif found[0] != started:
            raise StorageFailedError(
                f"another copy of {run} to {self.move.storage} has begun since: leave it to that "
                "one, or copy again"
            )
        records = {COPIED, FINGERPRINT} if self.source.fingerprint else {COPIED}
        absent = [f"{self.record}{name}" for name in sorted(records - names)]
        if lost := self.lost() + absent:
            raise StorageFailedError(
                f"{lost[0]} is not there any more as it was stored, perhaps by a sweep: copy again"
            )

    def _write_new(self, body: bytes) -> None:
        key, target = self._key, self.target
        try:
            is_certain = target.put_once(key, body, is_locked=True)
        except AlreadyThereError as error:
            found = target.call(lambda: target.bucket.get(key))
            there = There(body=found)
            if is_copied(there, self.source, self.move, now=self.now()):
                return
            raise StorageFailedError(
                f"{key} is a tombstone: what an earlier copy had stored was swept meanwhile, and "
                "this one's objects may be among that; copy again"
            ) from error
        if not is_certain:
            raise StorageRefusedError(
                f"{key} is taken, and the keys of {self.move.storage} may not read by what: let "
                "them read the records"
            )

    @property
    def _key(self) -> str:
        return f"{self.record}{MANIFEST}"
