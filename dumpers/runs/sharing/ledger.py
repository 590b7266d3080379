"""The record of a shard as its pod rewrites it: no two pods of one shard go on with it at once."""

from dumpers.repository.record_json import read_record, write_record
from dumpers.repository.sharing.shard_record import ShardRecord
from dumpers.runtime.errors import InterruptedRunError, StorageFailedError
from dumpers.storage.errors import AlreadyThereError, ChangedInStoreError
from dumpers.storage.run_storage import RunStorage


class Ledger:
    """The record under `key`; `found` is what an earlier pod of the shard has left, None at first.

    Each write is on the condition that nobody else has written since, and is read again, as that
    alone tells its ETag.
    """

    def __init__(self, storage: RunStorage, key: str) -> None:
        self._storage = storage
        self._key = key
        self._etag = ""
        self.found: ShardRecord | None = None
        stored = storage.call(lambda: storage.bucket.get_version(key))
        if stored:
            self.found, self._etag = read_shard(stored[0], key), stored[1]

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


def read_shard(body: bytes, key: str) -> ShardRecord:
    """The record of a shard; StorageFailedError where it cannot be read as one."""
    found = read_record(body)
    if not isinstance(found, ShardRecord):
        raise StorageFailedError(f"{key} cannot be read as the record of a shard: dump again")
    return found
