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

    Proves the rights that such a run needs: StorageRefusedError without one of them.
    """
    prefix = records_prefix(path=job.location.path, cluster=job.cluster, cronjob=job.cronjob)
    key = claim_key(prefix, shared_run_id(share.job))
    try:
        found = storage.call(lambda: storage.bucket.get_version(key))
        storage.call(lambda: storage.bucket.page(prefix, since=prefix))
    except ForbiddenByStoreError as error:
        raise StorageRefusedError(
            "spread: shards needs keys that read and list, as the pods of a run find each other's "
            f"records: grant s3:GetObject and s3:ListBucket under {prefix}, or leave spread out: "
            f"{error}"
        ) from error
    return _started(found[0], key) if found else None


def claim(storage: RunStorage, run: Run, record: StartedRecord) -> StartedRecord:
    """Claim the run with this record, or return that of the pod which was faster.

    The store must heed conditions, else two pods could begin a run each, or commit twice.
    """
    key = claim_key(run.records_prefix, run.id)
    with suppress(AlreadyThereError):
        storage.put_once(key, write_record(record))
    body = storage.call(lambda: storage.bucket.get(key))
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
    return _started(body, key)


def _started(body: bytes, key: str) -> StartedRecord:
    found = read_record(body)
    if not isinstance(found, StartedRecord):
        raise StorageFailedError(f"{key} is no started record that this version can read")
    return found
