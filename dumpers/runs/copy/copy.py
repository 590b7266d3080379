"""Copies a backup from one storage to another: its objects, and its manifest last.

The started record is there first, with a deadline that covers the copy, so that what a copy that
was killed left is swept like any crashed run, and by nobody before. Pins, marks and verdicts stay
where they are: they are of the bytes there.
"""

import hashlib
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dumpers.contract.copy.jobs import CopyJob
from dumpers.contract.restore.result import BackupResult
from dumpers.repository.added_records import Copied
from dumpers.repository.catalogue import NO_DEADLINE, Entry, State, rfc3339
from dumpers.repository.copying.move import Move
from dumpers.repository.keys import COPIED, FINGERPRINT, MANIFEST, STARTED, Run
from dumpers.repository.record_json import read_record, write_record
from dumpers.repository.records import Manifest
from dumpers.runs.copy.commit import Commit
from dumpers.runs.copy.objects import ObjectCopies
from dumpers.runs.copy.there import is_copied
from dumpers.runs.failure import recorded_failure
from dumpers.runs.find import find_backup
from dumpers.runtime.errors import (
    ConfigurationError,
    ExitCode,
    InterruptedRunError,
    StorageFailedError,
    StorageRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.s3.object_lock import Lock

_LOG = logging.getLogger(__name__)

_WAS_THERE = "it was there already, and nothing was written"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Backup:
    """What is copied: `body` is its manifest as it stands in the source."""

    entry: Entry
    manifest: Manifest
    body: bytes


def copy(job: CopyJob, *, interrupt: Interrupt, now: Callable[[], datetime]) -> BackupResult:
    """Copy a backup, or find that it is there already, and return what was written.

    ConfigurationError where there is no such backup, BackupDamagedError where it is not what was
    stored: then the target holds no backup. StorageRefusedError where the target holds another one
    under its id.
    """
    began = time.monotonic()
    with RunStorage(job.source.location, run="copy", interrupt=interrupt) as source:
        backup = _find(job, source, now)
        # Locks count from the copy: those of an old backup's own time would be over.
        with RunStorage(
            job.target.location, run=backup.entry.id, interrupt=interrupt, started=now()
        ) as target:
            move = Move(
                source_path=job.source.location.path,
                path=job.target.location.path,
                bucket=job.target.location.bucket,
                storage=job.target.name,
            )
            copying = _Copying(
                job=job, backup=backup, source=source, target=target, move=move, now=now
            )
            sent = copying.copy()
    return BackupResult(
        succeeded=True,
        exit_code=ExitCode.DONE,
        reason="Succeeded",
        message=_WAS_THERE if sent is None else "",
        backup=backup.entry.id,
        began=rfc3339(backup.entry.started),
        objects=len(backup.manifest.objects),
        stored_bytes=backup.entry.stored_bytes,
        seconds=round(time.monotonic() - began, 3),
        record=f"{copying.record}{MANIFEST}",
    )


def _find(job: CopyJob, source: RunStorage, now: Callable[[], datetime]) -> _Backup:
    entry, manifest = find_backup(job, source, now)
    if entry.state is State.LEGACY:
        raise ConfigurationError(
            f"{entry.id} is a dump of ksnapshot 0.6.0, of which no manifest says what it holds: "
            "copy its object with the store's own tools"
        )
    key = f"{entry.record}{MANIFEST}"
    body = source.call(lambda: source.bucket.get(key))
    if read_record(body) != manifest:
        raise StorageFailedError(f"{key} changed while it was read: copy the backup again")
    return _Backup(entry=entry, manifest=manifest, body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copying:
    job: CopyJob
    backup: _Backup
    source: RunStorage
    target: RunStorage
    move: Move
    now: Callable[[], datetime]

    @property
    def record(self) -> str:
        """The folder of the run's records in the target."""
        return self.move.key(self.backup.entry.record)

    def copy(self) -> int | None:
        """Copy all, and return how many bytes of objects were sent; None where it was there."""
        move, manifest, commit = self.move, self.backup.manifest, self._commit
        move.check(manifest)
        there = commit.look()
        if is_copied(there, manifest, move, now=self.now()):
            if lost := commit.lost():
                raise StorageRefusedError(
                    f"{self.backup.entry.id} is listed in {move.storage} already, and {lost[0]} is "
                    "not there as it was stored: delete the backup there, then copy it again"
                )
            return None
        begun, entry = self.now(), self.backup.entry
        # As other clocks count it, from the beginning of the run that dumped.
        deadline = math.ceil((begun + self._allowed - entry.started).total_seconds())
        started = move.started(self.backup.body, pod=self.job.host, deadline_seconds=deadline)
        self._put(STARTED, started)
        with recorded_failure(self.target, self._run, now=self.now):
            _LOG.info(
                "copying a backup",
                extra=fields(
                    backup=entry.id,
                    began=rfc3339(entry.started),
                    source=self.job.source.name,
                    target=self.job.target.name,
                    objects=entry.objects,
                    stored_bytes=entry.stored_bytes,
                    requested_by=self.job.requested_by,
                ),
            )
            objects = ObjectCopies(source=self.source, target=self.target, move=move)
            checked = objects.copy_all(manifest.objects)
            fingerprint = self._copy_fingerprint()
            self._put(COPIED, self._copied())
            if self.now() > begun + self._allowed:
                raise InterruptedRunError(
                    "the copy was suspended, and what it stored may have been swept since: copy "
                    "the backup again"
                )
            body = move.manifest(self.backup.body, checked=checked, fingerprint=fingerprint)
            commit.write(there, body, started=started)
        return objects.sent

    @property
    def _allowed(self) -> timedelta:
        """How long the copy may take."""
        seconds = self.job.deadline
        return timedelta(seconds=seconds) if seconds else NO_DEADLINE

    @property
    def _run(self) -> Run:
        begun = self.backup.manifest.begun
        return Run(
            path=self.move.path,
            cluster=begun.cluster,
            cronjob=begun.cronjob,
            host=begun.pod,
            started=self.backup.entry.started,
            id=begun.run,
        )

    @property
    def _commit(self) -> Commit:
        return Commit(
            target=self.target,
            move=self.move,
            record=self.record,
            source=self.backup.manifest,
            now=self.now,
        )

    def _copy_fingerprint(self) -> str:
        """Copy the record of what the backup holds; its sha256 in the target, as hex."""
        manifest = self.backup.manifest
        if not manifest.fingerprint:
            return ""
        key = f"{self.backup.entry.record}{FINGERPRINT}"
        body = self.source.call(lambda: self.source.bucket.get(key))
        moved = self.move.fingerprint(body, manifest)
        self._put(FINGERPRINT, moved, lock=self.target.lock)
        return hashlib.sha256(moved).hexdigest()

    def _copied(self) -> bytes:
        return write_record(
            Copied(
                run=self.backup.entry.id,
                copied=self.now(),
                storage=self.job.source.name,
                bucket=self.job.source.location.bucket,
                by=self.job.requested_by,
            )
        )

    def _put(self, name: str, body: bytes, *, lock: Lock | None = None) -> None:
        """Write a record, also where an earlier copy, or the run itself, has left one."""
        key = f"{self.record}{name}"
        self.target.call(lambda: self.target.bucket.put(key, body, only_new=False, lock=lock))
