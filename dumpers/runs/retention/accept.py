"""Records that the sizes of a CronJob's backups are right, however small they became."""

import time
from collections.abc import Callable
from datetime import datetime

from dumpers.contract.restore.jobs import BackupJob
from dumpers.contract.restore.result import BackupResult
from dumpers.repository.added_records import Acceptance
from dumpers.repository.catalogue import rfc3339
from dumpers.repository.keys import ACCEPTED, records_prefix
from dumpers.repository.listing import Catalogue
from dumpers.repository.record_json import write_record
from dumpers.runtime.errors import ExitCode
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.run_storage import RunStorage


def accept(job: BackupJob, *, interrupt: Interrupt, now: Callable[[], datetime]) -> BackupResult:
    """Accept the size of a backup and of all before it; may be done twice.

    StorageRefusedError where the keys may not write.
    """
    began = time.monotonic()
    with RunStorage(job.location, run="accept", interrupt=interrupt) as storage:
        prefix = records_prefix(path=job.location.path, cluster=job.cluster, cronjob=job.cronjob)
        entry = Catalogue(storage=storage, prefix=prefix, now=now).find(job.backup)
        key = f"{entry.record}{ACCEPTED}"
        body = write_record(Acceptance(run=entry.id, accepted=now(), by=job.requested_by))
        storage.call(lambda: storage.bucket.put(key, body, only_new=False))
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
