from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dumpers.contract.jobs import DumpJob
from dumpers.contract.sharing import Share
from dumpers.contract.storages.location import S3Location
from dumpers.engines.registry import ENGINES
from dumpers.repository.keys import Run
from dumpers.repository.record_json import write_record
from dumpers.repository.records import StartedRecord
from dumpers.repository.sharing.every_key import with_shards
from dumpers.repository.sharing.old_claims import remove_old_claims
from dumpers.repository.sharing.shard_record import ShardRecord, claim_key, shared_run_id
from dumpers.runs.sharing.claims import claim, find_claim
from dumpers.runs.sharing.ledger import Ledger
from dumpers.runtime.errors import InterruptedRunError, StorageFailedError, StorageRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage import run_storage
from dumpers.storage.errors import StoreAwayError
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.s3.object_lock import Lock
from tests.fakes.memory_bucket import MemoryBucket

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUN = Run(path="p", cluster="c", cronjob="j", host="job", started=NOW, id="run")
KEY = "p/manifests/c/j/20260101T000000Z-run/shard-1.json"
BEGUN = StartedRecord(
    run="run",
    cluster="c",
    workload="demo/db",
    cronjob="j",
    pod="job",
    engine="clickhouse",
    bucket="bucket",
    started=NOW,
    deadline_seconds=60,
    keys=("k",),
    shards=2,
)
SHARE = Share(index=0, count=2, job="uid-1", name="job")
JOB = DumpJob.from_env(
    {
        "KSNAPSHOT_ENGINE": "clickhouse",
        "KSNAPSHOT_CLUSTER": "c",
        "KSNAPSHOT_CRONJOB": "j",
        "BACKEND_TYPE": "s3",
        "BACKEND_PATH": "p",
        "BACKEND_BUCKET": "bucket",
        "CLICKHOUSE_HOST": "ch",
        "HOSTNAME": "job-0",
    },
    ENGINES,
)
CLAIMED = replace(BEGUN, run=shared_run_id(SHARE.job))
CLAIM = claim_key(RUN.records_prefix, CLAIMED.run)
SHARD = ShardRecord(
    run="run",
    shard=1,
    writer="a",
    attempt=1,
    updated=NOW,
    keys=("k", "k2"),
    server_version="",
    tool_version="",
)


class _Ignoring(MemoryBucket):
    """A store that writes whatever the condition."""

    def put(self, key: str, body: bytes, *, only_new: bool, lock: Lock | None = None) -> None:
        super().put(key, body, only_new=False, lock=lock)


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> MemoryBucket:
    made = getattr(request, "param", MemoryBucket)()
    assert isinstance(made, MemoryBucket)
    return made


@pytest.fixture
def storage(bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch) -> RunStorage:
    monkeypatch.setattr(run_storage, "open_bucket", lambda *_: bucket)
    location = S3Location(bucket="b", path="", patience=1)
    return RunStorage(location, run="run", interrupt=Interrupt())


def test_the_first_claim_counts_for_all(storage: RunStorage) -> None:
    later = replace(BEGUN, started=NOW + timedelta(seconds=3))
    with storage:
        assert claim(storage, RUN, BEGUN) == BEGUN
        assert claim(storage, RUN, later) == BEGUN


@pytest.mark.parametrize("bucket", [_Ignoring], indirect=True)
def test_a_store_that_ignores_conditions_is_refused(storage: RunStorage) -> None:
    with storage, pytest.raises(StorageRefusedError, match="ignores conditions"):
        claim(storage, RUN, BEGUN)


@pytest.mark.parametrize("bucket", [_Ignoring], indirect=True)
def test_a_store_that_ignores_conditions_is_refused_by_pods_behind_the_claim_too(
    storage: RunStorage, bucket: MemoryBucket
) -> None:
    bucket.objects[CLAIM] = write_record(CLAIMED)
    with storage, pytest.raises(StorageRefusedError, match="ignores conditions"):
        find_claim(storage, JOB, SHARE)


def test_a_pod_finds_what_another_one_has_claimed(
    storage: RunStorage, bucket: MemoryBucket
) -> None:
    with storage:
        assert find_claim(storage, JOB, SHARE) is None
        bucket.objects[CLAIM] = write_record(CLAIMED)
        assert find_claim(storage, JOB, SHARE) == CLAIMED


