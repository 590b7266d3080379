"""One dump, from the first look at the database to the manifest that makes it a backup."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime

from dumpers.contract.jobs import DumpJob
from dumpers.contract.result import DumpResult
from dumpers.engines.protocol import DumpEngine, SourceInfo
from dumpers.repository import records
from dumpers.repository.extent import Extent, read_extent
from dumpers.repository.keys import Run
from dumpers.runs.destinations.announcing import announce
from dumpers.runs.destinations.beginning import begin
from dumpers.runs.destinations.commit import commit, give_up_unfinished
from dumpers.runs.destinations.destination import make_destinations
from dumpers.runs.destinations.failures import recorded_failures
from dumpers.runs.destinations.outcome import with_storages
from dumpers.runs.destinations.results import result_of_backup, result_of_objects
from dumpers.runs.fingerprints import record_fingerprint
from dumpers.runs.notes import judge, with_learned_notes
from dumpers.runs.pipeline import store_all
from dumpers.runs.verify.read_back import read_back
from dumpers.runtime.errors import InterruptedRunError
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.stores import open_stores
from dumpers.streams import age


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

    All of the job's storages get the backup, which is read, compressed and encrypted once. What is
    done at a store is done at all of them side by side; one that fails, or gets no further for ten
    minutes, is given up and the others go on: the result is then partial, and has what is known of
    the first storage that has the backup. So it is where the run is interrupted between two
    manifests.
    """
    began = time.monotonic()
    recipients = age.parse_recipients(job.recipients)
    # The stores' clients are set up while the engine looks at the database; no request goes out
    # then.
    with (
        open_stores(job.storages, run=run_id, started=started, interrupt=interrupt) as stores,
        ExitStack() as recorded,
    ):
        with engine.open(job, interrupt) as opened:
            source, streams = opened.info, opened.streams
            destinations = make_destinations(job, streams, started=started, run_id=run_id)
            announce(job, source, destinations)
            recorded.enter_context(recorded_failures(destinations, stores, now=now))
            stores.each(
                lambda name: begin(destinations[name], stores[name], reads_back=bool(job.verify))
            )
            stored = store_all(
                streams,
                keys={name: item.record.keys for name, item in destinations.items()},
                parallel=source.parallel,
                part_size=job.part_size,
                compression=job.compression,
                recipients=recipients,
                stores=stores,
            )
            source = with_learned_notes(source, streams, job)

        # Not before the engine has ended what its streams share: it may still fail the dump.
        def finish(name: str) -> None:
            destination, storage = destinations[name], stores[name]
            objects = [item.record for item in stored[name]]
            if job.verify:
                read_back(storage, destination.run, objects, method=job.verify, now=now)
            commit(
                destination,
                storage,
                objects,
                fingerprint=record_fingerprint(storage, destination.run, stored[name]),
                missing=tuple(stores.failures),
                job=job,
                source=source,
                now=now,
            )

        try:
            stores.each(finish)
        except InterruptedRunError as error:
            give_up_unfinished(destinations, stores, error)
        seconds = time.monotonic() - began
        first = destinations[stores.still_in[0]]
        extent = read_extent(stores[first.name], first.run.records_prefix, now=now)
        result = _result(
            job,
            source,
            first.run,
            objects=[item.record for item in stored[first.name]],
            seconds=seconds,
            extent=extent,
        )
        return with_storages(result, job, stores.failures)


def _result(
    job: DumpJob,
    source: SourceInfo,
    run: Run,
    *,
    objects: Sequence[records.ObjectRecord],
    seconds: float,
    extent: Extent | None,
) -> DumpResult:
    result = result_of_objects(
        job,
        run,
        objects,
        server_version=source.server_version,
        tool_version=source.tool_version,
        seconds=seconds,
    )
    sha256 = objects[0].sha256 if len(objects) == 1 else ""
    return result_of_backup(replace(result, sha256=sha256), job, judge(source.notes, job), extent)
