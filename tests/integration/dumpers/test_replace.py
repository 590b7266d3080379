"""A record is only replaced where it is what it was, however a store says that it is not."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

import pytest

from dumpers.contract.storages.location import S3Location
from dumpers.repository.record_json import make_tombstone, write_record
from dumpers.repository.records import Removal, Tombstone
from dumpers.repository.removal.store_traits import StoreTraits
from dumpers.repository.removal.tombstones import Tombstones
from dumpers.runtime.errors import KsnapshotError, StorageRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.errors import ChangedInStoreError
from dumpers.storage.run_storage import RunStorage, open_bucket
from tests.fakes import stub_s3
from tests.fakes.stub_s3 import Answer, StubStore
from tests.unit.dumpers.repository.test_record_json import manifest

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubStore]:
    monkeypatch.setenv("NO_PROXY", "*")
    with stub_s3.start() as made:
        yield made


def location(stub: StubStore) -> S3Location:
    return S3Location(
        bucket="bkt", path="", endpoint=stub.url, access_key="A", secret_key="s", patience=0
    )


def refusal(status: int, code: str) -> Answer:
    return Answer(status=status, body=f"<Error><Code>{code}</Code></Error>".encode())


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refusal(412, "PreconditionFailed"), ChangedInStoreError),
        # So says AWS where the key is gone.
        (refusal(404, "NoSuchKey"), ChangedInStoreError),
        (refusal(404, "NoSuchBucket"), StorageRefusedError),
        (refusal(403, "AccessDenied"), StorageRefusedError),
    ],
)
def test_what_changed_or_is_gone_is_not_replaced(
    stub: StubStore, answer: Answer, expected: type[KsnapshotError]
) -> None:
    stub.answer = lambda _: answer
    with pytest.raises(StorageRefusedError) as raised:
        open_bucket(location(stub), None).replace("k", b"{}", etag='"e"')
    assert isinstance(raised.value, ChangedInStoreError) is (expected is ChangedInStoreError)


def test_a_manifest_that_is_gone_gets_no_tombstone(stub: StubStore) -> None:
    stub.answer = lambda _: refusal(404, "NoSuchKey")
    made = make_tombstone(write_record(manifest()), removal=Removal.PRUNED, removed=NOW)
    assert isinstance(made, Tombstone)

    class Traits:
        conditional = True

    with RunStorage(location(stub), run="", interrupt=Interrupt()) as storage:
        traits = cast("StoreTraits", Traits())
        tombstones = Tombstones(storage=storage, traits=traits, now=NOW)
        assert "changed" in tombstones.put("r/", made, '"e"')
