"""The reader of a drill: finds the backup, serves it to the client, and records what that found.

It holds the store's keys and the identity; the client, in a container of its own, has the throwaway
server. The reader's result is that of the drill.
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec.structs import replace

from dumpers.contract.drill.jobs import DrillJob
from dumpers.contract.drill.result import DrillResult
from dumpers.contract.engine_spec import EngineSpec
from dumpers.contract.fingerprint import Fingerprint
from dumpers.repository.catalogue import Entry, State, rfc3339
from dumpers.repository.records import Manifest
from dumpers.runs.drill.chosen import check_options
from dumpers.runs.drill.outcome import Drilled, make_result, record
from dumpers.runs.find import find_backup, has_stored
from dumpers.runs.fingerprints import read_fingerprints
from dumpers.runs.identities import read_identities
from dumpers.runs.progress import DRILLING, shown
from dumpers.runs.restore.exchange.messages import (
    Drilling,
    Rehearsal,
    Verdict,
    failed_verdict,
)
from dumpers.runs.restore.exchange.serving import Listener
from dumpers.runs.restore.exchange.talk import hear_out
from dumpers.runs.restore.offering import OfferedBackup
from dumpers.runtime.errors import (
    ConfigurationError,
    DrillServerFailedError,
    KsnapshotError,
    NotDrillableError,
    TargetFailedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage
from dumpers.streams.unpacking import name_recipients

_LOG = logging.getLogger(__name__)

# How long the client's image may take to be there.
CLIENT_SECONDS = 300.0


def drill(
    job: DrillJob,
    listener: Listener,
    *,
    engines: Sequence[EngineSpec],
    interrupt: Interrupt,
    now: Callable[[], datetime],
) -> DrillResult:
    """Serve one backup to the client, record the verdict on it, and return that.

    A backup of which no drill can be made here is no failure, and has no record. Raises what stands
    in the way before a backup is known.
    """
    began, started = time.monotonic(), now()
    with RunStorage(job.location, run="drill", interrupt=interrupt) as storage:
        try:
            entry, manifest = _find(job, storage, now)
        except NotDrillableError as error:
            listener.dismiss(error)
            return make_result(None, failed_verdict(error), finished=now(), seconds=0.0)
        drilled = Drilled(job=job, storage=storage, entry=entry, manifest=manifest, started=started)
        try:
            verdict = _serve(drilled, listener, engines, interrupt, now)
        except KsnapshotError as error:
            listener.dismiss(error)
            verdict = failed_verdict(error)
        verdict = _named(verdict)
        seconds = round(time.monotonic() - began, 3)
        finished, read = now(), listener.served.bytes_sent
        kept = record(drilled, verdict, finished=finished, source_bytes=read)
    return make_result(
        drilled, kept.verdict, finished=finished, seconds=seconds, read=read, key=kept.key
    )


def _find(
    job: DrillJob, storage: RunStorage, now: Callable[[], datetime]
) -> tuple[Entry, Manifest]:
    """The backup that is meant; NotDrillableError where no run has left one yet."""
    try:
        return find_backup(job, storage, now)
    except ConfigurationError:
        if has_stored(job, storage, now):
            raise
        raise NotDrillableError("there is no backup yet: make one first") from None


def _serve(
    drilled: Drilled,
    listener: Listener,
    engines: Sequence[EngineSpec],
    interrupt: Interrupt,
    now: Callable[[], datetime],
) -> Verdict:
    """Check what can be checked before the backup is read, and have the client try it."""
    entry, manifest, job = drilled.entry, drilled.manifest, drilled.job
    _check_drillable(job, entry, manifest, engines)
    identities = read_identities(job.identity_file) if manifest.encryption else ()
    work = OfferedBackup.of(entry, manifest, drilled.storage, identities=identities)
    work.check()
    fingerprints = read_fingerprints(drilled.storage, entry, manifest)
    _LOG.info(
        "drilling a backup",
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
            image=job.image,
        ),
    )
    listener.serve(work.open)
    with shown(
        DRILLING, work.size, lambda: listener.served.bytes_sent, lambda: work.waits_for(listener)
    ):
        drilling = Drilling(
            options=manifest.options,
            fingerprints=fingerprints,
            tool_version=manifest.tool_version,
        )
        offer = work.offer(drilling=drilling)
        talk = hear_out(listener, offer, interrupt=interrupt, client_seconds=CLIENT_SECONDS)
    return _judge(talk.verdict, work, listener, fingerprints, checks=job.checks)


def _check_drillable(
    job: DrillJob, entry: Entry, manifest: Manifest, engines: Sequence[EngineSpec]
) -> None:
    """Raise NotDrillableError where a drill cannot be made, and say what would help."""
    engine = next((item for item in engines if item.type == manifest.begun.engine), None)
    if entry.state is State.LEGACY:
        raise NotDrillableError(
            "a dump of ksnapshot 0.6.0 has no record of what it held: restore it by hand to try it"
        )
    if engine is None or engine.drill_server is None:
        named = engine.title if engine else repr(manifest.begun.engine)
        raise NotDrillableError(f"this version makes no drills of backups of {named}")
    if manifest.encryption and not job.identity_file:
        raise NotDrillableError(
            f"the backup is encrypted for {name_recipients(manifest.encryption.recipients)}, and "
            "drills have no key: set identitySecret in the chart, best to the private key of a "
            "second recipient that is for drills alone"
        )
    check_options(manifest.options)


def _named(verdict: Verdict) -> Verdict:
    """The verdict, under a drill's own reason where the exchange with the client broke."""
    if verdict.reason != TargetFailedError.reason:
        return verdict
    return replace(verdict, reason=DrillServerFailedError.reason)


def _judge(
    verdict: Verdict,
    work: OfferedBackup,
    listener: Listener,
    fingerprints: tuple[Fingerprint | None, ...],
    *,
    checks: int | None,
) -> Verdict:
    """The client's verdict, unless it is good and what the reader knows speaks against it."""
    if not verdict.succeeded:
        return verdict
    served, found = listener.served, verdict.rehearsal
    unread = work.unread(served) + [
        item.key
        for place, item in enumerate(work.manifest.objects)
        if fingerprints[place] is not None and place not in served.begun
    ]
    if unread:
        known = f"has not read {unread[0]} to its end"
    elif found is None or not found.is_compared or not found.method:
        known = "has compared nothing"
    elif checks is not None and len(found.checks) != checks:
        known = (
            f"has asked {len(found.checks)} of {checks} checks: its image may be of an earlier "
            "version than this one's"
        )
    elif is_bad(found):
        known = "has found something else than was dumped, or a check that does not hold"
    else:
        return verdict
    return failed_verdict(DrillServerFailedError(f"the client says that all is good, and {known}"))


def is_bad(found: Rehearsal) -> bool:
    """Whether a comparison has found anything that differs, or a check does not hold."""
    tables_good = all(table.good for table in found.tables)
    return bool(found.faults) or not tables_good or not all(check.good for check in found.checks)
