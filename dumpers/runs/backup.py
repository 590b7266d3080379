"""One dump, from the first look at the database to the manifest that makes it a backup."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dumpers.contract.jobs import DumpJob
from dumpers.contract.result import DumpResult
from dumpers.engines.protocol import DumpStream, Engine, SourceInfo
from dumpers.repository import records
from dumpers.repository.keys import Run
from dumpers.repository.sweep import sweep
from dumpers.runs import verify
from dumpers.runs.pipeline import store_all
from dumpers.runtime.errors import ExitCode, StorageFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
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

    def key(self, stream: DumpStream) -> str:
        return self.run.dump_key(
            engine=self.job.engine.type,
            name=stream.name,
            part=stream.part,
            ending=stream.ending,
            encrypted=bool(self.recipients),
            time_first=self.job.engine.time_first,
        )


def dump(
    job: DumpJob,
    *,
    engine: Engine,
    started: datetime,
    run_id: str,
    interrupt: Interrupt,
    now: Callable[[], datetime],
) -> DumpResult:
    """Make one backup, or raise a KsnapshotError and leave no manifest and no open upload.

    `started` (UTC) and `run_id` name the run; nothing is written before recipients and database
    login were proved good, and nothing is dumped before bucket, keys and rights were.
    """
    began = time.monotonic()
    recipients = age.parse_recipients(job.recipients)
    # The store is set up while the database is looked at; nothing is sent to it before.
    with RunStorage(job.location, run=run_id, interrupt=interrupt) as store:
        source = engine.preflight(job, interrupt)
        run = Run(
            path=job.location.path,
            cluster=job.cluster,
            cronjob=job.cronjob,
            host=job.host,
            started=started,
            id=run_id,
        )
        with engine.streams(source) as streams:
            plan = _Plan(job=job, run=run, source=source, streams=streams, recipients=recipients)
            _announce(plan)
            record = _record(plan)
            started_record = records.started_record(record)
            store.put_once(run.started_key, started_record)
            store.probe(record.keys[0])
            if job.verify:
                verify.prove_right(store, run.started_key, started_record)
            sweep(store, run, record)
            objects = store_all(
                streams,
                keys=record.keys,
                parallel=source.parallel,
                part_size=job.part_size,
                recipients=recipients,
                store=store,
            )
        body = records.manifest(
            record,
            finished=now(),
            server_version=source.server_version,
            tool_version=source.tool_version,
            recipients=job.recipients,
            objects=objects,
            notes=source.notes,
            metadata=source.metadata,
        )
        store.put_once(run.manifest_key, body)
        if job.verify:
            _verify(plan, record, objects, store=store, now=now)
    return _result(plan, objects=objects, seconds=time.monotonic() - began)


def _verify(
    plan: _Plan,
    record: records.RunRecord,
    objects: Sequence[records.ObjectRecord],
    *,
    store: RunStorage,
    now: Callable[[], datetime],
) -> None:
    """Read the backup back and record what was found; StorageFailedError if it is damaged.

    The manifest stays either way: the record beside it says that this backup is not good.
    """
    checked = verify.read_back(store, objects)
    finished = now()
    key = plan.run.verified_key(finished)
    store.put_once(
        key,
        records.verified_record(record, method=plan.job.verify, finished=finished, objects=checked),
    )
    for sent, found in zip(objects, checked, strict=True):
        if not found.good:
            raise StorageFailedError(
                f"{sent.key} was read back and is damaged: sent were {sent.size} bytes with sha256 "
                f"{sent.sha256}, the store gives {found.size} bytes with {found.sha256}. The "
                f"manifest is written, and {key} says that this backup is bad: check the store, "
                "dump again"
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
            notes=source.notes,
        ),
    )
    if job.location.region and job.location.endpoint:
        _LOG.warning(
            "S3_ENDPOINT and S3_REGION are both set: the dump goes to the endpoint, the region "
            "only signs (ksnapshot 0.6.0 went to the region)",
            extra=fields(endpoint=job.location.endpoint, region=job.location.region),
        )


def _record(plan: _Plan) -> records.RunRecord:
    job, run = plan.job, plan.run
    return records.RunRecord(
        run=run.id,
        cluster=job.cluster,
        workload=job.workload,
        cronjob=job.cronjob,
        pod=job.host,
        engine=job.engine.type,
        bucket=job.location.bucket,
        started=run.started,
        deadline_seconds=job.deadline,
        keys=tuple(plan.key(stream) for stream in plan.streams),
    )


def _result(plan: _Plan, *, objects: Sequence[records.ObjectRecord], seconds: float) -> DumpResult:
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
    )
