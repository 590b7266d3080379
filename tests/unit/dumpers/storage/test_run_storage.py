"""Whether something was written, where the store's answers leave it open."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from dumpers.contract.storages.location import S3Location
from dumpers.runtime.errors import StorageFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage import run_storage
from dumpers.storage.errors import (
    AlreadyThereError,
    ForbiddenByStoreError,
    StoreAwayError,
    UnknownToStoreError,
)
from dumpers.storage.patience import Patience
from dumpers.storage.run_storage import RunStorage
from tests.fakes.memory_bucket import MemoryBucket
from tests.fakes.uploads import only

LOST = StorageFailedError("no answer")
FORBIDDEN = ForbiddenByStoreError("403")
AWAY = StoreAwayError("away")


@contextmanager
def storage_of(
    bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch, *, patience: Patience | None = None
) -> Iterator[RunStorage]:
    monkeypatch.setattr(run_storage, "open_bucket", lambda *_: bucket)
    location = S3Location(bucket="b", path="", patience=0)
    interrupt = Interrupt()
    with RunStorage(location, run="run", interrupt=interrupt, patience=patience) as storage:
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
    with only(storage) as sent:
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


def patient(in_a_pause: Callable[[], object] = lambda: None) -> Patience:
    """A patience whose pauses take no time; something may happen in each of them."""
    return Patience(seconds=300, clock=lambda: 0.0, sleep=lambda *_: in_a_pause())


def test_a_record_is_written_once_the_store_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = MemoryBucket(faults={"put": [AWAY] * 20})
    with storage_of(bucket, monkeypatch, patience=patient()) as storage:
        assert storage.put_once("manifest.json", b"{}")
    assert bucket.objects == {"manifest.json": b"{}"}


def test_a_record_whose_answer_was_lost_before_an_outage_is_the_runs_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = MemoryBucket(faults={"put": [AWAY], "get": [AWAY] * 5}, writes_first=True)
    with storage_of(bucket, monkeypatch, patience=patient()) as storage:
        assert storage.put_once("manifest.json", b"{}")


@pytest.mark.parametrize("conditions", [True, False], ids=["conditions", "no conditions"])
def test_a_tombstone_that_came_in_a_pause_is_not_overwritten(
    monkeypatch: pytest.MonkeyPatch, *, conditions: bool
) -> None:
    """A run that is suspended in a pause may wake up after it was swept."""
    first: list[Exception | None] = [] if conditions else [UnknownToStoreError("501")]
    bucket = MemoryBucket(faults={"put": [*first, AWAY]})

    def bury() -> None:
        bucket.objects["manifest.json"] = b"tombstone"

    with (
        storage_of(bucket, monkeypatch, patience=patient(bury)) as storage,
        pytest.raises(AlreadyThereError),
    ):
        storage.put_once("manifest.json", b"{}")
    assert bucket.objects["manifest.json"] == b"tombstone"


@pytest.mark.parametrize("method", ["upload_part", "complete_upload", "head"])
def test_an_upload_goes_on_once_the_store_is_back(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    bucket = MemoryBucket(faults={method: [AWAY] * 9})
    with storage_of(bucket, monkeypatch, patience=patient()) as storage:
        upload(storage, b"x" * 5000)
    assert bucket.objects["dump"] == b"x" * 5000


def test_a_completion_that_the_store_is_still_at_work_on_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its answer is lost, then the upload is gone and the object is not there yet."""
    gone = StorageFailedError("NoSuchUpload")
    pauses: list[None] = []
    bucket = MemoryBucket(faults={"complete_upload": [AWAY, gone, gone]})

    def work() -> None:
        pauses.append(None)
        if len(pauses) == 3:
            (upload_id,) = bucket.uploads_begun
            token, sent = bucket.uploads_begun[upload_id]
            bucket.objects["dump"], bucket.tokens["dump"] = b"".join(sent.values()), token
            bucket.faults["complete_upload"] = [gone]

    with storage_of(bucket, monkeypatch, patience=patient(work)) as storage:
        upload(storage, b"whole")
    assert bucket.objects["dump"] == b"whole"


def test_parts_that_wait_are_given_up_when_their_upload_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = MemoryBucket(faults={"upload_part": [AWAY] * 1000})
    patience = Patience(seconds=3600)

    def fail(storage: RunStorage) -> None:
        with only(storage) as sent:
            sent.write(b"x" * 2048)
            raise RuntimeError("the source failed")

    with storage_of(bucket, monkeypatch, patience=patience) as storage:
        with pytest.raises(RuntimeError, match="the source failed"):
            fail(storage)
        assert bucket.uploads_begun == {}
