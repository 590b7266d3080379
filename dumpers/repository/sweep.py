"""Removes what crashed runs of this workload left in the bucket, as far as rights allow.

A run crashed when its started record is there, its manifest is not, and its own deadline is long
past. Before anything is deleted, a tombstone takes the manifest's key by one conditional PUT, which
decides between the sweep and a run that was only suspended. Touched are only uploads of the keys
that the started record names, and objects under them with that run's id. Nothing fails a dump.
"""

import logging
import time
from collections.abc import Container, Iterator, Sequence
from concurrent.futures import wait as wait_futures
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from os.path import commonprefix
from typing import TYPE_CHECKING

from dumpers.repository.keys import (
    MANIFEST,
    STARTED,
    Run,
    parse_stamp,
    records_prefix,
    stamp,
)
from dumpers.repository.record_json import make_tombstone, read_record, write_record
from dumpers.repository.records import Removal, StartedRecord, Tombstone
from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.log import fields
from dumpers.storage.errors import AlreadyThereError, ForbiddenByStoreError, UnknownToStoreError
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.s3.answers import ListedObject

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
# Bounds: how many keys of records, how many crashed runs, how many keys beside those of such a run,
# how long in all.
_MAX_KEYS, _MAX_RUNS, _MAX_BESIDE, _MAX_OLD_KEYS = 10_000, 100, 10_000, 1000
_SECONDS = 20.0


