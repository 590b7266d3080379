"""Deletes what a crashed run left: its uploads and objects first, then its records."""

import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from os.path import commonprefix
from typing import TYPE_CHECKING

from dumpers.repository.keys import MANIFEST, SWEEPING
from dumpers.repository.records import StartedRecord
from dumpers.repository.removal.leftovers import UNPROVEN, Leftover
from dumpers.storage.errors import ForbiddenByStoreError, UnknownToStoreError

if TYPE_CHECKING:
    from dumpers.storage.s3.bucket import S3Bucket

# How many keys beside those of a run are looked through for the run's own.
_MAX_BESIDE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """What was deleted of a run.

    `uploads` is the number of aborted uploads, None where the store does not list them. `size` is
    that of the objects, in bytes. `left` are objects that may not be deleted, or whose run the
    store does not know any more. `is_complete` is true if nothing of the run is left but its
    records.
    """

    uploads: int | None
    objects: int
    size: int
    left: tuple[Leftover, ...]
    is_complete: bool

    @property
    def is_anything(self) -> bool:
        """Whether the run had left something that could be deleted."""
        return bool(self.uploads or self.objects)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSwept:
    """A run of which nothing was touched, and why."""

    why: str


def delete_stored(
    bucket: "S3Bucket", crashed: StartedRecord, *, ends: float, dry_run: bool = False
) -> Deletion:
    """Abort the run's open uploads and delete its objects, until `ends` (monotonic seconds).

    Touched are only uploads of the keys that the record names, and objects under these keys that
    carry the run's id. The record must name at least one key. With `dry_run` they are only counted.
    """
    named = frozenset(crashed.keys)
    # Character by character: a prefix of keys is no path.
    shared = commonprefix(crashed.keys)  # noqa: RUF071
    uploads = _abort_uploads(bucket, shared, named, dry_run=dry_run)
    limit = len(named) + _MAX_BESIDE
    listed = bucket.keys(shared, since="", limit=limit)
    is_whole = uploads is not None and len(listed) < limit
    objects, size, left = 0, 0, list[Leftover]()
    for key in filter(named.__contains__, listed):
        if time.monotonic() > ends:
            is_whole = False
            break
        head = bucket.head(key)
        if head is None or head.run not in {crashed.run, None}:
            continue
        if head.run is None:
            # A store that drops metadata: nothing proves whose object this is.
            left.append(Leftover(key=key, why=UNPROVEN))
            continue
        try:
            if not dry_run:
                bucket.delete(key)
        except ForbiddenByStoreError:
            left.append(Leftover(key=key, why="the store does not let these keys delete it"))
        else:
            objects, size = objects + 1, size + head.size
    return Deletion(
        uploads=uploads,
        objects=objects,
        size=size,
        left=tuple(left),
        is_complete=is_whole and not left,
    )


def delete_other_records(bucket: "S3Bucket", folder: str, names: Collection[str]) -> None:
    """Delete a run's records but for the tombstone; stop where the rights end.

    `folder` has its trailing slash, `names` are those of all records in the folder. The mark of the
    deletion goes last: as long as the mark is there, a later run goes on with the deletion.
    """
    with suppress(ForbiddenByStoreError):
        for name in (*sorted(set(names) - {MANIFEST, SWEEPING}), SWEEPING):
            bucket.delete(f"{folder}{name}")


def _abort_uploads(
    bucket: "S3Bucket", shared: str, named: Collection[str], *, dry_run: bool
) -> int | None:
    """Abort the open uploads of these keys and count them; None where they cannot be listed.

    Some keys may not list uploads, and some stores do not know the request.
    """
    aborted = 0
    try:
        for key, upload in bucket.uploads(shared):
            if key in named:
                if not dry_run:
                    bucket.abort_upload(key, upload)
                aborted += 1
    except (ForbiddenByStoreError, UnknownToStoreError):
        return None
    return aborted
