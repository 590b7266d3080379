"""One dump, from the first look at the database to the manifest that makes it a backup."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dumpers.contract.jobs import DumpJob
from dumpers.contract.notes import codes_of
from dumpers.contract.result import DumpResult
from dumpers.engines.protocol import DumpEngine, DumpStream, SourceInfo
from dumpers.repository import records
from dumpers.repository.catalogue import rfc3339
from dumpers.repository.extent import Extent, read_extent
from dumpers.repository.keys import Run
from dumpers.repository.record_json import read_record, write_record
from dumpers.repository.removal.sweep import sweep
from dumpers.runs.failure import recorded_failure
from dumpers.runs.fingerprints import record_fingerprint
from dumpers.runs.naming import key_of, run_of
from dumpers.runs.notes import judge, log_notes, with_learned_notes
from dumpers.runs.pipeline import store_all
from dumpers.runs.verify.read_back import prove_right, read_back
from dumpers.runtime.errors import ExitCode, InterruptedRunError, StorageFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.storage.errors import AlreadyThereError
from dumpers.storage.open_uploads import probe
from dumpers.storage.run_storage import RunStorage
from dumpers.streams import age

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    job: DumpJob
    run: Run
    source: SourceInfo
    streams: Sequence[DumpStream]
    recipients: Sequence[age.Recipient]


def dump(
    job: DumpJob,
    *,
    engine: DumpEngine,
    started: datetime,
    run_id: str,
    interrupt: Interrupt,
    now: Callable[[], datetime],
) -> DumpResult:
    """Make one backup, or raise a KsnapshotError and leave no manifest and no open upload.

    `started` (UTC) and `run_id` name the run. Recipients and database login are proved good before
    anything is written, bucket, keys and rights before anything is dumped. The manifest is written
    last, after the objects were read back where the job asks for that. A run that fails after its
    started record leaves a failed record.
    """
    began = time.monotonic()
    recipients = age.parse_recipients(job.recipients)
    # The store's client is set up while the engine looks at the database; no request goes out then.
    with (
        RunStorage(job.location, run=run_id, interrupt=interrupt) as storage,
        ExitStack() as recorded,
    ):
        run = run_of(job, started=started, run_id=run_id)
        with engine.open(job, interrupt) as opened:
            source, streams = opened.info, opened.streams
            plan = _Plan(job=job, run=run, source=source, streams=streams, recipients=recipients)
            _announce(plan)
            record = _record(plan)
            started_record = write_record(record)
            storage.put_once(run.started_key, started_record)
            recorded.enter_context(recorded_failure(storage, run, now=now))
            probe(storage, record.keys[0])
            if job.verify:
                prove_right(storage, run.started_key, started_record)
            sweep(storage, run, record)
            stored = store_all(
                streams,
                keys=record.keys,
                parallel=source.parallel,
                part_size=job.part_size,
                recipients=recipients,
                storage=storage,
            )
            objects = [item.record for item in stored]
            plan = replace(plan, source=with_learned_notes(source, streams, job))
        # Not before the engine has ended what its streams share: it may still fail the dump.
        if job.verify:
            read_back(storage, run, objects, method=job.verify, now=now)
        fingerprint = record_fingerprint(storage, run, stored)
        _commit(plan, record, objects, fingerprint, storage=storage, now=now)
        seconds = time.monotonic() - began
        extent = read_extent(storage, run.records_prefix, now=now)
    return _result(plan, objects=objects, seconds=seconds, extent=extent)


def _commit(
    plan: _Plan,
    record: records.StartedRecord,
    objects: Sequence[records.ObjectRecord],
    fingerprint: str,
    *,
    storage: RunStorage,
    now: Callable[[], datetime],
) -> None:
    """Write the manifest, which makes the backup exist.

    A run that was suspended, as with its node, may come too late: a later run then has swept this
    one's objects. InterruptedRunError past the deadline, StorageFailedError where the tombstone of
    a sweep has the manifest's key.
    """
    finished = now()
    _check_deadline(record, finished)
    manifest = records.Manifest(
        begun=record,
        finished=finished,
        server_version=plan.source.server_version,
        tool_version=plan.source.tool_version,
        encryption=records.Encryption(recipients=plan.job.recipients) if plan.recipients else None,
        objects=tuple(objects),
        notes=judge(plan.source.notes, plan.job),
        retention=_retention(plan.job),
        size_accepted=plan.job.size_accepted,
        required_proof=plan.job.required_proof,
        fingerprint=fingerprint,
        metadata=plan.source.metadata,
    )
    key = plan.run.manifest_key
    try:
        is_certain = storage.put_once(key, write_record(manifest))
    except AlreadyThereError as error:
        found = read_record(storage.call(lambda: storage.bucket.get(key)))
        if not isinstance(found, records.Tombstone):
            raise
        raise StorageFailedError(
            f"{key} is a tombstone: a later run took this one for crashed, because it was "
            "suspended or the nodes' clocks differ, and swept what it had stored; dump again"
        ) from error
    if not is_certain:
        # The key is taken, and nobody may look by whom: by this run, or since then by a sweep.
        _check_deadline(record, now())


def _retention(job: DumpJob) -> records.Retention | None:
    if not job.retention:
        return None
    return records.Retention(policy=job.retention, time_zone=job.time_zone)


def _check_deadline(record: records.StartedRecord, moment: datetime) -> None:
    """Raise InterruptedRunError past the run's deadline, when a sweep may take it for crashed."""
    deadline = record.deadline_seconds
    if deadline is not None and moment > record.started + timedelta(seconds=deadline):
        raise InterruptedRunError(
            f"this run began at {record.started:%Y-%m-%d %H:%M:%S} UTC and is past its deadline of "
            f"{deadline} s: it was suspended, and what it stored may have been swept since; it "
            "counts as no backup, dump again"
        )


