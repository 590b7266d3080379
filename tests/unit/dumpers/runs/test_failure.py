from datetime import UTC, datetime
from typing import Any, cast

import pytest

from dumpers.repository.keys import Run
from dumpers.repository.record_json import read_record
from dumpers.repository.records import FailedRecord
from dumpers.runs.failure import recorded_failure
from dumpers.runtime.errors import SourceRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage import run_storage
from dumpers.storage.run_storage import RunStorage
from tests.fakes.memory_bucket import MemoryBucket

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUN = Run(path="p", cluster="c", cronjob="j", host="h", started=NOW, id="run")


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


@pytest.fixture
def storage(bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch) -> RunStorage:
    monkeypatch.setattr(run_storage, "open_bucket", lambda *_: bucket)
    location: Any = type("Location", (), {"max_bandwidth": None, "patience": 0})()
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
