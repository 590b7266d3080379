"""Verifies the one backup that somebody asks for."""

import time
from collections.abc import Callable
from datetime import datetime

from dumpers.contract.restore.request import AT, LATEST
from dumpers.contract.restore.result import BackupResult
from dumpers.contract.verify.jobs import VerifyJob
from dumpers.repository.catalogue import Entry, State, rfc3339
from dumpers.repository.choice import check_restorable
from dumpers.repository.extent import read_extent
from dumpers.repository.keys import records_prefix
from dumpers.repository.listing import Catalogue
from dumpers.runs.identities import read_identities
from dumpers.runs.verify.verifier import NOT_GRANTED, Verdict, Verifier
from dumpers.runtime.errors import (
    BackupDamagedError,
    ConfigurationError,
    EncryptionError,
    ExitCode,
    Failure,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.run_storage import RunStorage


def verify_backup(
    job: VerifyJob, *, interrupt: Interrupt, now: Callable[[], datetime]
) -> BackupResult:
    """Read every object of a backup back, and record beside the backup what was found.

    A backup that is damaged is a result, not an error; it may be verified again by its id. Where
    the keys may not write the record, the result alone has the verdict, and says so.
    """
    began, identities = time.monotonic(), read_identities(job.identity_file)
    with RunStorage(job.location, run="verify", interrupt=interrupt) as storage:
        prefix = records_prefix(path=job.location.path, cluster=job.cluster, cronjob=job.cronjob)
        catalogue = Catalogue(storage=storage, prefix=prefix, now=now)
        entry = _find(catalogue, job.backup)
        verdict = Verifier(storage=storage, identities=identities, now=now).verify(entry)
        if verdict is None:
            raise ConfigurationError(f"{entry.id} was removed while it was read")
        extent = read_extent(storage, prefix, now=now)
    failure = _failure(verdict)
    return BackupResult(
        succeeded=failure is None,
        exit_code=failure.exit_code if failure else ExitCode.DONE,
        reason=failure.reason if failure else "Succeeded",
        message=failure.message if failure else _unrecorded(verdict),
        backup=entry.id,
        began=rfc3339(entry.started),
        objects=len(verdict.found.objects),
        stored_bytes=verdict.stored_bytes,
        seconds=round(time.monotonic() - began, 3),
        record=verdict.record,
        oldest_backup=rfc3339(extent.oldest) if extent else "",
        backups=extent.count if extent else 0,
    )


def _find(catalogue: Catalogue, wanted: str) -> Entry:
    """The backup that is meant; one that the last verification found damaged only by its id."""
    if wanted == LATEST or wanted.startswith(AT):
        return catalogue.find(wanted)
    entry = catalogue.find_run(wanted)
    is_judged = entry.state is State.DAMAGED and entry.proof is not None
    return entry if is_judged else check_restorable(entry)


def _failure(verdict: Verdict) -> Failure | None:
    """How the verification failed; None where the backup is good."""
    if damaged := verdict.damaged:
        details = f"{verdict.record} has the details"
        return _fail(
            BackupDamagedError,
            f"{len(damaged)} of {len(verdict.found.objects)} objects are damaged or gone, the "
            f"first of them {damaged[0].key}: "
            f"{details if verdict.record else 'its record could not be written'}",
        )
    if verdict.locked:
        stored = f"what is stored is as it was sent: {_unrecorded(verdict) or verdict.record}"
        return _fail(EncryptionError, f"{verdict.locked}; {stored}")
    return None


def _fail(
    kind: type[BackupDamagedError | EncryptionError],
    message: str,
) -> Failure:
    return Failure(exit_code=kind.exit_code, reason=kind.reason, message=message)


def _unrecorded(verdict: Verdict) -> str:
    """That the verdict is not recorded, and why; empty where it is."""
    if verdict.record:
        return ""
    return f"the verdict is not recorded beside the backup: {NOT_GRANTED}"
