"""A copy that goes on behind the tombstone of the run that crashed, and the tombstone's end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from dumpers.repository.keys import FAILED, MANIFEST, STARTED, SWEEPING
from dumpers.repository.record_json import make_tombstone, write_record
from dumpers.repository.records import Manifest, Removal, StartedRecord, Tombstone
from dumpers.repository.removal.crashed import CrashedRuns
from dumpers.repository.removal.deletion import Deletion, NotSwept
from dumpers.storage.errors import ForbiddenByStoreError
from dumpers.storage.s3.bucket import S3Bucket
from tests.fakes.memory_bucket import MemoryBucket

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
FOLDER = "manifests/c/shop/20260501T000000Z-run/"
CRASHED = StartedRecord(
    run="run",
    cluster="c",
    workload="shop/database",
    cronjob="shop",
    pod="shop-1",
    engine="mysql",
    bucket="bucket",
    started=NOW - timedelta(days=19, hours=12),
    deadline_seconds=3600,
    keys=("shop.sql.gz",),
)


BACKUP = Manifest(
    begun=CRASHED,
    finished=CRASHED.started,
    server_version="8.0",
    tool_version="8.0",
    encryption=None,
    objects=(),
)


def _ending(ends: timedelta) -> StartedRecord:
    """The started record of a copy whose deadline is over this long before NOW."""
    seconds = (NOW - ends - CRASHED.started).total_seconds()
    return replace(CRASHED, pod="copy-1", deadline_seconds=int(seconds))


def _crashed_runs(bucket: MemoryBucket, *, conditional: bool = True) -> CrashedRuns:
    return CrashedRuns(
        bucket=cast("S3Bucket", bucket),
        cluster="c",
        cronjob="shop",
        run="",
        now=NOW,
        ends=float("inf"),
        conditional=lambda: conditional,
    )


def _tombstone(
    removal: Removal, days: int, buried: StartedRecord | Manifest = CRASHED
) -> Tombstone:
    removed = NOW - timedelta(days=days)
    made = make_tombstone(write_record(buried), removal=removal, removed=removed)
    assert isinstance(made, Tombstone)
    return made


@pytest.mark.parametrize(
    ("begun", "may_go_on"),
    [
        (CRASHED, False),
        (_ending(timedelta(minutes=16)), False),
        (_ending(timedelta(minutes=14)), True),
        (_ending(-timedelta(hours=1)), True),
    ],
    ids=["its own", "a copy that ended", "a copy within the margin", "a copy"],
)
def test_a_sweep_and_its_forecast_leave_a_copy_that_may_go_on(
    begun: StartedRecord, *, may_go_on: bool
) -> None:
    tombstone = _tombstone(Removal.SWEPT, days=2)
    objects = {
        f"{FOLDER}{STARTED}": write_record(begun),
        f"{FOLDER}{MANIFEST}": write_record(tombstone),
        f"{FOLDER}{SWEEPING}": write_record(tombstone),
        "shop.sql.gz": b"dump",
    }
    bucket = MemoryBucket(objects=dict(objects))
    runs = _crashed_runs(bucket)
    foreseen = runs.foresee(FOLDER, {STARTED, MANIFEST, SWEEPING})
    assert bucket.objects == objects
    swept = runs.sweep(FOLDER)
    assert foreseen == swept
    if may_go_on:
        assert isinstance(swept, NotSwept)
        assert "it may go on until" in swept.why
        assert bucket.objects == objects
    else:
        assert isinstance(swept, Deletion)
        assert swept.objects == 1
        assert list(bucket.objects) == [f"{FOLDER}{MANIFEST}"]


@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.parametrize(
    ("removal", "days", "goes"),
    [
        (Removal.SWEPT, 61, True),
        (Removal.SWEPT, 59, False),
        # What an interrupted removal made of it.
        (Removal.PRUNED, 61, True),
    ],
)
def test_an_old_tombstone_of_a_crashed_run_goes_with_what_lies_beside_it(
    removal: Removal, days: int, *, goes: bool, conditional: bool
) -> None:
    bucket = MemoryBucket(
        objects={
            f"{FOLDER}{MANIFEST}": write_record(_tombstone(removal, days)),
            f"{FOLDER}{FAILED}": b"{}",
        }
    )
    runs = _crashed_runs(bucket, conditional=conditional)
    runs.remove_tombstone(FOLDER, {MANIFEST, FAILED})
    assert bool(bucket.objects) is not goes


def test_keys_that_may_not_delete_leave_a_tombstone_as_it_was() -> None:
    objects = {f"{FOLDER}{MANIFEST}": write_record(_tombstone(Removal.SWEPT, days=61))}
    refused = ForbiddenByStoreError("AccessDenied")
    bucket = MemoryBucket(objects=dict(objects), faults={"delete": [refused]})
    with pytest.raises(ForbiddenByStoreError):
        _crashed_runs(bucket).remove_tombstone(FOLDER, {MANIFEST})
    assert bucket.objects == objects


@pytest.mark.parametrize("is_decided", [True, False])
def test_the_tombstone_of_a_backup_is_left_to_prune(*, is_decided: bool) -> None:
    buried = replace(_tombstone(Removal.PRUNED, 61, BACKUP), is_decided=is_decided)
    objects = {f"{FOLDER}{MANIFEST}": write_record(buried)}
    bucket = MemoryBucket(objects=dict(objects))
    _crashed_runs(bucket).remove_tombstone(FOLDER, {MANIFEST})
    assert bucket.objects == objects
