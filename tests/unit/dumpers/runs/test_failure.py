from datetime import UTC, datetime
from typing import Any, cast

import pytest

from dumpers.contract.storages.location import S3Location
from dumpers.repository.keys import Run
from dumpers.repository.record_json import make_tombstone, read_record, write_record
from dumpers.repository.records import FailedRecord, Removal, Tombstone
from dumpers.runs.failure import recorded_failure
from dumpers.runtime.errors import SourceRefusedError, StorageFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage import run_storage
from dumpers.storage.run_storage import RunStorage
from tests.fakes.memory_bucket import MemoryBucket
from tests.unit.dumpers.repository.test_catalogue import MANIFEST
from tests.unit.dumpers.repository.test_catalogue import RUN as BEGUN

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUN = Run(path="p", cluster="c", cronjob="j", host="h", started=NOW, id="run")
_MADE = make_tombstone(write_record(BEGUN), removal=Removal.SWEPT, removed=NOW)
assert isinstance(_MADE, Tombstone)
TOMBSTONE: Tombstone = _MADE


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


@pytest.fixture
def storage(bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch) -> RunStorage:
    monkeypatch.setattr(run_storage, "open_bucket", lambda *_: bucket)
    location = S3Location(bucket="b", path="", patience=0)
    return RunStorage(location, run="run", interrupt=Interrupt())


def test_a_message_that_is_no_unicode_is_recorded(
    storage: RunStorage, bucket: MemoryBucket
) -> None:
    with (
        storage,
        pytest.raises(SourceRefusedError),
        recorded_failure(storage, RUN, now=lambda: NOW),
    ):
        raise SourceRefusedError("no such index: \ud83d")
    record = read_record(bucket.objects[RUN.failed_key])
    assert isinstance(record, FailedRecord)
    assert (record.exit_code, record.message) == (20, "no such index: ?")


@pytest.mark.parametrize(
    ("there", "is_recorded"),
    [
        (write_record(MANIFEST), False),
        # A sweep took the key: the run has failed for certain.
        (write_record(TOMBSTONE), True),
        (b"{}", True),
    ],
    ids=["manifest", "tombstone", "unreadable"],
)
def test_a_run_whose_manifest_is_there_has_not_failed(
    storage: RunStorage, bucket: MemoryBucket, there: bytes, *, is_recorded: bool
) -> None:
    bucket.objects[RUN.manifest_key] = there
    with (
        storage,
        pytest.raises(StorageFailedError),
        recorded_failure(storage, RUN, now=lambda: NOW),
    ):
        raise StorageFailedError("the answer got lost")
    assert (RUN.failed_key in bucket.objects) is is_recorded


def test_nothing_hides_the_first_error(
    storage: RunStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(storage, "call_at_end", cast("Any", broken))
    with (
        storage,
        pytest.raises(SourceRefusedError, match="first"),
        recorded_failure(storage, RUN, now=lambda: NOW),
    ):
        raise SourceRefusedError("first")