def sweep(storage: RunStorage, run: Run, started: StartedRecord) -> None:
    """Remove what crashed runs of the same CronJob left; `started` is this run's own record.

    The own record must have been written. Takes some seconds at most, raises nothing but
    InterruptedRunError, and logs what was removed. Without the right to list it does nothing.
    """
    ends = time.monotonic() + _SECONDS
    work = _Sweep(storage=storage, run=run, started=started, ends=ends)
    task = storage.run_detached(work.sweep)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sweep:
    """One sweep, in a thread of its own; `ends` is on the monotonic clock."""

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
        folders = _by_folder(self.bucket.objects(prefix, since=since, limit=_MAX_KEYS))
        conditions: bool | None = None
        # The newest first: older ones were met by earlier sweeps, and some may have to stay.
        for folder in list(self._candidates(folders))[: -_MAX_RUNS - 1 : -1]:
            if self._is_over():
                return
            body = self.bucket.get(f"{folder}{STARTED}")
            crashed = read_record(body)
            if not isinstance(crashed, StartedRecord) or not self._is_swept(crashed, _MARGIN):
                continue
            if conditions is None:
                conditions = self._are_conditions_kept()
            if not conditions and not self._is_swept(crashed, _MARGIN_WITHOUT_CONDITIONS):
                _LOG.info(
                    "sweep put off: the store does not refuse to write a key twice, so a crashed "
                    "run is swept a day after its deadline",
                    extra=fields(run=crashed.run, record=folder),
                )
                continue
            if self._bury(folder, body, conditional=conditions):
                self._clear(folder, crashed, folders[folder])
        self._remove_tombstones(prefix, since)

    def _is_over(self) -> bool:
        return time.monotonic() > self.ends

    def _candidates(self, folders: dict[str, dict[str, ListedObject]]) -> Iterator[str]:
        """Folders of other runs with a started record that may have crashed.

        A manifest that was written past the deadline of its run may be the tombstone of a sweep
        that was interrupted: what lies under its key has to be read.
        """
        deadline = timedelta(seconds=self.started.deadline_seconds or 0)
        for folder, held in folders.items():
            if STARTED not in held or folder == self.run.record_prefix:
                continue
            manifest, began = held.get(MANIFEST), parse_stamp(folder)
            if manifest is None or (
                began is not None and deadline and manifest.modified > began + deadline
            ):
                yield folder

    def _is_swept(self, crashed: StartedRecord, margin: timedelta) -> bool:
        """Whether a run without a manifest is one of this CronJob whose deadline is long past."""
        ours = self.started
        same = (
            crashed.bucket == ours.bucket
            and crashed.cluster == ours.cluster
            and crashed.cronjob == ours.cronjob
            and crashed.run != ours.run
        )
        if not same or crashed.deadline_seconds is None or not crashed.keys:
            return False
        deadline = timedelta(seconds=crashed.deadline_seconds)
        return self.run.started > crashed.started + deadline + margin

    def _are_conditions_kept(self) -> bool:
        """Try it on this run's started record, which is there: a second PUT has to be refused."""
        with suppress(UnknownToStoreError):
            try:
                body = write_record(self.started)
                self.bucket.put(self.run.started_key, body, only_new=True)
            except AlreadyThereError:
                return True
        return False

    def _bury(self, folder: str, body: bytes, *, conditional: bool) -> bool:
        """Put the tombstone; False where a manifest, or anything else, has its key."""
        key = f"{folder}{MANIFEST}"
        tombstone = make_tombstone(
            body, removal=Removal.SWEPT, removed=datetime.now(UTC).replace(microsecond=0)
        )
        assert isinstance(tombstone, Tombstone)  # The caller read the same body.
        if conditional or self.bucket.head(key) is None:
            try:
                self.bucket.put(key, write_record(tombstone), only_new=conditional)
            except AlreadyThereError:
                pass
            else:
                return True
        found = read_record(self.bucket.get(key))
        return isinstance(found, Tombstone) and found.removal is Removal.SWEPT

    def _clear(self, folder: str, crashed: StartedRecord, held: dict[str, ListedObject]) -> None:
        named = frozenset(crashed.keys)
        # Character by character: a prefix of keys is no path.
        shared = commonprefix(crashed.keys)  # noqa: RUF071
        uploads = _abort_uploads(self.bucket, shared, named)
        removed, left = 0, []
        limit = len(named) + _MAX_BESIDE
        listed = [item.key for item in self.bucket.objects(shared, since="", limit=limit)]
        for key in filter(named.__contains__, listed):
            if self._is_over():
                return
            head = self.bucket.head(key)
            if head is None or head.run != crashed.run:
                continue
            try:
                self.bucket.delete(key)
                removed += 1
            except ForbiddenByStoreError:
                left.append(key)
        swept = fields(
            run=crashed.run, record=folder, uploads=uploads or 0, objects=removed, left=left
        )
        if uploads or removed:
            _LOG.info("swept what a crashed run left", extra=swept)
        if left:
            _LOG.info("objects of a crashed run stay: they are no backup", extra=swept)
        elif uploads is not None and len(listed) < limit:
            # Everything is gone for good. Without the started record no later run looks again, so
            # that record goes last; where it may not be deleted, later sweeps find nothing.
            with suppress(ForbiddenByStoreError):
                for name in (*sorted(held.keys() - {MANIFEST, STARTED}), STARTED):
                    self.bucket.delete(f"{folder}{name}")

    def _remove_tombstones(self, prefix: str, until: str) -> None:
        """Remove the tombstones of finished sweeps once they have stood long enough."""
        oldest = f"{prefix}{stamp(self.run.started - _TOMBSTONE_WINDOW)}"
        listed = self.bucket.objects(prefix, since=oldest, limit=_MAX_OLD_KEYS)
        old = _by_folder([item for item in listed if item.key < until])
        with suppress(ForbiddenByStoreError):
            for folder, held in old.items():
                # A backup has its started record beside it.
                if self._is_over() or STARTED in held or MANIFEST not in held:
                    continue
                found = read_record(self.bucket.get(f"{folder}{MANIFEST}"))
                if (
                    isinstance(found, Tombstone)
                    and found.removal is Removal.SWEPT
                    and self.run.started > found.removed + _WINDOW
                ):
                    for name in (*(held.keys() - {MANIFEST}), MANIFEST):
                        self.bucket.delete(f"{folder}{name}")


def _by_folder(objects: Sequence[ListedObject]) -> dict[str, dict[str, ListedObject]]:
    """The listed objects by folder (with its trailing slash), then by name."""
    folders: dict[str, dict[str, ListedObject]] = {}
    for item in objects:
        folder, _, name = item.key.rpartition("/")
        folders.setdefault(f"{folder}/", {})[name] = item
    return folders


def _abort_uploads(bucket: "S3Bucket", shared: str, named: Container[str]) -> int | None:
    """How many open uploads of these keys were aborted, None where they may not be listed."""
    aborted = 0
    try:
        for key, upload in bucket.uploads(shared):
            if key in named:
                bucket.abort_upload(key, upload)
                aborted += 1
    except ForbiddenByStoreError:
        return None
    return aborted
