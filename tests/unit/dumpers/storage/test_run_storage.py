"""Whether something was written, where the store's answers leave it open."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from dumpers.contract.location import S3Location
from dumpers.runtime.errors import StorageFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage import run_storage
from dumpers.storage.errors import AlreadyThereError, ForbiddenByStoreError, UnknownToStoreError
from dumpers.storage.multipart import Upload
from dumpers.storage.run_storage import RunStorage
from tests.fakes.memory_bucket import MemoryBucket

LOST = StorageFailedError("no answer")
FORBIDDEN = ForbiddenByStoreError("403")


@contextmanager
def storage_of(bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunStorage]:
    monkeypatch.setattr(run_storage, "open_bucket", lambda *_: bucket)
    location = cast("S3Location", type("Location", (), {"max_bandwidth": None})())
    with RunStorage(location, run="run", interrupt=Interrupt()) as storage:
        storage.checksums = False
        yield storage


def test_a_record_whose_answer_was_lost_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = MemoryBucket(faults={"put": [LOST]}, writes_first=True)
    with storage_of(bucket, monkeypatch) as storage:
        assert storage.put_once("manifest.json", b"{}")


def test_a_record_that_was_not_written_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = MemoryBucket(objects={"manifest.json": b"tombstone"}, faults={"put": [LOST]})
    with storage_of(bucket, monkeypatch) as storage, pytest.raises(StorageFailedError):
        storage.put_once("manifest.json", b"{}")


def test_a_tombstone_is_not_overwritten_where_conditions_are_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unknown = UnknownToStoreError("400")
    bucket = MemoryBucket(objects={"manifest.json": b"tombstone"}, faults={"put": [unknown]})
    with storage_of(bucket, monkeypatch) as storage, pytest.raises(AlreadyThereError):
        storage.put_once("manifest.json", b"{}")
    assert bucket.objects["manifest.json"] == b"tombstone"
    bucket.faults = {"put": [unknown]}
    with storage_of(bucket, monkeypatch) as storage:
        assert storage.put_once("started.json", b"{}")


def test_it_is_said_where_nobody_may_look_whose_object_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = MemoryBucket(objects={"manifest.json": b"tombstone"}, faults={"get": [FORBIDDEN]})
    with storage_of(bucket, monkeypatch) as storage:
        assert not storage.put_once("manifest.json", b"{}")


def upload(storage: RunStorage, data: bytes) -> None:
    with Upload.begin(storage, "dump", part_size=1 << 10) as sent:
        sent.write(data)
        sent.complete()


@pytest.mark.parametrize("keeps_metadata", [True, False])
def test_an_object_of_an_earlier_reading_never_passes_for_the_later_one(
    monkeypatch: pytest.MonkeyPatch, *, keeps_metadata: bool
) -> None:
    bucket = MemoryBucket(keeps_metadata=keeps_metadata)
    with storage_of(bucket, monkeypatch) as storage:
        upload(storage, b"first")
        bucket.faults = {"complete_upload": [LOST]}
        with pytest.raises(StorageFailedError):
            upload(storage, b"again")
    assert bucket.objects["dump"] == b"first"


def test_a_completion_whose_answer_was_lost_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = MemoryBucket(faults={"complete_upload": [LOST]}, writes_first=True)
    with storage_of(bucket, monkeypatch) as storage:
        upload(storage, b"whole")
    assert bucket.objects["dump"] == b"whole"
