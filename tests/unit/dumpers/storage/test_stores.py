"""The stores of a run: who is given up from the start, and whose failure is the run's."""

from datetime import UTC, datetime

import pytest

from dumpers.contract.storages.location import S3Location
from dumpers.contract.storages.named_storage import NamedStorage
from dumpers.runtime.errors import StorageUnfitError
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage import run_storage
from dumpers.storage.stores import open_stores
from tests.fakes.memory_bucket import MemoryBucket

STARTED = datetime(2026, 1, 1, tzinfo=UTC)
HALF = "STORAGE_OFFSITE__S3_SECRET_KEY is not set"


def storage(name: str, *, fault: str = "") -> NamedStorage:
    return NamedStorage(name=name, location=S3Location(bucket=name, path=""), fault=fault)


def test_a_storage_with_a_fault_is_given_up_before_it_is_gone_to(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    opened = []

    def open_bucket(location: S3Location, _: object) -> MemoryBucket:
        opened.append(location.bucket)
        return MemoryBucket()

    monkeypatch.setattr(run_storage, "open_bucket", open_bucket)
    storages = (storage("main"), storage("offsite", fault=HALF), storage("third"))
    with open_stores(storages, run="r", started=STARTED, interrupt=Interrupt(60)) as stores:
        done = stores.each(lambda name: stores[name].call(lambda: name))
        failures = stores.failures
        assert (stores.still_in, stores.is_one) == (("main", "third"), False)
    assert done == {"main": "main", "third": "third"}
    assert sorted(opened) == ["main", "third"]
    assert {name: (type(error), str(error)) for name, error in failures.items()} == {
        "offsite": (StorageUnfitError, HALF)
    }
    assert caplog.text.count("storage given up") == 1


@pytest.mark.parametrize("bad", ["main", "offsite"])
def test_what_was_told_of_the_first_storage_has_to_be_right(
    monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    def open_bucket(location: S3Location, _: object) -> MemoryBucket:
        if location.bucket == bad:
            raise StorageUnfitError("no certificate")
        return MemoryBucket()

    monkeypatch.setattr(run_storage, "open_bucket", open_bucket)
    storages = (storage("main"), storage("offsite"))
    with open_stores(storages, run="r", started=STARTED, interrupt=Interrupt(60)) as stores:

        def head() -> list[str]:
            return [*stores.each(lambda name: stores[name].call(lambda: str(stores[name].bucket)))]

        if bad == "main":
            with pytest.raises(StorageUnfitError, match="no certificate"):
                head()
        else:
            assert head() == ["main"]
            assert list(stores.failures) == ["offsite"]
