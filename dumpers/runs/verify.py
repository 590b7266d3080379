"""Reads the stored objects back once and compares them with what was sent."""

import hashlib
from collections.abc import Sequence

from dumpers.contract.names import READ_BACK, VERIFY
from dumpers.repository.records import CheckedObject, ObjectRecord
from dumpers.runtime.errors import StorageFailedError, StorageRefusedError
from dumpers.storage.download import Download
from dumpers.storage.run_storage import RunStorage


def prove_right(storage: RunStorage, key: str, body: bytes) -> None:
    """Prove the right to read on a small object of this run, before hours of dumping.

    StorageRefusedError without the right, StorageFailedError where other bytes come back.
    """
    try:
        stored = storage.call(lambda: storage.bucket.get(key))
    except StorageRefusedError as error:
        raise StorageRefusedError(
            f"{VERIFY}={READ_BACK} needs the right to read: grant s3:GetObject, or drop it: {error}"
        ) from error
    if stored != body:
        raise StorageFailedError(
            f"{key} was written and reads differently: the store, or what stands between, alters "
            "data"
        )


def read_back(storage: RunStorage, objects: Sequence[ObjectRecord]) -> tuple[CheckedObject, ...]:
    """Read every object, block by block, and return how each was found.

    Where the connection breaks, reading goes on, as long as the run's patience with the store
    lasts; StorageFailedError where that does not help.
    """
    return tuple(_check(storage, item) for item in objects)


def _check(storage: RunStorage, item: ObjectRecord) -> CheckedObject:
    size, digest = 0, hashlib.sha256()
    with Download(storage, item.key) as stored:
        while block := stored.read():
            size += len(block)
            digest.update(block)
    sha256 = digest.hexdigest()
    good = (size, sha256) == (item.size, item.sha256)
    return CheckedObject(key=item.key, size=size, sha256=sha256, good=good)
