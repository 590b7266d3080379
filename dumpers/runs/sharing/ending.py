"""The end of a run that pods share: whoever finds all shards done writes its only manifest."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from dumpers.contract.jobs import DumpJob
from dumpers.contract.result import PART, DumpResult
from dumpers.repository.added_records import Verification
from dumpers.repository.extent import read_extent
from dumpers.repository.keys import Run
from dumpers.repository.record_json import read_record, write_record
from dumpers.repository.records import Manifest, Tombstone
from dumpers.repository.sharing.assembly import assemble, moved, open_shards, unheld
from dumpers.repository.sharing.shard_record import ShardRecord, shard_name
from dumpers.runs.destinations.commit import put_manifest, retention_of
from dumpers.runs.destinations.destination import Destination
from dumpers.runs.destinations.results import result_of_backup, result_of_objects
from dumpers.runs.sharing.ledger import read_shard
from dumpers.runtime.errors import SourceFailedError, StorageFailedError
from dumpers.storage.run_storage import RunStorage

# More records than a run has.
_MAX_RECORDS = 10_000


def find_manifest(storage: RunStorage, destination: Destination) -> Manifest | None:
    """The run's manifest, where a pod has written it; StorageFailedError where it was swept."""
    key = destination.run.manifest_key
    stored = storage.call(lambda: storage.bucket.get_version(key))
    if stored is None:
        return None
    found = read_record(stored[0])
    if isinstance(found, Manifest):
        return found
    what = "a tombstone" if isinstance(found, Tombstone) else "no manifest"
    raise StorageFailedError(f"{key} is {what}: the run was taken for crashed; dump again")


def try_to_commit(
    storage: RunStorage, destination: Destination, job: DumpJob, *, now: Callable[[], datetime]
) -> Manifest | None:
    """Write the manifest if all shards are done, or return that of the pod which was faster.

    None where a shard is open: the last of all pods to end its own finds the others done.
    SourceFailedError where rows of a table, or of a shard, may be in nobody's objects.
    """
    run, begun = destination.run, destination.record
    folder = run.record_prefix
    names = {
        key.removeprefix(folder)
        for key in storage.call(lambda: storage.bucket.keys(folder, since="", limit=_MAX_RECORDS))
    }
    if not {shard_name(number) for number in range(1, begun.shards + 1)} <= names:
        return None
    found = {number: _shard(storage, run, number) for number in range(1, begun.shards + 1)}
    if open_shards(begun, found):
        return None
    shards = list(found.values())
    if servers := moved(shards):
        raise SourceFailedError(
            f"{', '.join(servers)}: not in the same shard for all pods, as the definition of the "
            "cluster was changed while the run went on; dump again"
        )
    if missing := unheld(shards):
        raise SourceFailedError(
            f"{', '.join(missing)}: replicated over several shards, and in the dump of none, as it "
            "was made or altered while the run went on; dump again"
        )
    manifest = assemble(
        begun,
        shards,
        finished=now(),
        compression=job.compression,
        recipients=job.recipients,
        retention=retention_of(job),
        size_accepted=job.size_accepted,
        required_proof=job.proof_required_in(destination.name),
        options=dict(sorted(job.options.items())),
    )
    if job.verify:
        _record_reading(storage, destination, shards, method=job.verify, now=now)
    return put_manifest(destination, storage, manifest, now=now)


def result_of_run(
    storage: RunStorage,
    destination: Destination,
    job: DumpJob,
    manifest: Manifest,
    *,
    now: Callable[[], datetime],
) -> DumpResult:
    """The result of the whole run, in the pod that ended it."""
    result = result_of_objects(
        job,
        destination.run,
        manifest.objects,
        server_version=manifest.server_version,
        tool_version=manifest.tool_version,
        seconds=(manifest.finished - manifest.begun.started).total_seconds(),
    )
    extent = read_extent(storage, destination.run.records_prefix, now=now)
    return result_of_backup(result, job, manifest.notes, extent)


def result_of_part(
    destination: Destination, job: DumpJob, shard: ShardRecord, *, seconds: float
) -> DumpResult:
    """The result of a pod that stored its shard while others were still open."""
    result = result_of_objects(
        job,
        destination.run,
        [item.record for item in shard.objects],
        server_version=shard.server_version,
        tool_version=shard.tool_version,
        seconds=seconds,
    )
    message = (
        f"shard {shard.shard} of {destination.record.shards} is stored; the pod that ends last "
        "makes the backup"
    )
    return replace(result, message=message, outcome=PART)


def _shard(storage: RunStorage, run: Run, number: int) -> ShardRecord:
    key = f"{run.record_prefix}{shard_name(number)}"
    body = storage.call(partial(storage.bucket.get, key))
    return read_shard(body, key, run=run.id, shard=number)


def _record_reading(
    storage: RunStorage,
    destination: Destination,
    shards: Sequence[ShardRecord],
    *,
    method: str,
    now: Callable[[], datetime],
) -> None:
    """Record what all pods found that read their objects back."""
    run = destination.run
    verification = Verification(
        run=run.id,
        method=method,
        objects=tuple(item for shard in shards for item in shard.read),
        finished=now(),
    )
    key = run.verification_key(verification.finished, good=verification.good)
    body = write_record(verification)
    # Two pods that end at the same second found the same.
    storage.call(lambda: storage.bucket.put(key, body, only_new=False))
