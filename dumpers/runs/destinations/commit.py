"""The manifest of a run in one of its stores."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from dumpers.contract.jobs import DumpJob
from dumpers.engines.protocol import SourceInfo
from dumpers.repository import records
from dumpers.repository.record_json import read_record, write_record
from dumpers.runs.destinations.destination import Destination
from dumpers.runs.notes import judge
from dumpers.runtime.errors import InterruptedRunError, StorageFailedError
from dumpers.storage.errors import AlreadyThereError
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.stores import Stores


def commit(
    destination: Destination,
    storage: RunStorage,
    objects: Sequence[records.ObjectRecord],
    *,
    fingerprint: str,
    missing: Sequence[str],
    job: DumpJob,
    source: SourceInfo,
    now: Callable[[], datetime],
) -> None:
    """Write the manifest, which makes the backup exist.

    A run that was suspended, as with its node, may come too late: a later run then has swept this
    one's objects. InterruptedRunError past the deadline, StorageFailedError where the tombstone of
    a sweep has the manifest's key. `missing` are the storages that were given up until now.
    """
    record, finished = destination.record, now()
    manifest = records.Manifest(
        begun=record,
        finished=finished,
        server_version=source.server_version,
        tool_version=source.tool_version,
        compression=job.compression,
        encryption=records.Encryption(recipients=job.recipients) if job.recipients else None,
        objects=tuple(objects),
        notes=judge(source.notes, job),
        retention=retention_of(job),
        size_accepted=job.size_accepted,
        required_proof=job.proof_required_in(destination.name),
        fingerprint=fingerprint,
        missing=tuple(missing),
        options=dict(sorted(job.options.items())),
        metadata=source.metadata,
    )
    put_manifest(destination, storage, manifest, now=now)


def put_manifest(
    destination: Destination,
    storage: RunStorage,
    manifest: records.Manifest,
    *,
    now: Callable[[], datetime],
) -> records.Manifest:
    """Write a manifest, see `commit`, and return the one that counts.

    That is another one where pods share the run and another pod was faster.
    """
    record, key = destination.record, destination.run.manifest_key
    check_deadline(record, manifest.finished)
    destination.is_committing = True
    try:
        is_certain = storage.put_once(key, write_record(manifest), is_locked=True)
    except AlreadyThereError as error:
        found = read_record(storage.call(lambda: storage.bucket.get(key)))
        if record.shards and isinstance(found, records.Manifest):
            destination.is_done = True
            return found
        if not isinstance(found, records.Tombstone):
            raise
        raise StorageFailedError(
            f"{key} is a tombstone: a later run took this one for crashed, because it was "
            "suspended or the nodes' clocks differ, and swept what it had stored; dump again"
        ) from error
    if not is_certain:
        # The key is taken, and nobody may look by whom: by this run, or since then by a sweep.
        check_deadline(record, now())
    destination.is_done = True
    return manifest


def give_up_unfinished(
    destinations: Mapping[str, Destination], stores: Stores, error: InterruptedRunError
) -> None:
    """Go on without the stores that have no manifest yet, where others have theirs.

    A backup that exists is no failure, whatever ended the run. Where none has, `error` is raised.
    """
    if not any(item.is_done for item in destinations.values()):
        raise error
    for name in stores.still_in:
        if not destinations[name].is_done:
            stores.give_up(name, error)


def retention_of(job: DumpJob) -> records.Retention | None:
    """The policy that a job's backup is kept by; None where all are kept."""
    if not job.retention:
        return None
    return records.Retention(policy=job.retention, time_zone=job.time_zone)


def check_deadline(record: records.StartedRecord, moment: datetime) -> None:
    """Raise InterruptedRunError past the run's deadline, when a sweep may take it for crashed."""
    if record.ends is not None and moment > record.ends:
        raise InterruptedRunError(
            f"this run began at {record.started:%Y-%m-%d %H:%M:%S} UTC and is past its deadline of "
            f"{record.deadline_seconds} s: it was suspended, and what it stored may have been "
            "swept since; it counts as no backup, dump again"
        )
