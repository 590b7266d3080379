"""What the pods of a run that several share were to write, beyond its started record."""

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from dumpers.repository.record_json import read_record
from dumpers.repository.records import StartedRecord
from dumpers.repository.sharing.shard_record import ShardRecord, is_shard_name
from dumpers.runtime.errors import StorageFailedError

if TYPE_CHECKING:
    from dumpers.storage.s3.bucket import S3Bucket


def with_shards(
    bucket: "S3Bucket", folder: str, crashed: StartedRecord, names: Collection[str]
) -> StartedRecord:
    """The started record of a crashed run with the keys that the records of its shards name.

    `names` are those of all records in the folder. StorageFailedError where one cannot be read:
    what it names would stay for good.
    """
    keys = dict.fromkeys(crashed.keys)
    for name in sorted(filter(is_shard_name, names)):
        found = bucket.get_version(f"{folder}{name}")
        if found is None:
            continue
        record = read_record(found[0])
        if not isinstance(record, ShardRecord):
            raise StorageFailedError(f"{folder}{name} cannot be read as the record of a shard")
        keys |= dict.fromkeys(record.keys)
    return replace(crashed, keys=tuple(keys)) if len(keys) > len(crashed.keys) else crashed
