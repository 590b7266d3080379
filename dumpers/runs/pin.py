"""Pins a backup, so that it is never pruned, and lets it go again."""

import time
from collections.abc import Callable
from datetime import datetime

from dumpers.contract.restore.jobs import BackupJob
from dumpers.contract.restore.result import BackupResult
from dumpers.repository.added_records import Pin
from dumpers.repository.catalogue import rfc3339
from dumpers.repository.keys import PINNED, records_prefix
from dumpers.repository.listing import Catalogue
from dumpers.repository.record_json import write_record
from dumpers.runtime.errors import ExitCode
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.run_storage import RunStorage


def pin(
    job: BackupJob, *, interrupt: Interrupt, now: Callable[[], datetime], is_pinned: bool
) -> BackupResult:
    """Write the pin of a backup, or remove it where `is_pinned` is false; may be done twice.

    StorageRefusedError where the keys may not write.
    """
    began = time.monotonic()
    with RunStorage(job.location, run="pin", interrupt=interrupt) as storage:
        prefix = records_prefix(path=job.location.path, cluster=job.cluster, cronjob=job.cronjob)
        entry = Catalogue(storage=storage, prefix=prefix, now=now).find(job.backup)
        key = f"{entry.record}{PINNED}"
        if is_pinned and not entry.pinned:
            body = write_record(Pin(run=entry.id, pinned=now(), by=job.requested_by))
            storage.call(lambda: storage.bucket.put(key, body, only_new=False))
        elif not is_pinned:
            storage.call(lambda: storage.bucket.delete(key))
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
