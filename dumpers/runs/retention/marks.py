"""Marks that people put beside a backup: never to be pruned, or of a size that is right."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from dumpers.contract.restore.jobs import BackupJob
from dumpers.contract.restore.result import BackupResult
from dumpers.repository.added_records import Acceptance, Pin
from dumpers.repository.catalogue import Entry, rfc3339
from dumpers.repository.choice import NoSuchBackupError
from dumpers.repository.keys import ACCEPTED, MANIFEST, PINNED, records_prefix
from dumpers.repository.listing import Catalogue
from dumpers.repository.record_json import Record, read_record, write_record
from dumpers.repository.records import Tombstone
from dumpers.runtime.errors import (
    ConfigurationError,
    ExitCode,
    StorageFailedError,
    StorageRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.run_storage import RunStorage

# Changes the mark with this key, of this backup.
_Change = Callable[[RunStorage, Entry, str], None]


class BackupNotFoundError(ConfigurationError):
    """The backup that is to be marked is not in this storage; another one may have it."""

    reason = "BackupNotFound"


def pin(
    job: BackupJob, *, interrupt: Interrupt, now: Callable[[], datetime], is_pinned: bool
) -> BackupResult:
    """Write the pin of a backup, or remove it where `is_pinned` is false; may be done twice.

    A backup whose pin is written stays. ConfigurationError where it is deleted meanwhile,
    StorageFailedError where that is not decided yet, StorageRefusedError where the keys may not
    write.
    """

    def change(storage: RunStorage, entry: Entry, key: str) -> None:
        if not is_pinned:
            storage.call(lambda: storage.bucket.delete(key))
            return
        if not entry.pinned:
            _put(storage, key, Pin(run=entry.id, pinned=now(), by=job.requested_by))
        _check_in_time(storage, entry, key)

    return _mark(job, PINNED, change, interrupt=interrupt, now=now)


def accept(job: BackupJob, *, interrupt: Interrupt, now: Callable[[], datetime]) -> BackupResult:
    """Accept the size of a backup and of all before it; may be done twice.

    StorageRefusedError where the keys may not write.
    """

    def change(storage: RunStorage, entry: Entry, key: str) -> None:
        _put(storage, key, Acceptance(run=entry.id, accepted=now(), by=job.requested_by))

    return _mark(job, ACCEPTED, change, interrupt=interrupt, now=now)


def _mark(
    job: BackupJob,
    name: str,
    change: _Change,
    *,
    interrupt: Interrupt,
    now: Callable[[], datetime],
) -> BackupResult:
    """Change the record of this name beside the backup that is asked for.

    BackupNotFoundError where it is not in this storage.
    """
    began = time.monotonic()
    with RunStorage(job.location, run="mark", interrupt=interrupt) as storage:
        prefix = records_prefix(path=job.location.path, cluster=job.cluster, cronjob=job.cronjob)
        try:
            entry = Catalogue(storage=storage, prefix=prefix, now=now).find(job.backup)
        except NoSuchBackupError as error:
            raise BackupNotFoundError(*error.faults) from error
        key = f"{entry.record}{name}"
        change(storage, entry, key)
    return BackupResult(
        succeeded=True,
        exit_code=ExitCode.DONE,
        reason="Succeeded",
        message="",
        backup=entry.id,
        began=rfc3339(entry.started),
        seconds=round(time.monotonic() - began, 3),
        record=key,
    )


def _check_in_time(storage: RunStorage, entry: Entry, key: str) -> None:
    """Raise where the backup's manifest is not there any more behind its pin with this key.

    A deletion looks for the pin behind its tombstone: one that is not there yet will heed it.
    """
    found = storage.call(lambda: storage.bucket.get_version(f"{entry.record}{MANIFEST}"))
    record = read_record(found[0]) if found else None
    if found and not isinstance(record, Tombstone):
        return
    which = f"{entry.id} of {rfc3339(entry.started)}"
    if isinstance(record, Tombstone) and not record.is_decided:
        raise StorageFailedError(
            f"{which} was to be deleted just now, and it is not decided whether its pin came in "
            "time: pin it once more"
        )
    # Else it would stay alone in the folder, where all else is gone. Not all keys may do that.
    with suppress(StorageRefusedError):
        storage.call(lambda: storage.bucket.delete(key))
    raise ConfigurationError(f"{which} is deleted: the pin came too late, choose another backup")


def _put(storage: RunStorage, key: str, record: Record) -> None:
    body = write_record(record)
    storage.call(lambda: storage.bucket.put(key, body, only_new=False))
