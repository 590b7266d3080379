"""Reads the stored objects back and compares them with what was sent."""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from dumpers.contract.names import READ_BACK, VERIFY
from dumpers.contract.restore.jobs import BackupJob
from dumpers.contract.restore.result import BackupResult
from dumpers.repository.added_records import CheckedObject, Verification
from dumpers.repository.catalogue import rfc3339
from dumpers.repository.extent import read_extent
from dumpers.repository.keys import records_prefix, verification_name
from dumpers.repository.listing import Catalogue
from dumpers.repository.record_json import write_record
from dumpers.repository.records import ObjectRecord
from dumpers.runtime.errors import (
    BackupDamagedError,
    ExitCode,
    StorageFailedError,
    StorageRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.storage.download import Download
from dumpers.storage.errors import ForbiddenByStoreError
from dumpers.storage.run_storage import RunStorage

_LOG = logging.getLogger(__name__)

# Of keys of a reader, which may have no right to write records.
NOT_GRANTED = "the keys of this job may not write it"


def prove_right(storage: RunStorage, key: str, body: bytes) -> None:
    """Prove the right to read on a small object of this run, before hours of dumping.

    StorageRefusedError without the right, StorageFailedError where other bytes come back.
    """
    try:
        stored = storage.call(lambda: storage.bucket.get(key))
    except StorageRefusedError as error:
        raise StorageRefusedError(
            f"{VERIFY}={READ_BACK} needs the right to read: grant s3:GetObject, or drop it: {error}"
        ) from error
    if stored != body:
        raise StorageFailedError(
            f"{key} was written and reads differently: the store, or what stands between, alters "
            "data"
        )


def read_back(storage: RunStorage, objects: Sequence[ObjectRecord]) -> tuple[CheckedObject, ...]:
    """Read every object, block by block, and return how each was found.

    Where the connection breaks, reading goes on, as long as the run's patience with the store
    lasts; StorageFailedError where that does not help.
    """
    return tuple(_check(storage, item) for item in objects)


def verify_backup(
    job: BackupJob, *, interrupt: Interrupt, now: Callable[[], datetime]
) -> BackupResult:
    """Read every object of a backup back, and record beside the backup what was found.

    A backup that is damaged is a result, not an error. Where the keys may not write the record,
    the result alone has the verdict, and says so.
    """
    began = time.monotonic()
    with RunStorage(job.location, run="verify", interrupt=interrupt) as storage:
        prefix = records_prefix(path=job.location.path, cluster=job.cluster, cronjob=job.cronjob)
        catalogue = Catalogue(storage=storage, prefix=prefix, now=now)
        entry = catalogue.find(job.backup)
        objects = catalogue.manifest(entry).objects
        _LOG.info("verifying", extra=fields(backup=entry.id, objects=len(objects)))
        found = Verification(
            run=entry.id,
            method=READ_BACK,
            objects=_read_all(storage, objects),
            finished=now(),
        )
        key = f"{entry.record}{verification_name(found.finished, good=found.good)}"
        why = _record(storage, key, found)
        extent = read_extent(storage, prefix, now=now)
    damaged = [item.key for item in found.objects if not item.good]
    details = "its record could not be written" if why else f"{key} has the details"
    return BackupResult(
        succeeded=found.good,
        exit_code=ExitCode.DONE if found.good else BackupDamagedError.exit_code,
        reason="Succeeded" if found.good else BackupDamagedError.reason,
        message=f"{len(damaged)} of {len(objects)} objects are damaged or gone, the first of them "
        f"{damaged[0]}: {details}"
        if damaged
        else why,
        backup=entry.id,
        began=rfc3339(entry.started),
        objects=len(objects),
        stored_bytes=sum(item.size for item in found.objects),
        seconds=round(time.monotonic() - began, 3),
        record="" if why else key,
        oldest_backup=rfc3339(extent.oldest) if extent else "",
        backups=extent.count if extent else 0,
    )


def _record(storage: RunStorage, key: str, found: Verification) -> str:
    """Record a verdict beside its backup; returns why not where the keys may only read."""
    try:
        storage.put_once(key, write_record(found))
    except ForbiddenByStoreError as error:
        _LOG.warning(
            "the verdict is not recorded beside the backup", extra=fields(key=key, why=str(error))
        )
        return f"the verdict is not recorded beside the backup: {NOT_GRANTED}"
    return ""


def _read_all(storage: RunStorage, objects: Sequence[ObjectRecord]) -> tuple[CheckedObject, ...]:
    """Read every object; one that is gone counts as damaged, with no bytes."""
    return tuple(
        _check(storage, item)
        if storage.call(partial(_is_there, storage, item))
        else CheckedObject(key=item.key, size=0, sha256="", good=False)
        for item in objects
    )


def _is_there(storage: RunStorage, item: ObjectRecord) -> bool:
    return storage.bucket.head(item.key) is not None


def _check(storage: RunStorage, item: ObjectRecord) -> CheckedObject:
    size, digest = 0, hashlib.sha256()
    with Download(storage, item.key) as stored:
        while block := stored.read():
            size += len(block)
            digest.update(block)
    sha256 = digest.hexdigest()
    good = (size, sha256) == (item.size, item.sha256)
    return CheckedObject(key=item.key, size=size, sha256=sha256, good=good)
