"""The reader of a restore: finds the backup, serves its objects, and has the client's verdict.

It holds the store's keys and the identity; the client, in a container of its own, holds the login
of the target. The reader's result is that of the restore.
"""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from functools import partial

from dumpers.contract.restore.jobs import RestoreJob
from dumpers.contract.restore.result import RestoreResult
from dumpers.repository.added_records import Restoration
from dumpers.repository.catalogue import State, rfc3339
from dumpers.repository.keys import restored_name
from dumpers.runs.nearest import StoredCopy, find_nearest
from dumpers.runs.progress import RESTORING, shown
from dumpers.runs.restore.exchange.messages import (
    Planned,
    Verdict,
    failed_verdict,
    state_of_target,
)
from dumpers.runs.restore.exchange.serving import Listener
from dumpers.runs.restore.exchange.talk import Talk, hear_out
from dumpers.runs.restore.last_record import record_at_end
from dumpers.runs.restore.offering import OfferedBackup
from dumpers.runs.restore.pieces import read_identity_file
from dumpers.runtime.errors import TargetFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields

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


def restore(
    job: RestoreJob, listener: Listener, *, interrupt: Interrupt, now: Callable[[], datetime]
) -> RestoreResult:
    """Serve one backup to the client and return how its work ended.

    Before the client is asked for anything, the backup is found, its objects are there in their
    sizes, and the keys open it. Raises what stands in the way of that, and TargetFailedError where
    no client comes. Of several storages the nearest one is read in which all that is found good.
    """
    began, started = time.monotonic(), now()
    with ExitStack() as opened:
        nearest = find_nearest(
            job,
            opened,
            partial(_prepare, job, now=now),
            run="restore",
            interrupt=interrupt,
            now=now,
        )
        work = nearest.work
        listener.serve(work.open)
        with shown(
            RESTORING,
            work.size,
            lambda: listener.served.bytes_sent,
            lambda: work.waits_for(listener),
        ):
            talk = hear_out(
                listener,
                work.offer(request=job.request.to_json(), plan_only=job.plan_only),
                interrupt=interrupt,
                client_seconds=CLIENT_SECONDS,
            )
        verdict = _judge(work, listener, talk)
        record, unrecorded = "", tuple[str, ...]()
        is_recorded = work.entry.state is not State.LEGACY
        if talk.planned and not talk.planned.plan_only and is_recorded:
            record = _record(job, work, talk, verdict, started=started, finished=now())
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
        notes=(*(verdict.notes or planned.notes), *nearest.notes, *unrecorded),
        source_bytes=planned.size if planned.plan_only else listener.served.bytes_sent,
        stored_bytes=work.entry.stored_bytes,
        seconds=round(time.monotonic() - began, 3),
        target_partial=verdict.target_partial,
        record=record,
    )


def _prepare(job: RestoreJob, found: StoredCopy, *, now: Callable[[], datetime]) -> OfferedBackup:
    """Check all of a backup that can be checked without reading it."""
    entry, manifest = found.entry, found.manifest
    work = OfferedBackup.of(
        entry, manifest, found.storage, identities=read_identity_file(job.identity_file, manifest)
    )
    work.check()
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
    return work


def _judge(work: OfferedBackup, listener: Listener, talk: Talk) -> Verdict:
    """The client's verdict, unless it is good and what the reader knows speaks against it."""
    verdict, unread = talk.verdict, work.unread(listener.served)
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
    job: RestoreJob,
    work: OfferedBackup,
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
        by=job.requested_by,
        target=verdict.target or planned.target,
        mode=job.request.mode,
        reason=verdict.reason,
        message=verdict.message,
        target_partial=verdict.target_partial,
        restored=verdict.restored or planned.creates,
        kept=verdict.kept,
    )
    key = f"{work.entry.record}{restored_name(finished)}"
    unrecorded = "the restore is not recorded beside the backup"
    return key if record_at_end(storage, key, record, unrecorded=unrecorded) else ""
