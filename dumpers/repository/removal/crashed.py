"""Removes what one crashed run left, and later its tombstone.

A run crashed when its started record is there, its manifest is not, and its own deadline is long
past. Before anything is deleted, a tombstone takes the manifest's key by one conditional PUT, which
decides between the sweep and a run that was only suspended. A mark, put before the tombstone and
removed at the very end, shows a sweep that was interrupted in a listing of keys.

A sweep that finds a tombstone replaces it by a later one first: a copy of the backup commits in
place of the very tombstone that it saw, so of the two one goes on.
"""

import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dumpers.repository.catalogue import MARGIN, rfc3339
from dumpers.repository.keys import MANIFEST, STARTED, SWEEPING
from dumpers.repository.record_json import make_tombstone, read_record, write_record
from dumpers.repository.records import Manifest, Removal, StartedRecord, Tombstone
from dumpers.repository.removal.deletion import (
    Deletion,
    NotSwept,
    delete_other_records,
    delete_stored,
)
from dumpers.repository.sharing.every_key import with_shards
from dumpers.runtime.log import fields
from dumpers.storage.errors import AlreadyThereError, ChangedInStoreError, ForbiddenByStoreError

if TYPE_CHECKING:
    from dumpers.storage.s3.bucket import S3Bucket

_LOG = logging.getLogger(__name__)

# Instead of MARGIN where the store does not refuse a second write of a key: nothing but time then
# keeps a suspended run from committing a backup whose objects are gone.
MARGIN_WITHOUT_CONDITIONS = timedelta(hours=24)
# How long the tombstone of a sweep stays.
WINDOW = timedelta(days=60)
# More records than a run has.
_MAX_RECORDS = 10_000
_COMMITTED = NotSwept(why="it has committed its backup after all")


