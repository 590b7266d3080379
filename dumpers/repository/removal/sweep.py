"""Removes what crashed runs of this workload left in the bucket, as far as rights allow.

How one of them is removed: `removal.crashed`. Nothing here fails a dump.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import wait as wait_futures
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from dumpers.repository.keys import MANIFEST, STARTED, SWEEPING, Run, records_prefix, stamp
from dumpers.repository.record_json import write_record
from dumpers.repository.records import StartedRecord
from dumpers.repository.removal.crashed import WINDOW, CrashedRuns
from dumpers.repository.removal.store_traits import NO_ETAG, refuses_conditions
from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.log import fields
from dumpers.storage.errors import ForbiddenByStoreError
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.way_out import run_detached

if TYPE_CHECKING:
    from dumpers.storage.s3.bucket import S3Bucket

_LOG = logging.getLogger(__name__)

# Tombstones are looked for among runs that began at most this long ago.
_TOMBSTONE_WINDOW = 2 * WINDOW + timedelta(days=10)
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

    @cached_property
    def _crashed(self) -> CrashedRuns:
        return CrashedRuns(
            bucket=self.bucket,
            cluster=self.started.cluster,
            cronjob=self.started.cronjob,
            run=self.started.run,
            now=self.run.started,
            ends=self.ends,
            conditional=lambda: self._conditions_hold,
        )

    def sweep(self) -> None:
        prefix = records_prefix(
            path=self.run.path, cluster=self.run.cluster, cronjob=self.run.cronjob
        )
        since = f"{prefix}{stamp(self.run.started - WINDOW)}"
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
                    self._crashed.sweep(folder)
        self._remove_tombstones(prefix, since)

    def _is_over(self) -> bool:
        return time.monotonic() > self.ends

    @cached_property
    def _conditions_hold(self) -> bool:
        """Whether the store refuses writes whose condition does not hold.

        Tried on this run's own started record, which is there: it is neither new nor another.
        """
        body, key, bucket = write_record(self.started), self.run.started_key, self.bucket
        with suppress(ForbiddenByStoreError):
            return refuses_conditions(
                lambda: bucket.put(key, body, only_new=True),
                lambda: bucket.replace(key, body, etag=NO_ETAG),
            )
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
                    self._crashed.remove_tombstone(folder, names)


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
