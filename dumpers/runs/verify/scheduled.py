"""Verifies those backups of a CronJob whose turn it is."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from dumpers.contract.verify.jobs import VerifyJob
from dumpers.contract.verify.result import MAX_BACKUPS, VerifyResult
from dumpers.repository.catalogue import Entry, rfc3339
from dumpers.repository.keys import records_prefix
from dumpers.repository.removal.folders import entries_of, read_folders
from dumpers.repository.sampling import choose_sample, newest_verified, oldest_unread
from dumpers.runs.identities import read_identities
from dumpers.runs.verify.outcome import Outcome, age, damaged
from dumpers.runs.verify.verifier import Verifier
from dumpers.runtime.errors import (
    EncryptionError,
    ExitCode,
    Failure,
    KsnapshotError,
    StorageRefusedError,
    describe_failure,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage

_LOG = logging.getLogger(__name__)


def verify_on_schedule(
    job: VerifyJob, *, interrupt: Interrupt, now: Callable[[], datetime]
) -> VerifyResult:
    """Read the backups whose turn it is, and record beside each what was found.

    One that is damaged keeps no other from being read, and neither does one that the store refuses
    to give, or a key that does not fit; the result is a failure then. It is one as long as there
    are damaged backups, whoever found that. What was read before the run was told to stop, or the
    store went away, is recorded, and the next run goes on with the others. Raises what stands in
    the way before anything is read.
    """
    began, identities = time.monotonic(), read_identities(job.identity_file)
    run = Outcome()
    with RunStorage(job.location, run="verify", interrupt=interrupt) as storage:
        prefix = records_prefix(path=job.location.path, cluster=job.cluster, cronjob=job.cronjob)
        entries = entries_of(read_folders(storage, prefix, now=now))
        verifier = Verifier(storage=storage, identities=identities, now=now)
        for newest in choose_sample(entries, None) if identities else ():
            run.wrong_key += _check_keys(verifier, newest)
        _read(run, verifier, choose_sample(entries, job.sample))
    known = run.judged(entries)
    failure = run.failure(known)
    unread, verified = oldest_unread(known), newest_verified(known)
    read = sorted((verdict.entry for verdict in run.verdicts), key=age, reverse=True)
    return VerifyResult(
        succeeded=failure is None,
        exit_code=failure.exit_code if failure else ExitCode.DONE,
        reason=failure.reason if failure else "Succeeded",
        message=failure.message if failure else run.remark(),
        finished=rfc3339(now()),
        seconds=round(time.monotonic() - began, 3),
        verified=sum(not verdict.damaged for verdict in run.verdicts),
        damaged=len(damaged(known)),
        backups=tuple(entry.id for entry in read[:MAX_BACKUPS]),
        stored_bytes=sum(verdict.stored_bytes for verdict in run.verdicts),
        oldest_unread=rfc3339(unread.started) if unread else "",
        newest_verified=verified.id if verified else "",
    )


def _check_keys(verifier: Verifier, newest: Entry) -> list[Failure]:
    """That the keys do not open the newest backup; empty where they do.

    Older ones may be encrypted for others: that is said of each in the log.
    """
    try:
        verifier.check_keys(newest)
    except EncryptionError as error:
        text = f"{error}; backups that it does not open are read as they are stored"
        return [Failure(exit_code=error.exit_code, reason=error.reason, message=text)]
    return []


def _read(run: Outcome, verifier: Verifier, chosen: Sequence[Entry]) -> None:
    """Verify one backup after the other, until the run has to stop."""
    try:
        for entry in chosen:
            try:
                verdict = verifier.verify(entry)
            except StorageRefusedError as error:
                # It is about this backup: the store has just let the records be read.
                known = fields(backup=entry.id, why=str(error))
                _LOG.warning("a backup is not verified", extra=known)
                run.refused.append(describe_failure(error))
                continue
            if verdict:
                run.verdicts.append(verdict)
            else:
                run.removed.add(entry.record)
    except KsnapshotError as error:
        run.stopped.append(describe_failure(error))
