"""The reader of a restore: finds the backup, serves its objects, and has the client's verdict.

It holds the store's keys and the identity; the client, in a container of its own, holds the login
of the target. The reader's result is that of the restore.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from dumpers.contract.restore.jobs import RestoreJob
from dumpers.contract.restore.result import RestoreResult
from dumpers.repository.added_records import Restoration
from dumpers.repository.catalogue import Entry, State, rfc3339
from dumpers.repository.keys import restored_name
from dumpers.repository.records import Manifest
from dumpers.runs.find import find_backup
from dumpers.runs.progress import RESTORING, shown
from dumpers.runs.restore.exchange.messages import (
    VERSION,
    Offer,
    Piece,
    Planned,
    Verdict,
    failed_verdict,
    state_of_target,
)
from dumpers.runs.restore.exchange.serving import Listener
from dumpers.runs.restore.exchange.talk import Talk, hear_out
from dumpers.runs.restore.last_record import record_at_end
from dumpers.runs.restore.pieces import PieceReader, StoredBackup, read_identity_file
from dumpers.runtime.errors import TargetFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage

_LOG = logging.getLogger(__name__)

# How long the client's image may take to be there.
CLIENT_SECONDS = 300.0
_UNRECORDED = (
    "no record of this restore lies beside the backup: the keys of this job may only read, or the "
    "store did not take it"
)
_NOTHING = Planned(
    plan_only=False, target="", server_version="", actions=(), creates=(), notes=(), size=0
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Restore:
    job: RestoreJob
    entry: Entry
    backup: StoredBackup
    readers: list[PieceReader] = field(default_factory=list)

    @property
    def manifest(self) -> Manifest:
        return self.backup.manifest

    @contextmanager
    def open(self, place: int) -> Iterator[PieceReader]:
        """Read an object, and remember meanwhile that it is read."""
        with self.backup.open(place) as reader:
            self.readers.append(reader)
            try:
                yield reader
            finally:
                self.readers.remove(reader)


def restore(
    job: RestoreJob, listener: Listener, *, interrupt: Interrupt, now: Callable[[], datetime]
) -> RestoreResult:
    """Serve one backup to the client and return how its work ended.

    Before the client is asked for anything, the backup is found, its objects are there in their
    sizes, and the keys open it. Raises what stands in the way of that, and TargetFailedError where
    no client comes.
    """
    began, started = time.monotonic(), now()
    with RunStorage(job.location, run="restore", interrupt=interrupt) as storage:
        work = _prepare(job, storage, now)
        total = sum(item.source_size for item in work.manifest.objects)
        listener.serve(work.open)
        with shown(
            RESTORING,
            total,
            lambda: listener.served.bytes_sent,
            lambda: _where(work, listener),
        ):
            talk = hear_out(
                listener, _offer(work), interrupt=interrupt, client_seconds=CLIENT_SECONDS
            )
        verdict = _judge(work, listener, talk)
        record, unrecorded = "", tuple[str, ...]()
        is_recorded = work.entry.state is not State.LEGACY
        if talk.planned and not talk.planned.plan_only and is_recorded:
            record = _record(work, talk, verdict, started=started, finished=now())
            unrecorded = () if record else (_UNRECORDED,)
    planned = talk.planned or _NOTHING
    return RestoreResult(
        succeeded=verdict.succeeded,
        exit_code=verdict.exit_code,
        reason=verdict.reason,
        message=verdict.message,
        backup=work.entry.id,
        began=rfc3339(work.entry.started),
        engine=work.manifest.begun.engine,
        target=verdict.target or planned.target,
        server_version=planned.server_version,
        restored=verdict.restored or planned.creates,
        kept=verdict.kept,
        actions=planned.actions,
        notes=(*(verdict.notes or planned.notes), *unrecorded),
        source_bytes=planned.size if planned.plan_only else listener.served.bytes_sent,
        stored_bytes=work.entry.stored_bytes,
        seconds=round(time.monotonic() - began, 3),
        target_partial=verdict.target_partial,
        record=record,
    )


def _prepare(job: RestoreJob, storage: RunStorage, now: Callable[[], datetime]) -> _Restore:
    """Find the backup and check all that can be checked without reading it."""
    entry, manifest = find_backup(job, storage, now)
    identities = read_identity_file(job.identity_file, manifest)
    backup = StoredBackup(
        storage=storage,
        manifest=manifest,
        identities=identities,
        is_legacy=entry.state is State.LEGACY,
    )
    backup.check_sizes()
    backup.check_keys()
    _LOG.info(
        "restoring a backup",
        extra=fields(
            backup=entry.id,
            began=rfc3339(entry.started),
            seconds_ago=round((now() - entry.started).total_seconds()),
            state=entry.state,
            engine=entry.engine,
            server_version=entry.server_version,
            objects=entry.objects,
            source_bytes=entry.source_bytes,
            stored_bytes=entry.stored_bytes,
            requested_by=job.requested_by,
            mode=job.request.mode,
            plan_only=job.plan_only,
        ),
    )
    return _Restore(job=job, entry=entry, backup=backup)


def _offer(work: _Restore) -> Offer:
    return Offer(
        version=VERSION,
        backup=work.entry.id,
        began=rfc3339(work.entry.started),
        engine=work.manifest.begun.engine,
        server_version=work.manifest.server_version,
        request=work.job.request.to_json(),
        plan_only=work.job.plan_only,
        pieces=tuple(
            Piece(
                name=item.name,
                part=item.part,
                ending=item.ending,
                size=item.source_size,
                metadata=item.metadata,
            )
            for item in work.manifest.objects
        ),
    )


def _where(work: _Restore, listener: Listener) -> str:
    """What a restore without progress waits for."""
    if any(reader.download.is_waiting for reader in work.readers):
        return "the store"
    return "the target" if listener.is_stalled_by_client() else "decryption"


def _judge(work: _Restore, listener: Listener, talk: Talk) -> Verdict:
    """The client's verdict, unless it is good and what the reader knows speaks against it."""
    verdict, served = talk.verdict, listener.served
    unread = [work.manifest.objects[place].key for place in sorted(served.begun - served.whole)]
    # A plan may look at the head of a piece only.
    is_fine = talk.planned is not None and (talk.planned.plan_only or not unread)
    if not verdict.succeeded or is_fine:
        return verdict
    known = f"has not read {unread[0]} to its end" if unread else "has not said what it would do"
    error = TargetFailedError(
        f"the client says that all is done, and {known}: {state_of_target(partial=True)}"
    )
    return failed_verdict(error, target=verdict.target, partial=True)


def _record(
    work: _Restore,
    talk: Talk,
    verdict: Verdict,
    *,
    started: datetime,
    finished: datetime,
) -> str:
    """Record what was done beside the backup, and return the key; empty where that fails.

    Keys that may only read are enough for a restore, so a refusal is only a warning.
    """
    storage, planned = work.backup.storage, talk.planned or _NOTHING
    record = Restoration(
        run=work.entry.id,
        started=started,
        finished=finished,
        by=work.job.requested_by,
        target=verdict.target or planned.target,
        mode=work.job.request.mode,
        reason=verdict.reason,
        message=verdict.message,
        target_partial=verdict.target_partial,
        restored=verdict.restored or planned.creates,
        kept=verdict.kept,
    )
    key = f"{work.entry.record}{restored_name(finished)}"
    unrecorded = "the restore is not recorded beside the backup"
    return key if record_at_end(storage, key, record, unrecorded=unrecorded) else ""