@pytest.mark.parametrize(
    "body",
    [b"{}", write_record(BEGUN), write_record(replace(CLAIMED, shards=1))],
    ids=["no record", "another run", "fewer shards"],
)
def test_a_claim_that_is_not_this_runs_is_no_start(
    storage: RunStorage, bucket: MemoryBucket, body: bytes
) -> None:
    bucket.objects[CLAIM] = body
    with storage:
        with pytest.raises(StorageFailedError, match="no started record"):
            claim(storage, replace(RUN, id=CLAIMED.run), CLAIMED)
        with pytest.raises(StorageFailedError, match="no started record"):
            find_claim(storage, JOB, SHARE)


def test_of_two_pods_of_a_shard_the_later_one_goes_on(storage: RunStorage) -> None:
    with storage:
        first = Ledger(storage, RUN, 1)
        assert first.found is None
        first.write(SHARD)
        second = Ledger(storage, RUN, 1)
        assert second.found == SHARD
        second.write(replace(SHARD, writer="b", attempt=2))
        with pytest.raises(InterruptedRunError, match="another pod of the shard"):
            first.write(replace(SHARD, done=True))
        second.write(replace(SHARD, writer="b", attempt=2, done=True))
        found = Ledger(storage, RUN, 1).found
        assert found is not None
        assert (found.writer, found.done) == ("b", True)


def test_of_two_pods_that_begin_at_once_one_goes_on(storage: RunStorage) -> None:
    with storage:
        first, second = Ledger(storage, RUN, 1), Ledger(storage, RUN, 1)
        second.write(replace(SHARD, writer="b"))
        with pytest.raises(InterruptedRunError, match="another pod of the shard"):
            first.write(SHARD)


def test_a_write_whose_answer_was_lost_is_this_pods_own(
    storage: RunStorage, bucket: MemoryBucket
) -> None:
    bucket.writes_first = True
    bucket.faults["put"] = [StoreAwayError("answer lost")]
    with storage:
        ledger = Ledger(storage, RUN, 1)
        ledger.write(SHARD)
        ledger.write(replace(SHARD, done=True))
    assert bucket.faults == {"put": []}


@pytest.mark.parametrize(
    "body",
    [b"{", write_record(replace(SHARD, run="other")), write_record(replace(SHARD, shard=2))],
    ids=["no record", "another run", "another shard"],
)
def test_a_record_that_is_not_of_this_shard_is_not_taken_for_none(
    storage: RunStorage, bucket: MemoryBucket, body: bytes
) -> None:
    bucket.objects[KEY] = body
    with storage, pytest.raises(StorageFailedError, match="cannot be read"):
        Ledger(storage, RUN, 1)


def test_a_crashed_run_is_to_delete_what_all_its_pods_were_to_write(bucket: MemoryBucket) -> None:
    folder = RUN.record_prefix
    bucket.objects[f"{folder}shard-1.json"] = write_record(SHARD)
    names = {"started.json", "shard-1.json", "shard-2.json"}
    assert with_shards(bucket, folder, BEGUN, names).keys == ("k", "k2")  # type: ignore[arg-type]
    assert with_shards(bucket, folder, BEGUN, {"started.json"}) is BEGUN  # type: ignore[arg-type]
    bucket.objects[f"{folder}shard-2.json"] = b"{}"
    with pytest.raises(StorageFailedError, match=r"shard-2\.json"):
        with_shards(bucket, folder, BEGUN, names)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("runs", "minutes", "stays"),
    [({"run"}, 60, True), (set(), 15, True), (set(), 60, False)],
    ids=["its run is there", "its run may still begin", "its run is gone"],
)
def test_claims_go_with_their_runs(
    storage: RunStorage, bucket: MemoryBucket, runs: set[str], minutes: int, *, stays: bool
) -> None:
    key = claim_key(RUN.records_prefix, "run")
    bucket.objects[key] = write_record(BEGUN)
    bucket.objects[claim_key(RUN.records_prefix, "odd")] = b"{}"
    with storage:
        remove_old_claims(storage, RUN.records_prefix, runs, now=NOW + timedelta(minutes=minutes))
    assert (key in bucket.objects) is stays
    assert claim_key(RUN.records_prefix, "odd") in bucket.objects