def _announce(plan: _Plan) -> None:
    job, source = plan.job, plan.source
    _LOG.info(
        "dumping",
        extra=fields(
            engine=job.engine.type,
            database=job.connection.database,
            host=job.connection.host,
            server_version=source.server_version,
            tool_version=source.tool_version,
            estimated_bytes=source.estimate,
            encrypted=bool(plan.recipients),
            record=plan.run.record_prefix,
        ),
    )
    log_notes(source.notes, job)
    if job.location.region and job.location.endpoint:
        _LOG.warning(
            "S3_ENDPOINT and S3_REGION are both set: the dump goes to the endpoint, the region "
            "only signs (ksnapshot 0.6.0 went to the region)",
            extra=fields(endpoint=job.location.endpoint, region=job.location.region),
        )


def _record(plan: _Plan) -> records.StartedRecord:
    job, run = plan.job, plan.run
    return records.StartedRecord(
        run=run.id,
        cluster=job.cluster,
        workload=job.workload,
        cronjob=job.cronjob,
        pod=job.host,
        engine=job.engine.type,
        bucket=job.location.bucket,
        started=run.started,
        deadline_seconds=job.deadline,
        keys=tuple(key_of(stream, job, run) for stream in plan.streams),
    )


def _result(
    plan: _Plan,
    *,
    objects: Sequence[records.ObjectRecord],
    seconds: float,
    extent: Extent | None,
) -> DumpResult:
    notes = judge(plan.source.notes, plan.job)
    return DumpResult(
        succeeded=True,
        exit_code=ExitCode.DONE,
        reason="Succeeded",
        message="",
        engine=plan.job.engine.type,
        server_version=plan.source.server_version,
        tool_version=plan.source.tool_version,
        keys=tuple(item.key for item in objects),
        key_count=len(objects),
        source_bytes=sum(item.source_size for item in objects),
        stored_bytes=sum(item.size for item in objects),
        sha256=objects[0].sha256 if len(objects) == 1 else "",
        seconds=round(seconds, 3),
        record=plan.run.record_prefix,
        verified=plan.job.verify,
        notes=codes_of(notes),
        accepted=codes_of(notes, accepted=True),
        oldest_backup=rfc3339(extent.oldest) if extent else "",
        backups=extent.count if extent else 0,
        size_accepted=plan.job.size_accepted,
    )
