"""Verifies those backups of a CronJob whose turn it is."""

import logging
import time
from collections.abc import Callable
from datetime import datetime

from dumpers.contract.verify.jobs import VerifyJob
from dumpers.contract.verify.result import MAX_BACKUPS, VerifyResult
from dumpers.repository.catalogue import Entry, rfc3339
from dumpers.repository.keys import last_unread, records_prefix
from dumpers.repository.removal.folders import entries_of, read_folders
from dumpers.repository.sampling import (
    Turns,
    age,
    newest_backup,
    newest_verified,
    oldest_unread,
    take_turns,
)
from dumpers.runs.identities import read_identities
from dumpers.runs.verify.outcome import Outcome, damaged
from dumpers.runs.verify.unread import note_unread, still_answers
from dumpers.runs.verify.verifier import Verifier
from dumpers.runtime.errors import (
    BackupUnreadableError,
    DeadlineExceededError,
    EncryptionError,
    ExitCode,
    Failure,
    KsnapshotError,
    StorageFailedError,
    StorageRefusedError,
    describe_failure,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage

_LOG = logging.getLogger(__name__)

# Where none of so many can be read, it is not about the backups.
_MOST_UNREAD = 20


def verify_on_schedule(
    job: VerifyJob, *, interrupt: Interrupt, now: Callable[[], datetime]
) -> VerifyResult:
    """Read the backups whose turn it is, and record beside each what was found.

    One that is damaged keeps no other from being read, and neither does one that the store does not
    give, or that takes longer than a run may, or a key that does not fit; the result is a failure
    then. It is one as long as there are damaged backups, whoever found that. What was read before
    the run was told to stop, or the store went away, is recorded, and the next run goes on with the
    others. Raises what stands in the way before anything is read.
    """
    began, identities = time.monotonic(), read_identities(job.identity_file)
    run = Outcome()
    with RunStorage(job.location, run="verify", interrupt=interrupt) as storage:
        prefix = records_prefix(path=job.location.path, cluster=job.cluster, cronjob=job.cronjob)
        folders, moment = read_folders(storage, prefix, now=now), now()
        entries = entries_of(folders)
        tried = {
            record: when
            for record, folder in folders.items()
            if (when := last_unread(folder.names))
        }
        verifier = Verifier(storage=storage, identities=identities, now=now)
        if identities and (newest := newest_backup(entries, moment)):
            run.wrong_key += _check_keys(verifier, newest)
        _read_in_turn(run, verifier, take_turns(entries, job.sample, tried=tried, now=moment))
    known = run.judged(entries)
    failure = run.failure(known)
    unread, verified = oldest_unread(known, moment), newest_verified(known, moment)
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


def _read_in_turn(run: Outcome, verifier: Verifier, turns: Turns) -> None:
    """Verify one backup after the other, until it is enough or the run has to stop."""
    noted = 0
    for entry in turns.order:
        if turns.is_enough(run.read, run.passed) or (noted >= _MOST_UNREAD and not run.verdicts):
            return
        try:
            if failure := _read(run, verifier, entry):
                noted += note_unread(verifier.storage, entry, failure, now=verifier.now)
        except DeadlineExceededError as error:
            # It may take longer than a run may.
            run.stopped.append(describe_failure(error))
            note_unread(verifier.storage, entry, run.stopped[0], now=verifier.now)
            return
        except KsnapshotError as error:
            run.stopped.append(describe_failure(error))
            return


def _read(run: Outcome, verifier: Verifier, entry: Entry) -> Failure | None:
    """Verify a backup; returns why the store does not give it, where that is about it alone."""
    try:
        verdict = verifier.verify(entry)
    except (StorageRefusedError, StorageFailedError) as error:
        # The store has let the records be read: what it refuses is of this backup.
        failure = describe_failure(error)
        if isinstance(error, StorageFailedError):
            if not still_answers(verifier.storage, entry):
                raise
            failure = describe_failure(BackupUnreadableError(str(error)))
        _LOG.warning("a backup is not verified", extra=fields(backup=entry.id, why=str(error)))
        run.unread.append((entry, failure))
        return failure
    if verdict:
        run.verdicts.append(verdict)
    else:
        run.removed.add(entry.record)
    return None
