from datetime import UTC, datetime, timedelta

import pytest

from dumpers.contract.storages.location import S3Location
from dumpers.repository.records import StartedRecord
from dumpers.runs.sharing.share import until_deadline
from dumpers.runtime.errors import InterruptedRunError
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage import run_storage
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.stores import Stores
from tests.fakes.memory_bucket import MemoryBucket

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("deadline", "late", "goes_on"),
    [(3600, 0, True), (3600, 3000, True), (3600, 3600, False), (None, 1 << 20, True)],
)
def test_a_pod_stores_nothing_behind_the_deadline_of_its_run(
    monkeypatch: pytest.MonkeyPatch, deadline: int | None, late: int, *, goes_on: bool
) -> None:
    bucket = MemoryBucket()
    monkeypatch.setattr(run_storage, "open_bucket", lambda *_: bucket)
    begun = StartedRecord(
        run="run",
        cluster="c",
        workload="demo/db",
        cronjob="j",
        pod="job",
        engine="clickhouse",
        bucket="bucket",
        started=NOW,
        deadline_seconds=deadline,
        keys=("k",),
        shards=2,
    )
    # As each pod counts it, from its own start.
    interrupt = Interrupt(deadline)
    location = S3Location(bucket="b", path="", patience=1)
    with RunStorage(location, run="run", interrupt=interrupt) as storage:
        stores = Stores({"main": storage}, interrupt=interrupt)
        bounded = until_deadline(stores, begun, NOW + timedelta(seconds=late))
        if goes_on:
            bounded["main"].put_once("k", b"")
        else:
            with pytest.raises(InterruptedRunError, match="the rest of the run was stopped"):
                bounded["main"].put_once("k", b"")
    assert ("k" in bucket.objects) is goes_on
