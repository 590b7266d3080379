"""Verifies those backups of a CronJob whose turn it is."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from dumpers.contract.verify.jobs import VerifyJob
from dumpers.contract.verify.result import MAX_BACKUPS, VerifyResult
from dumpers.repository.catalogue import Entry, Proof, State, rfc3339
from dumpers.repository.keys import records_prefix
from dumpers.repository.removal.folders import entries_of, read_folders
from dumpers.repository.sampling import choose_sample, newest_verified, oldest_unread
from dumpers.runs.identities import read_identities
from dumpers.runs.verify.verifier import NOT_GRANTED, Verdict, Verifier
from dumpers.runtime.errors import (
    BackupDamagedError,
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

_NOTHING = "there was no backup that can be restored: nothing was read"
# Of damaged backups, in a message.
_SHOWN = 5


@dataclass(slots=True)
class _Run:
    """What was read so far, and what went wrong besides.

    `stopped` ended the run before all was read, `refused` are backups that the store does not give,
    `wrong_key` is that the keys do not open the newest backup.
    """

    verdicts: list[Verdict] = field(default_factory=list)
    stopped: list[Failure] = field(default_factory=list)
    refused: list[Failure] = field(default_factory=list)
    wrong_key: list[Failure] = field(default_factory=list)

    @property
    def damaged(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.damaged]


def verify_on_schedule(
    job: VerifyJob, *, interrupt: Interrupt, now: Callable[[], datetime]
) -> VerifyResult:
    """Read the backups whose turn it is, and record beside each what was found.

    One that is damaged keeps no other from being read, and neither does one that the store refuses
    to give, or a key that does not fit; the result is a failure then. What was read before the run
    was told to stop, or the store went away, is recorded, and the next run goes on with the others.
    Raises what stands in the way before anything is read.
    """
    began, identities = time.monotonic(), read_identities(job.identity_file)
    run = _Run()
    with RunStorage(job.location, run="verify", interrupt=interrupt) as storage:
        prefix = records_prefix(path=job.location.path, cluster=job.cluster, cronjob=job.cronjob)
        entries = entries_of(read_folders(storage, prefix, now=now))
        verifier = Verifier(storage=storage, identities=identities, now=now)
        for newest in choose_sample(entries, None) if identities else ():
            run.wrong_key += _check_keys(verifier, newest)
        _read(run, verifier, choose_sample(entries, job.sample))
    known = _judged(entries, run.verdicts)
    failure = _failure(run, known)
    unread, verified = oldest_unread(known), newest_verified(known)
    read = sorted((verdict.entry for verdict in run.verdicts), key=_age, reverse=True)
    return VerifyResult(
        succeeded=failure is None,
        exit_code=failure.exit_code if failure else ExitCode.DONE,
        reason=failure.reason if failure else "Succeeded",
        message=failure.message if failure else _remark(run),
        finished=rfc3339(now()),
        seconds=round(time.monotonic() - began, 3),
        verified=len(run.verdicts) - len(run.damaged),
        damaged=len(run.damaged),
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


def _read(run: _Run, verifier: Verifier, chosen: Sequence[Entry]) -> None:
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
    except KsnapshotError as error:
        run.stopped.append(describe_failure(error))


def _judged(entries: Iterable[Entry], verdicts: Iterable[Verdict]) -> list[Entry]:
    """The entries as they are behind the run, whether its verdicts could be recorded or not."""
    found = {verdict.entry.record: verdict.found for verdict in verdicts}
    return [
        replace(
            entry,
            proof=Proof(when=found[entry.record].finished, good=found[entry.record].good),
            state=entry.state if found[entry.record].good else State.DAMAGED,
        )
        if entry.record in found
        else entry
        for entry in entries
    ]


def _failure(run: _Run, entries: Sequence[Entry]) -> Failure | None:
    """How the run failed, the worst first: what stops it hides no damage."""
    failures = [*_damage(run, entries), *run.stopped, *run.refused[:1], *run.wrong_key]
    if not failures:
        return None
    text = "; ".join(failure.message for failure in failures)
    return replace(failures[0], message=text)


def _damage(run: _Run, entries: Sequence[Entry]) -> list[Failure]:
    """That backups are damaged; also where these are all that there are, whoever found it."""
    if damaged := run.damaged:
        shown = "; ".join(map(_show, damaged[:_SHOWN]))
        more = f"; and {len(damaged) - _SHOWN} more" if len(damaged) > _SHOWN else ""
        text = f"of {len(run.verdicts)} backups that were read {len(damaged)} are damaged: "
        return [_damaged(f"{text}{shown}{more}")]
    before = [entry for entry in entries if entry.state is State.DAMAGED]
    if before and not any(entry.is_restorable for entry in entries):
        newest = max(before, key=_age)
        return [
            _damaged(
                f"there is no backup that can be restored: {len(before)} are damaged, the newest of"
                f" them {newest.id} of {rfc3339(newest.started)} ({newest.why})"
            )
        ]
    return []


def _damaged(text: str) -> Failure:
    kind = BackupDamagedError
    return Failure(exit_code=kind.exit_code, reason=kind.reason, message=text)


def _show(verdict: Verdict) -> str:
    entry, first = verdict.entry, verdict.damaged[0]
    return (
        f"{entry.id} of {rfc3339(entry.started)}, {len(verdict.damaged)} of "
        f"{len(verdict.found.objects)} objects, the first of them {first.key} ({first.why})"
    )


def _remark(run: _Run) -> str:
    """What is to be said of a run that went well; empty for nothing."""
    if not run.verdicts:
        return _NOTHING
    unrecorded = sum(not verdict.record for verdict in run.verdicts)
    if not unrecorded:
        return ""
    return (
        f"{unrecorded} verdicts are not recorded beside their backups: {NOT_GRANTED}, so that the "
        "next run reads the same backups again"
    )


def _age(entry: Entry) -> tuple[datetime, str]:
    return entry.started, entry.record
