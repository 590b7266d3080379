"""What a dump logs of its database and its stores before the first byte."""

import logging
from collections.abc import Mapping

from dumpers.contract.jobs import DumpJob
from dumpers.engines.protocol import SourceInfo
from dumpers.runs.destinations.destination import Destination
from dumpers.runs.notes import log_notes
from dumpers.runtime.log import fields

_LOG = logging.getLogger(__name__)


def announce(job: DumpJob, source: SourceInfo, destinations: Mapping[str, Destination]) -> None:
    """Log what is dumped, the notes on it, and where 0.6.0 would have sent it elsewhere."""
    first, *_ = destinations.values()
    _LOG.info(
        "dumping",
        extra=fields(
            engine=job.engine.type,
            database=job.connection.database,
            host=job.connection.host,
            server_version=source.server_version,
            tool_version=source.tool_version,
            estimated_bytes=source.estimate,
            encrypted=bool(job.recipients),
            record=first.run.record_prefix,
        ),
    )
    log_notes(source.notes, job)
    # Of another storage than the first one, 0.6.0 knew nothing.
    if job.location.region and job.location.endpoint:
        _LOG.warning(
            "S3_ENDPOINT and S3_REGION are both set: the dump goes to the endpoint, the region "
            "only signs (ksnapshot 0.6.0 went to the region)",
            extra=fields(endpoint=job.location.endpoint, region=job.location.region),
        )