@dataclass(frozen=True, kw_only=True)
class CrashedRuns:
    """The runs of one CronJob as they are at `now`, but for the run whose id is `run`.

    `conditional` says whether the store refuses to write a key that must be new and is not; it is
    asked only where that matters. Deletions go on until `ends` (monotonic seconds). Every call is
    made once, and may be made again.
    """

    bucket: "S3Bucket"
    cluster: str
    cronjob: str
    run: str
    now: datetime
    ends: float
    conditional: Callable[[], bool]

    def sweep(self, folder: str) -> Deletion | NotSwept:
        """Remove what a run left, and return what that was, or why it may be no crashed run.

        `folder` has its trailing slash; its records are listed anew.
        """
        listed = self.bucket.keys(folder, since="", limit=_MAX_RECORDS)
        names = {key.removeprefix(folder) for key in listed}
        if not names & {STARTED, SWEEPING}:
            return NotSwept(why="it was swept meanwhile")
        if self._is_decided(folder, names):
            crashed = self._read_decision(folder)
        else:
            crashed = self._decide(folder)
        if isinstance(crashed, NotSwept):
            return crashed
        crashed = with_shards(self.bucket, folder, crashed, names)
        deletion = delete_stored(self.bucket, crashed, ends=self.ends)
        swept = fields(
            run=crashed.run,
            record=folder,
            uploads=deletion.uploads or 0,
            objects=deletion.objects,
            left=[item.key for item in deletion.left],
        )
        if deletion.is_anything:
            _LOG.info("swept what a crashed run left", extra=swept)
        if deletion.left:
            _LOG.info("objects of a crashed run stay: they are no backup", extra=swept)
        if deletion.is_complete:
            delete_other_records(self.bucket, folder, names)
        return deletion

    def foresee(self, folder: str, names: Collection[str]) -> Deletion | NotSwept:
        """What `sweep` would do on a store that heeds conditions; nothing is written or deleted."""
        if self._is_decided(folder, names):
            crashed = self._decided(folder, self.bucket.get(f"{folder}{MANIFEST}"))
        else:
            crashed = self._candidate(self.bucket.get(f"{folder}{STARTED}"))
        if isinstance(crashed, NotSwept):
            return crashed
        crashed = with_shards(self.bucket, folder, crashed, names)
        return delete_stored(self.bucket, crashed, ends=self.ends, dry_run=True)

    def _is_decided(self, folder: str, names: Collection[str]) -> bool:
        """Whether an earlier sweep has begun, or the run has committed its backup behind that."""
        return SWEEPING in names and self.bucket.head(f"{folder}{MANIFEST}") is not None

    def _candidate(self, body: bytes) -> StartedRecord | NotSwept:
        """The started record of a run that has crashed for certain; `body` is that record's."""
        crashed = read_record(body)
        if not isinstance(crashed, StartedRecord):
            return NotSwept(why="no started record that can be read says what it was to write")
        if not self._is_ours(crashed):
            return NotSwept(why="its started record names another CronJob or bucket, or no keys")
        return self._may_go_on(crashed, MARGIN) or crashed

    def _decide(self, folder: str) -> StartedRecord | NotSwept:
        """Put the mark, then the tombstone of a run that crashed, and return what to delete.

        Not where the run may still go on, is not of this CronJob, or has committed its backup.
        """
        body = self.bucket.get(f"{folder}{STARTED}")
        crashed = self._candidate(body)
        if isinstance(crashed, NotSwept):
            return crashed
        conditional = self.conditional()
        waits = None if conditional else self._may_go_on(crashed, MARGIN_WITHOUT_CONDITIONS)
        if waits:
            _LOG.info(
                "sweep put off: the store does not refuse to write a key twice, so a crashed run "
                "is swept a day after its deadline",
                extra=fields(run=crashed.run, record=folder),
            )
            return NotSwept(why=f"the store ignores conditions, and {waits.why}")
        tombstone = make_tombstone(body, removal=Removal.SWEPT, removed=_this_second())
        assert isinstance(tombstone, Tombstone)  # The same body was read above.
        buried = write_record(tombstone)
        self.bucket.put(f"{folder}{SWEEPING}", buried, only_new=False)
        key = f"{folder}{MANIFEST}"
        if conditional or self.bucket.head(key) is None:
            with suppress(AlreadyThereError):
                self.bucket.put(key, buried, only_new=conditional)
                return crashed
        return self._read_decision(folder)

    def _read_decision(self, folder: str) -> StartedRecord | NotSwept:
        """See `_decided`; the tombstone becomes this sweep's own.

        The mark is removed where the run committed its backup first.
        """
        # One that is gone is none that can be read.
        body, etag = self.bucket.get_version(f"{folder}{MANIFEST}") or (b"", "")
        crashed = self._decided(folder, body)
        if crashed is _COMMITTED:
            with suppress(ForbiddenByStoreError):
                self.bucket.delete(f"{folder}{SWEEPING}")
        if isinstance(crashed, NotSwept):
            return crashed
        return self._take_over(folder, body, etag) or crashed

    def _decided(self, folder: str, body: bytes) -> StartedRecord | NotSwept:
        """What is to be deleted, by what has the manifest's key.

        Nothing where the run committed its backup first, a copy of it may still go on, or the
        record is of another kind or format: the mark is kept for whoever knows the record.
        """
        found = read_record(body)
        if isinstance(found, Manifest):
            return _COMMITTED
        if isinstance(found, Tombstone) and found.removal is Removal.SWEPT:
            crashed = found.buried
            if isinstance(crashed, StartedRecord) and self._is_ours(crashed):
                return self._live_copy(folder, crashed) or crashed
        return NotSwept(why="what stands in its manifest's place is no tombstone of this CronJob")

    def _live_copy(self, folder: str, crashed: StartedRecord) -> NotSwept | None:
        """Why a copy of the backup, begun behind the tombstone of `crashed`, may still go on."""
        found = self.bucket.get_version(f"{folder}{STARTED}")
        started = read_record(found[0]) if found else None
        if not isinstance(started, StartedRecord) or started == crashed:
            return None
        return self._may_go_on(started, MARGIN if self.conditional() else MARGIN_WITHOUT_CONDITIONS)

    def _take_over(self, folder: str, body: bytes, etag: str) -> NotSwept | None:
        """Replace the tombstone that was read by a later one; why, where another one was faster.

        Equal bytes would have an equal ETag, so its time is certainly another. Where the store
        ignores conditions, nothing but time decides.
        """
        if not self.conditional():
            return None
        tombstone = read_record(body)
        assert isinstance(tombstone, Tombstone)  # The same body was read before.
        removed = max(_this_second(), tombstone.removed + timedelta(seconds=1))
        later = write_record(replace(tombstone, removed=removed))
        try:
            self.bucket.replace(f"{folder}{MANIFEST}", later, etag=etag)
        except ChangedInStoreError:
            return NotSwept(why="its tombstone changed while it was read")
        return None

    def _is_ours(self, crashed: StartedRecord) -> bool:
        """Whether the record is of another run of this CronJob, and names keys in this bucket."""
        return (
            crashed.bucket == self.bucket.name
            and crashed.cluster == self.cluster
            and crashed.cronjob == self.cronjob
            and crashed.run != self.run
            and bool(crashed.keys)
        )

    def _may_go_on(self, begun: StartedRecord, margin: timedelta) -> NotSwept | None:
        """Why a run may not have ended yet; None once its own deadline was over for `margin`."""
        if begun.ends is None:
            return NotSwept(why="it had no deadline, so nothing says that it does not go on")
        until = begun.ends + margin
        return None if self.now > until else NotSwept(why=f"it may go on until {rfc3339(until)}")

    def remove_tombstone(self, folder: str, names: Collection[str]) -> None:
        """Remove a folder's records, the tombstone last, if the tombstone is old enough.

        First it becomes that of a deletion, before which no copy of the backup begins; one that had
        begun commits in its place no more. A removal that was interrupted behind that goes on;
        ChangedInStoreError where a copy, or another removal, was faster, ForbiddenByStoreError
        where the keys may not delete, before anything is changed.
        """
        key = f"{folder}{MANIFEST}"
        body, etag = self.bucket.get_version(key) or (b"", "")
        found = read_record(body)
        if not isinstance(found, Tombstone) or self.now <= found.removed + WINDOW:
            return
        was_swept = found.is_decided and isinstance(found.buried, StartedRecord)
        if found.removal is Removal.PRUNED and not was_swept:
            # Of a backup: prune goes on with it, or puts the manifest back.
            return
        if found.removal is Removal.SWEPT and self.conditional():
            # It is not there: keys that may not delete are refused here.
            self.bucket.delete(f"{folder}{SWEEPING}")
            deleting = write_record(replace(found, removal=Removal.PRUNED))
            self.bucket.replace(key, deleting, etag=etag)
        for name in (*sorted({*names} - {MANIFEST}), MANIFEST):
            self.bucket.delete(f"{folder}{name}")


def _this_second() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
