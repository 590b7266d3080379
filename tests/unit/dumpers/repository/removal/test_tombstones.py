from datetime import UTC, datetime

import pytest

from dumpers.contract.storages.location import S3Location
from dumpers.repository.catalogue import Entry, State
from dumpers.repository.record_json import write_record
from dumpers.repository.records import StartedRecord
from dumpers.repository.removal.folders import Folder
from dumpers.repository.removal.store_traits import StoreTraits
from dumpers.repository.removal.tombstones import Tombstones
from dumpers.repository.sharing.shard_record import ShardRecord
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage import run_storage
from dumpers.storage.run_storage import RunStorage
from tests.fakes.memory_bucket import MemoryBucket

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECORD = "manifests/c/j/20260101T000000Z-run/"
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
    keys=("first",),
    shards=2,
)


def test_that_of_a_damaged_manifest_names_what_all_pods_of_its_run_were_to_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = MemoryBucket()
    monkeypatch.setattr(run_storage, "open_bucket", lambda *_: bucket)
    bucket.objects[f"{RECORD}started.json"] = write_record(BEGUN)
    for number in (1, 2):
        shard = ShardRecord(
            run="run",
            shard=number,
            writer="w",
            attempt=1,
            updated=NOW,
            keys=(f"of-{number}",),
            server_version="",
            tool_version="",
        )
        bucket.objects[f"{RECORD}shard-{number}.json"] = write_record(shard)
    entry = Entry(id="run", record=RECORD, started=NOW, state=State.DAMAGED)
    names = frozenset({"started.json", "shard-1.json", "shard-2.json", "manifest.json"})
    location = S3Location(bucket="b", path="", patience=1)
    with RunStorage(location, run="run", interrupt=Interrupt()) as storage:
        traits = StoreTraits(storage=storage, path="", cluster="c")
        tombstones = Tombstones(storage=storage, traits=traits, now=NOW)
        made = tombstones.make(Folder(entry=entry, names=names, etag=""), b"{")
    assert made is not None
    assert isinstance(made.buried, StartedRecord)
    assert made.buried.keys == ("first", "of-1", "of-2")
    # As the next run reads it that finds the deletion interrupted.
    assert made.document["keys"] == ["first", "of-1", "of-2"]
