"""The names of a run: its id, and the keys of its objects."""

import secrets
from datetime import datetime

from dumpers.contract.jobs import DumpJob
from dumpers.contract.storages.location import S3Location
from dumpers.engines.protocol import DumpStream
from dumpers.repository.keys import Run

_ID_BYTES = 6


def new_run_id() -> str:
    """An id that no other run has."""
    return secrets.token_hex(_ID_BYTES)


def run_of(job: DumpJob, location: S3Location, *, started: datetime, run_id: str) -> Run:
    """The run of a job at one of its locations; `started` is in UTC."""
    return Run(
        path=location.path,
        cluster=job.cluster,
        cronjob=job.cronjob,
        host=job.host,
        started=started,
        id=run_id,
    )


def key_of(stream: DumpStream, job: DumpJob, run: Run, attempt: int = 1) -> str:
    """The key of a stream's object.

    Of a run that pods share, each further pod of a shard has keys of its own: an earlier one may
    still be about, and write to its own.
    """
    part = stream.part
    if attempt > 1:
        part = (f"{part[0]}-try{attempt}", *part[1:])
    return run.dump_key(
        engine=job.engine.type,
        name=stream.name,
        part=part,
        ending=stream.ending,
        encrypted=bool(job.recipients),
        compression=job.compression,
        time_first=job.engine.time_first,
    )
