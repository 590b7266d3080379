"""Removes what one crashed run left, and later its tombstone.

A run crashed when its started record is there, its manifest is not, and its own deadline is long
past. Before anything is deleted, a tombstone takes the manifest's key by one conditional PUT, which
decides between the sweep and a run that was only suspended. A mark, put before the tombstone and
removed at the very end, shows a sweep that was interrupted in a listing of keys.
"""

import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dumpers.repository.catalogue import rfc3339
from dumpers.repository.keys import MANIFEST, STARTED, SWEEPING
from dumpers.repository.record_json import make_tombstone, read_record, write_record
from dumpers.repository.records import Manifest, Removal, StartedRecord, Tombstone
from dumpers.repository.removal.deletion import (
    Deletion,
    NotSwept,
    delete_other_records,
    delete_stored,
)
from dumpers.runtime.log import fields
from dumpers.storage.errors import AlreadyThereError, ForbiddenByStoreError

if TYPE_CHECKING:
    from dumpers.storage.s3.bucket import S3Bucket

_LOG = logging.getLogger(__name__)

# Clocks of two nodes differ, and a kill takes its time.
_MARGIN = timedelta(minutes=15)
# The same where the store does not refuse a second write of a key: nothing but time then keeps a
# suspended run from committing a backup whose objects are gone.
MARGIN_WITHOUT_CONDITIONS = timedelta(hours=24)
# How long the tombstone of a sweep stays.
WINDOW = timedelta(days=60)
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

    def sweep(self, folder: str, names: Collection[str]) -> Deletion | NotSwept:
        """Remove what a run left, and return what that was, or why it may be no crashed run.

        `folder` has its trailing slash, `names` are those of all its records.
        """
        if self._is_decided(folder, names):
            crashed = self._read_decision(folder)
        else:
            crashed = self._decide(folder)
        if isinstance(crashed, NotSwept):
            return crashed
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
            crashed = self._decided(folder)
        else:
            crashed = self._candidate(self.bucket.get(f"{folder}{STARTED}"))
        if isinstance(crashed, NotSwept):
            return crashed
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
        if not self._is_past_deadline(crashed, _MARGIN):
            return NotSwept(why=_may_go_on(crashed, _MARGIN))
        return crashed

    def _decide(self, folder: str) -> StartedRecord | NotSwept:
        """Put the mark, then the tombstone of a run that crashed, and return what to delete.

        Not where the run may still go on, is not of this CronJob, or has committed its backup.
        """
        body = self.bucket.get(f"{folder}{STARTED}")
        crashed = self._candidate(body)
        if isinstance(crashed, NotSwept):
            return crashed
        conditional = self.conditional()
        if not conditional and not self._is_past_deadline(crashed, MARGIN_WITHOUT_CONDITIONS):
            _LOG.info(
                "sweep put off: the store does not refuse to write a key twice, so a crashed run "
                "is swept a day after its deadline",
                extra=fields(run=crashed.run, record=folder),
            )
            why = _may_go_on(crashed, MARGIN_WITHOUT_CONDITIONS)
            return NotSwept(why=f"the store ignores conditions, and {why}")
        removed = datetime.now(UTC).replace(microsecond=0)
        tombstone = make_tombstone(body, removal=Removal.SWEPT, removed=removed)
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
        """See `_decided`; the mark is removed where the run committed its backup first."""
        found = self._decided(folder)
        if found is _COMMITTED:
            with suppress(ForbiddenByStoreError):
                self.bucket.delete(f"{folder}{SWEEPING}")
        return found

    def _decided(self, folder: str) -> StartedRecord | NotSwept:
        """Read what has the manifest's key, and return what is to be deleted.

        Nothing where the run committed its backup first, or the record is of another kind or
        format: the mark is kept for whoever knows the record.
        """
        found = read_record(self.bucket.get(f"{folder}{MANIFEST}"))
        if isinstance(found, Manifest):
            return _COMMITTED
        if isinstance(found, Tombstone) and found.removal is Removal.SWEPT:
            crashed = found.buried
            if isinstance(crashed, StartedRecord) and self._is_ours(crashed):
                return crashed
        return NotSwept(why="what stands in its manifest's place is no tombstone of this CronJob")

    def _is_ours(self, crashed: StartedRecord) -> bool:
        """Whether the record is of another run of this CronJob, and names keys in this bucket."""
        return (
            crashed.bucket == self.bucket.name
            and crashed.cluster == self.cluster
            and crashed.cronjob == self.cronjob
            and crashed.run != self.run
            and bool(crashed.keys)
        )

    def _is_past_deadline(self, crashed: StartedRecord, margin: timedelta) -> bool:
        """Whether the run's own deadline was over for this long."""
        if crashed.deadline_seconds is None:
            return False
        deadline = timedelta(seconds=crashed.deadline_seconds)
        return self.now > crashed.started + deadline + margin

    def remove_tombstone(self, folder: str, names: Collection[str]) -> None:
        """Remove a folder's records, the tombstone last, if the tombstone is old enough."""
        found = read_record(self.bucket.get(f"{folder}{MANIFEST}"))
        if (
            isinstance(found, Tombstone)
            and found.removal is Removal.SWEPT
            and self.now > found.removed + WINDOW
        ):
            for name in (*sorted(set(names) - {MANIFEST}), MANIFEST):
                self.bucket.delete(f"{folder}{name}")


def _may_go_on(crashed: StartedRecord, margin: timedelta) -> str:
    """Why a run is not swept yet."""
    if crashed.deadline_seconds is None:
        return "it had no deadline, so nothing says that it does not go on"
    until = crashed.started + timedelta(seconds=crashed.deadline_seconds) + margin
    return f"it may go on until {rfc3339(until)}"
