"""Everything that a dump needs, tried without dumping: keys, database, store."""

import logging
import time
from datetime import datetime

from dumpers.contract.jobs import DumpJob
from dumpers.contract.notes import codes_of
from dumpers.contract.result import DumpResult
from dumpers.engines.protocol import DumpEngine
from dumpers.runs.naming import key_of, run_of
from dumpers.runs.notes import judge, log_notes
from dumpers.runtime.errors import ExitCode
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.storage.open_uploads import probe
from dumpers.storage.run_storage import RunStorage
from dumpers.streams import age

_LOG = logging.getLogger(__name__)


def check(
    job: DumpJob, *, engine: DumpEngine, started: datetime, run_id: str, interrupt: Interrupt
) -> DumpResult:
    """Try what a dump does before its first byte, or raise the KsnapshotError that stops it.

    Nothing is left in the store: an upload is begun where a dump would go, and dropped. `started`
    is in UTC.
    """
    began = time.monotonic()
    recipients = age.parse_recipients(job.recipients)
    _passed("encryption", recipients=len(recipients))
    with RunStorage(job.location, run=run_id, interrupt=interrupt) as storage:
        with engine.open(job, interrupt) as opened:
            source, streams = opened.info, opened.streams
            _passed(
                "database",
                host=job.connection.host,
                server_version=source.server_version,
                tool_version=source.tool_version,
                estimated_bytes=source.estimate,
                objects=len(streams),
            )
            log_notes(source.notes, job)
            first = streams[0]
        probe(storage, key_of(first, job, run_of(job, started=started, run_id=run_id)))
        _passed("store", bucket=job.location.bucket, endpoint=job.location.endpoint or "")
    notes = judge(source.notes, job)
    return DumpResult(
        succeeded=True,
        exit_code=ExitCode.DONE,
        reason="Succeeded",
        message="",
        engine=job.engine.type,
        server_version=source.server_version,
        tool_version=source.tool_version,
        seconds=round(time.monotonic() - began, 3),
        notes=codes_of(notes),
        accepted=codes_of(notes, accepted=True),
    )


def _passed(what: str, **facts: object) -> None:
    _LOG.info("check passed", extra=fields(check=what, **facts))
