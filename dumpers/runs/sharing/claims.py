"""Which run the pods of a Job share: that of the first started record for the Job."""

from contextlib import suppress

from dumpers.contract.jobs import DumpJob
from dumpers.contract.names import SHARDS
from dumpers.contract.sharing import Share
from dumpers.repository.keys import Run, records_prefix
from dumpers.repository.record_json import read_record, write_record
from dumpers.repository.records import StartedRecord
from dumpers.repository.removal.store_traits import NO_ETAG, refuses_conditions
from dumpers.repository.sharing.shard_record import claim_key, shared_run_id
from dumpers.runtime.errors import StorageFailedError, StorageRefusedError
from dumpers.storage.errors import AlreadyThereError, ForbiddenByStoreError
from dumpers.storage.run_storage import RunStorage


def find_claim(storage: RunStorage, job: DumpJob, share: Share) -> StartedRecord | None:
    """The started record that another pod of this Job has claimed the run with; None before that.

    Proves the rights that such a run needs: StorageRefusedError without one of them, or where the
    store heeds no conditions, which the pod that claimed may not have lived to find out.
    """
    prefix = records_prefix(path=job.location.path, cluster=job.cluster, cronjob=job.cronjob)
    run = shared_run_id(share.job)
    key = claim_key(prefix, run)
    try:
        found = storage.call(lambda: storage.bucket.get_version(key))
        storage.call(lambda: storage.bucket.page(prefix, since=prefix))
    except ForbiddenByStoreError as error:
        raise StorageRefusedError(
            "spread: shards needs keys that read and list, as the pods of a run find each other's "
            f"records: grant s3:GetObject and s3:ListBucket under {prefix}, or leave spread out: "
            f"{error}"
        ) from error
    if found is None:
        return None
    _check_conditions(storage, key, found[0])
    return _started(found[0], key, run=run, shards=share.count)


def claim(storage: RunStorage, run: Run, record: StartedRecord) -> StartedRecord:
    """Claim the run with this record, or return that of the pod which was faster.

    The store must heed conditions, else two pods could begin a run each, or commit twice.
    """
    key = claim_key(run.records_prefix, run.id)
    with suppress(AlreadyThereError):
        storage.put_once(key, write_record(record))
    body = storage.call(lambda: storage.bucket.get(key))
    _check_conditions(storage, key, body)
    return _started(body, key, run=record.run, shards=record.shards)


def _check_conditions(storage: RunStorage, key: str, body: bytes) -> None:
    """Raise StorageRefusedError where the store writes to the key, which has this body, anyhow."""
    heeded = refuses_conditions(
        lambda: storage.call(lambda: storage.bucket.put(key, body, only_new=True)),
        lambda: storage.call(lambda: storage.bucket.replace(key, body, etag=NO_ETAG)),
    )
    if not heeded:
        raise StorageRefusedError(
            f"the store ignores conditions of a write (tried at {key}), so that pods which share a "
            f"run cannot agree on it ({SHARDS}): leave spread out, or use a store that refuses to "
            "write a key twice by If-None-Match"
        )


def _started(body: bytes, key: str, *, run: str, shards: int) -> StartedRecord:
    found = read_record(body)
    if not isinstance(found, StartedRecord) or (found.run, found.shards) != (run, shards):
        raise StorageFailedError(
            f"{key} is no started record of the run {run} of {shards} shards that this version can "
            "read"
        )
    return found
