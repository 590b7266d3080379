"""Finds the backup that a job is about."""

from collections.abc import Callable
from datetime import datetime

from dumpers.contract.restore.jobs import BackupJob
from dumpers.repository.catalogue import Entry, State
from dumpers.repository.keys import records_prefix
from dumpers.repository.legacy import LEGACY, make_manifest
from dumpers.repository.legacy_listing import LegacyDumps
from dumpers.repository.listing import Catalogue
from dumpers.repository.records import Manifest
from dumpers.storage.run_storage import RunStorage

_NEVER_A_BACKUP = frozenset({State.RUNNING, State.FAILED, State.CRASHED, State.SWEPT})


def has_stored(job: BackupJob, storage: RunStorage, now: Callable[[], datetime]) -> bool:
    """Whether a run of the job's CronJob ever left a backup, whatever became of that since."""
    prefix = records_prefix(path=job.location.path, cluster=job.cluster, cronjob=job.cronjob)
    catalogue, before = Catalogue(storage=storage, prefix=prefix, now=now), ""
    while True:
        page = catalogue.page(before=before)
        if any(entry.state not in _NEVER_A_BACKUP for entry in page.entries):
            return True
        if not page.next:
            return False
        before = page.next


def find_backup(
    job: BackupJob, storage: RunStorage, now: Callable[[], datetime]
) -> tuple[Entry, Manifest]:
    """The backup that is meant, with its manifest; that of a dump of 0.6.0 is made up.

    ConfigurationError where there is none that can be restored, BackupDamagedError where its
    manifest is.
    """
    path, cluster, cronjob = job.location.path, job.cluster, job.cronjob
    if job.backup.startswith(LEGACY):
        dumps = LegacyDumps(storage=storage, path=path, cluster=cluster, cronjob=cronjob)
        dump, entry = dumps.find(job.backup)
        return entry, make_manifest(dump, entry, bucket=job.location.bucket)
    prefix = records_prefix(path=path, cluster=cluster, cronjob=cronjob)
    catalogue = Catalogue(storage=storage, prefix=prefix, now=now)
    entry = catalogue.find(job.backup)
    return entry, catalogue.manifest(entry)
