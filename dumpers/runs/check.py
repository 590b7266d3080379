"""Everything that a dump needs, tried without dumping: keys, database, store."""

import logging
import time
from datetime import datetime

from dumpers.contract.jobs import DumpJob
from dumpers.contract.notes import codes_of
from dumpers.contract.result import DumpResult
from dumpers.engines.protocol import DumpEngine
from dumpers.runs.destinations.destination import is_named, make_destinations
from dumpers.runs.destinations.outcome import with_storages
from dumpers.runs.notes import judge, log_notes
from dumpers.runs.sharing.claims import find_claim
from dumpers.runtime.errors import ExitCode
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.storage.open_uploads import probe
from dumpers.storage.stores import open_stores
from dumpers.streams import age

_LOG = logging.getLogger(__name__)


def check(
    job: DumpJob, *, engine: DumpEngine, started: datetime, run_id: str, interrupt: Interrupt
) -> DumpResult:
    """Try what a dump does before its first byte, or raise the KsnapshotError that stops it.

    Nothing is left in the store: an upload is begun where a dump would go, and dropped. `started`
    is in UTC. Of several storages each is tried; the check is good where one is, and says which
    are.
    """
    began = time.monotonic()
    recipients = age.parse_recipients(job.recipients)
    _passed("encryption", recipients=len(recipients))
    with open_stores(job.storages, run=run_id, started=started, interrupt=interrupt) as stores:
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
            destinations = make_destinations(job, streams[:1], started=started, run_id=run_id)

        def try_store(name: str) -> None:
            tried = destinations[name]
            if job.share:
                find_claim(stores[name], job, job.share)
            probe(stores[name], tried.record.keys[0])
            told = {"storage": name} if is_named(job) else {}
            place = tried.location
            _passed("store", bucket=place.bucket, endpoint=place.endpoint or "", **told)

        stores.each(try_store)
    notes = judge(source.notes, job)
    result = DumpResult(
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
    return with_storages(result, job, stores.failures)


def _passed(what: str, **facts: object) -> None:
    _LOG.info("check passed", extra=fields(check=what, **facts))
