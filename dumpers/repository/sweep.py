"""Clearing away what crashed runs of this workload left in the bucket, as far as rights allow.

A run crashed when its started record is there, its manifest is not, and its own deadline is long
past. Touched is only what that record names: uploads of those keys, and objects that carry that
run's id. Nothing is removed because something else is absent, and nothing here fails a dump.
"""

import logging
import time
from collections.abc import Container, Iterator, Sequence
from concurrent.futures import wait as wait_futures
from contextlib import suppress
from datetime import datetime, timedelta
from os.path import commonprefix
from typing import TYPE_CHECKING

from dumpers.repository import records
from dumpers.repository.keys import MANIFEST, STARTED, SWEPT, Run, records_prefix, stamp
from dumpers.repository.records import RunRecord
from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.log import fields
from dumpers.storage.errors import AlreadyThereError, ForbiddenByStoreError
from dumpers.storage.run_storage import RunStorage

if TYPE_CHECKING:
    from dumpers.storage.s3.bucket import S3Bucket

_LOG = logging.getLogger(__name__)

# Clocks of two nodes differ, and a kill takes its time.
_MARGIN = timedelta(minutes=15)
# Bounds: how far back, how many keys of records, how many crashed runs, how many keys beside those
# of such a run, how long in all.
_WINDOW = timedelta(days=60)
_MAX_KEYS, _MAX_RUNS, _MAX_BESIDE = 10_000, 100, 10_000
_SECONDS = 20.0


def sweep(store: RunStorage, run: Run, record: RunRecord) -> None:
    """Clear away what runs of `record`'s workload left that crashed before this one began.

    Takes some seconds at most, raises nothing but InterruptedRunError, and says in the log what it
    did. Without the right to list it does nothing.
    """
    ends = time.monotonic() + _SECONDS
    task = store.run_detached(lambda: _sweep(store.bucket, run, record, ends))
    while not wait_futures([task], 0.1).done:
        store.interrupt.check()
        if time.monotonic() > ends:
            _LOG.info("the store is slow: what crashed runs left stays for the next run to sweep")
            return
    error = task.exception()
    if isinstance(error, ForbiddenByStoreError):
        _LOG.debug("not swept", extra=fields(why=str(error)))
    elif error is not None:
        shown = str(error) if isinstance(error, KsnapshotError) else type(error).__name__
        _LOG.info("not swept", extra=fields(why=shown))


def _sweep(bucket: "S3Bucket", run: Run, ours: RunRecord, ends: float) -> None:
    prefix = records_prefix(path=run.path, cluster=run.cluster, cronjob=run.cronjob)
    since = f"{prefix}{stamp(run.started - _WINDOW)}"
    found = bucket.keys(prefix, since=since, limit=_MAX_KEYS)
    # The newest first: older ones were met by earlier sweeps, and some may have to stay.
    for folder in list(_unfinished(found))[: -_MAX_RUNS - 1 : -1]:
        if folder == run.record_prefix:
            continue
        crashed = records.read_started(bucket.get(f"{folder}{STARTED}"))
        if crashed is None or not _is_swept_for(crashed, ours, now=run.started):
            continue
        if time.monotonic() > ends:
            return
        _clear(bucket, folder, crashed, ends)


def _unfinished(keys: Sequence[str]) -> Iterator[str]:
    """Folders that hold a started record, and neither a manifest nor the mark of a sweep."""
    names: dict[str, set[str]] = {}
    for key in keys:
        folder, _, name = key.rpartition("/")
        names.setdefault(f"{folder}/", set()).add(name)
    for folder, held in names.items():
        if STARTED in held and not held & {MANIFEST, SWEPT}:
            yield folder


def _is_swept_for(crashed: RunRecord, ours: RunRecord, *, now: datetime) -> bool:
    same = (crashed.bucket, crashed.cluster, crashed.cronjob) == (
        ours.bucket,
        ours.cluster,
        ours.cronjob,
    ) and crashed.run != ours.run
    if not same or crashed.deadline_seconds is None or not crashed.keys:
        return False
    return now > crashed.started + timedelta(seconds=crashed.deadline_seconds) + _MARGIN


def _clear(bucket: "S3Bucket", folder: str, crashed: RunRecord, ends: float) -> None:
    if bucket.head(f"{folder}{MANIFEST}") is not None:
        return
    named = frozenset(crashed.keys)
    # Character by character: a prefix of keys is no path.
    shared = commonprefix(crashed.keys)  # noqa: RUF071
    uploads = _abort_uploads(bucket, shared, named)
    objects, left = 0, []
    limit = len(named) + _MAX_BESIDE
    listed = bucket.keys(shared, since="", limit=limit)
    for key in filter(named.__contains__, listed):
        if time.monotonic() > ends:
            return
        head = bucket.head(key)
        if head is None or head.run != crashed.run:
            continue
        try:
            bucket.delete(key)
            objects += 1
        except ForbiddenByStoreError:
            left.append(key)
    told = fields(run=crashed.run, record=folder, uploads=uploads or 0, objects=objects, left=left)
    if uploads or objects:
        _LOG.info("swept what a crashed run left", extra=told)
    if left:
        _LOG.info("objects of a crashed run stay: they are no backup", extra=told)
    elif uploads is not None and len(listed) < limit:
        # All of it is gone for good: no later run has to look again.
        with suppress(AlreadyThereError):
            mark = records.swept_record(crashed, uploads=uploads, objects=objects)
            bucket.put(f"{folder}{SWEPT}", mark, only_new=True)


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
