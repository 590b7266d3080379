"""Reading the objects of a dump back, before its manifest makes a backup of them."""

from collections.abc import Callable, Sequence
from datetime import datetime

from dumpers.contract.names import READ_BACK, VERIFY
from dumpers.repository.added_records import CheckedObject, Verification
from dumpers.repository.keys import Run
from dumpers.repository.record_json import write_record
from dumpers.repository.records import ObjectRecord
from dumpers.runs.progress import READING, shown
from dumpers.runs.verify.meter import Meter
from dumpers.runs.verify.objects import read_stored
from dumpers.runtime.errors import StorageFailedError, StorageRefusedError
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


def read_back(
    storage: RunStorage,
    run: Run,
    objects: Sequence[ObjectRecord],
    *,
    method: str,
    now: Callable[[], datetime],
) -> None:
    """Read the objects back and record what was found; StorageFailedError if one is damaged."""
    verification = Verification(
        run=run.id,
        method=method,
        objects=read_all(storage, objects),
        finished=now(),
    )
    key = run.verification_key(verification.finished, good=verification.good)
    storage.put_once(key, write_record(verification))
    check_found(objects, verification.objects, details=key)


def read_all(storage: RunStorage, objects: Sequence[ObjectRecord]) -> tuple[CheckedObject, ...]:
    """Read the objects as they are stored, and return how each was found."""
    meter, total = Meter(), sum(item.size for item in objects)
    with shown(READING, total, meter.done, meter.where):
        return tuple(read_stored(storage, item, meter) for item in objects)


def check_found(
    objects: Sequence[ObjectRecord], read: Sequence[CheckedObject], *, details: str
) -> None:
    """Raise StorageFailedError where an object is damaged; `details` names the record with more."""
    for sent, found in zip(objects, read, strict=True):
        if not found.good:
            raise StorageFailedError(
                f"{sent.key} was read back and is damaged: sent were {sent.size} bytes with sha256 "
                f"{sent.sha256}, the store gives {found.size} bytes with {found.sha256}. There is "
                f"no manifest, so this is no backup, and {details} has the details: check the "
                "store, dump again"
            )
