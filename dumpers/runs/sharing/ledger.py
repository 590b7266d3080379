"""The record of a shard as its pod rewrites it: no two pods of one shard go on with it at once."""

from dumpers.repository.keys import Run
from dumpers.repository.record_json import read_record, write_record
from dumpers.repository.sharing.shard_record import ShardRecord, shard_name
from dumpers.runtime.errors import InterruptedRunError, StorageFailedError
from dumpers.storage.errors import AlreadyThereError, ChangedInStoreError
from dumpers.storage.run_storage import RunStorage


class Ledger:
    """The record of a run's shard; `found` is what an earlier pod of it has left, None at first.

    Each write is on the condition that nobody else has written since, and is read again, as that
    alone tells its ETag.
    """

    def __init__(self, storage: RunStorage, run: Run, shard: int) -> None:
        key = f"{run.record_prefix}{shard_name(shard)}"
        self._storage = storage
        self._key = key
        self._etag = ""
        self.found: ShardRecord | None = None
        stored = storage.call(lambda: storage.bucket.get_version(key))
        if stored:
            self.found = read_shard(stored[0], key, run=run.id, shard=shard)
            self._etag = stored[1]

    def write(self, record: ShardRecord) -> None:
        """Write the record anew; InterruptedRunError where another pod has taken the shard over."""
        body, storage, key, etag = write_record(record), self._storage, self._key, self._etag
        try:
            if etag:
                storage.call(lambda: storage.bucket.replace(key, body, etag=etag))
            else:
                storage.put_once(key, body)
        except (AlreadyThereError, ChangedInStoreError):
            # By this very write, perhaps, whose first answer got lost.
            pass
        stored = storage.call(lambda: storage.bucket.get_version(key))
        if stored is None or stored[0] != body:
            raise InterruptedRunError(
                f"{key} is not what this pod wrote last: another pod of the shard has taken over, "
                "as this one was taken for gone"
            )
        self._etag = stored[1]


def read_shard(body: bytes, key: str, *, run: str, shard: int) -> ShardRecord:
    """The record of a run's shard, by its number; StorageFailedError where it is not that."""
    found = read_record(body)
    if not isinstance(found, ShardRecord) or (found.run, found.shard) != (run, shard):
        raise StorageFailedError(
            f"{key} cannot be read as the record of shard {shard} of the run {run}: dump again"
        )
    return found
