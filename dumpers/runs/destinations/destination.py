"""One of the stores that a run writes to, with the names and the record that it has there.

Keys differ by the store's path, all else is one run's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dumpers.contract.jobs import DumpJob
from dumpers.contract.storages.location import S3Location
from dumpers.contract.storages.named_storage import MAIN
from dumpers.engines.protocol import DumpStream
from dumpers.repository.keys import Run
from dumpers.repository.records import StartedRecord
from dumpers.runs.naming import key_of, run_of


@dataclass(slots=True, kw_only=True)
class Destination:
    """Where a run writes to; `is_begun` with its started record there, `is_done` with a manifest.

    `is_committing` from when the manifest is on its way. `name` is that of the storage.
    """

    name: str
    location: S3Location
    run: Run
    record: StartedRecord
    is_begun: bool = False
    is_committing: bool = False
    is_done: bool = False


def make_destinations(
    job: DumpJob, streams: Sequence[DumpStream], *, started: datetime, run_id: str
) -> Mapping[str, Destination]:
    """The destinations of a run by their names, in the job's order; `started` is in UTC."""
    made = {}
    for item in job.storages:
        run = run_of(job, item.location, started=started, run_id=run_id)
        record = StartedRecord(
            run=run.id,
            cluster=job.cluster,
            workload=job.workload,
            cronjob=job.cronjob,
            pod=job.host,
            engine=job.engine.type,
            bucket=item.location.bucket,
            started=run.started,
            deadline_seconds=job.deadline,
            keys=tuple(key_of(stream, job, run) for stream in streams),
            storage=item.name if is_named(job) else "",
            storages=names_of(job),
        )
        made[item.name] = Destination(
            name=item.name, location=item.location, run=run, record=record
        )
    return made


def is_named(job: DumpJob) -> bool:
    """Whether names of storages are told: not where `main` is the only one, as in old releases."""
    return [item.name for item in job.storages] != [MAIN]


def names_of(job: DumpJob) -> tuple[str, ...]:
    """The names of the job's storages; none where they are not told."""
    return tuple(item.name for item in job.storages) if is_named(job) else ()
