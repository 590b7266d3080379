"""Removes what crashed runs of this workload left in the bucket, as far as rights allow.

A run crashed when its started record is there, its manifest is not, and its own deadline is long
past. Before anything is deleted, a tombstone takes the manifest's key by one conditional PUT, which
decides between the sweep and a run that was only suspended. A mark, put before the tombstone and
removed at the very end, shows a sweep that was interrupted in a listing of keys. Nothing fails a
dump.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import wait as wait_futures
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from dumpers.repository.deletion import delete_other_records, delete_stored
from dumpers.repository.keys import MANIFEST, STARTED, SWEEPING, Run, records_prefix, stamp
from dumpers.repository.record_json import make_tombstone, read_record, write_record
from dumpers.repository.records import Manifest, Removal, StartedRecord, Tombstone
from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.log import fields
from dumpers.storage.errors import AlreadyThereError, ForbiddenByStoreError, UnknownToStoreError
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.way_out import run_detached

if TYPE_CHECKING:
    from dumpers.storage.s3.bucket import S3Bucket

_LOG = logging.getLogger(__name__)

# Clocks of two nodes differ, and a kill takes its time.
_MARGIN = timedelta(minutes=15)
# The same where the store does not refuse a second write of a key: nothing but time then keeps a
# suspended run from committing a backup whose objects are gone.
_MARGIN_WITHOUT_CONDITIONS = timedelta(hours=24)
# How far back crashed runs are looked for, and how long tombstones stay.
_WINDOW = timedelta(days=60)
# Tombstones are looked for among runs that began at most this long ago.
_TOMBSTONE_WINDOW = 2 * _WINDOW + timedelta(days=10)
# Bounds: how many keys of records, how many crashed runs, how many keys of records among which
# tombstones are looked for, how long in all.
_MAX_KEYS, _MAX_RUNS, _MAX_OLD_KEYS = 10_000, 100, 1000
_SECONDS = 20.0


def sweep(storage: RunStorage, run: Run, started: StartedRecord) -> None:
    """Remove what crashed runs of the same CronJob left; `started` is this run's own record.

    The own record must have been written. Takes some seconds at most, raises nothing but
    InterruptedRunError, and logs what was removed. Without the right to list it does nothing.
    """
    ends = time.monotonic() + _SECONDS
    work = _Sweep(storage=storage, run=run, started=started, ends=ends)
    task = run_detached(work.sweep)
    while not wait_futures([task], 0.1).done:
        storage.interrupt.check()
        if time.monotonic() > ends:
            _LOG.info("sweep given up: the store is slow, the next run sweeps")
            return
    error = task.exception()
    if isinstance(error, ForbiddenByStoreError):
        _LOG.debug("not swept", extra=fields(why=str(error)))
    elif error is not None:
        shown = str(error) if isinstance(error, KsnapshotError) else type(error).__name__
        _LOG.info("not swept", extra=fields(why=shown))


@dataclass(frozen=True, kw_only=True)
class _Sweep:
    """One sweep, in a thread of its own, until `ends` (monotonic seconds)."""

    storage: RunStorage
    run: Run
    started: StartedRecord
    ends: float

    @property
    def bucket(self) -> "S3Bucket":
        return self.storage.bucket

    def sweep(self) -> None:
        prefix = records_prefix(
            path=self.run.path, cluster=self.run.cluster, cronjob=self.run.cronjob
        )
        since = f"{prefix}{stamp(self.run.started - _WINDOW)}"
        folders = _by_folder(self.bucket.keys(prefix, since=since, limit=_MAX_KEYS))
        candidates = [
            folder
            for folder, names in folders.items()
            if SWEEPING in names or (STARTED in names and MANIFEST not in names)
        ]
        # The newest first: older ones were met by earlier sweeps, and some may have to stay.
        for folder in candidates[: -_MAX_RUNS - 1 : -1]:
            if self._is_over():
                return
            if folder != self.run.record_prefix:
                with _errors_logged(folder):
                    self._sweep_run(folder, folders[folder])
        self._remove_tombstones(prefix, since)

    def _is_over(self) -> bool:
        return time.monotonic() > self.ends

    def _sweep_run(self, folder: str, names: set[str]) -> None:
        if SWEEPING in names and self.bucket.head(f"{folder}{MANIFEST}") is not None:
            crashed = self._read_decision(folder)
        else:
            crashed = self._decide(folder)
        if crashed is None:
            return
        deletion = delete_stored(self.bucket, crashed, ends=self.ends)
        swept = fields(
            run=crashed.run,
            record=folder,
            uploads=deletion.uploads or 0,
            objects=deletion.objects,
            left=list(deletion.left),
        )
        if deletion.uploads or deletion.objects:
            _LOG.info("swept what a crashed run left", extra=swept)
        if deletion.left:
            _LOG.info("objects of a crashed run stay: they are no backup", extra=swept)
        if deletion.is_complete:
            delete_other_records(self.bucket, folder, names)

    def _decide(self, folder: str) -> StartedRecord | None:
        """Put the mark, then the tombstone of a run that crashed, and return what to delete.

        None where the run may still go on, is not of this CronJob, or has committed its backup.
        """
        body = self.bucket.get(f"{folder}{STARTED}")
        crashed = read_record(body)
        if not isinstance(crashed, StartedRecord) or not self._is_ours(crashed):
            return None
        if not self._is_past_deadline(crashed, _MARGIN):
            return None
        conditional = self._conditions_hold
        if not conditional and not self._is_past_deadline(crashed, _MARGIN_WITHOUT_CONDITIONS):
            _LOG.info(
                "sweep put off: the store does not refuse to write a key twice, so a crashed run "
                "is swept a day after its deadline",
                extra=fields(run=crashed.run, record=folder),
            )
            return None
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

    def _read_decision(self, folder: str) -> StartedRecord | None:
        """Read what has the manifest's key, and return what is to be deleted.

        None, and the mark is removed, where the run committed its backup first. None where the
        record is of another kind or format: the mark is kept for whoever knows the record.
        """
        found = read_record(self.bucket.get(f"{folder}{MANIFEST}"))
        if isinstance(found, Manifest):
            with suppress(ForbiddenByStoreError):
                self.bucket.delete(f"{folder}{SWEEPING}")
        elif isinstance(found, Tombstone) and found.removal is Removal.SWEPT:
            crashed = found.buried
            if isinstance(crashed, StartedRecord) and self._is_ours(crashed):
                return crashed
        return None

    def _is_ours(self, crashed: StartedRecord) -> bool:
        """Whether the record is of another run of this CronJob, and names keys in this bucket."""
        ours = self.started
        return (
            crashed.bucket == ours.bucket
            and crashed.cluster == ours.cluster
            and crashed.cronjob == ours.cronjob
            and crashed.run != ours.run
            and bool(crashed.keys)
        )

    def _is_past_deadline(self, crashed: StartedRecord, margin: timedelta) -> bool:
        """Whether the run's own deadline was over for this long when this run began."""
        if crashed.deadline_seconds is None:
            return False
        deadline = timedelta(seconds=crashed.deadline_seconds)
        return self.run.started > crashed.started + deadline + margin

    @cached_property
    def _conditions_hold(self) -> bool:
        """Whether the store refuses to write a key that must be new and is not.

        Tried on this run's own started record, which is there.
        """
        with suppress(UnknownToStoreError, ForbiddenByStoreError):
            try:
                body = write_record(self.started)
                self.bucket.put(self.run.started_key, body, only_new=True)
            except AlreadyThereError:
                return True
        return False

    def _remove_tombstones(self, prefix: str, until: str) -> None:
        """Remove the tombstones of finished sweeps once they have stood long enough."""
        oldest = f"{prefix}{stamp(self.run.started - _TOMBSTONE_WINDOW)}"
        listed = self.bucket.keys(prefix, since=oldest, limit=_MAX_OLD_KEYS)
        folders = _by_folder([key for key in listed if key < until])
        for folder, names in folders.items():
            if self._is_over():
                return
            # A backup has its started record beside it, an interrupted sweep its mark.
            if MANIFEST in names and not names & {STARTED, SWEEPING}:
                with _errors_logged(folder), suppress(ForbiddenByStoreError):
                    self._remove_tombstone(folder, names)

    def _remove_tombstone(self, folder: str, names: set[str]) -> None:
        """Remove a folder's records, the tombstone last, if the tombstone is old enough."""
        found = read_record(self.bucket.get(f"{folder}{MANIFEST}"))
        if (
            isinstance(found, Tombstone)
            and found.removal is Removal.SWEPT
            and self.run.started > found.removed + _WINDOW
        ):
            for name in (*sorted(names - {MANIFEST}), MANIFEST):
                self.bucket.delete(f"{folder}{name}")


def _by_folder(keys: Sequence[str]) -> dict[str, set[str]]:
    """The names of records by their folder (with its trailing slash), in the order of the keys."""
    folders: dict[str, set[str]] = {}
    for key in keys:
        folder, _, name = key.rpartition("/")
        folders.setdefault(f"{folder}/", set()).add(name)
    return folders


@contextmanager
def _errors_logged(folder: str) -> Iterator[None]:
    """Log an error at one run's folder: the others are swept all the same."""
    try:
        yield
    except KsnapshotError as error:
        _LOG.info("a run's folder is not swept", extra=fields(record=folder, why=str(error)))
