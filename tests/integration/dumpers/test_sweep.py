"""What a crashed run left is cleared away by a later one, as far as its rights allow."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dumpers.contract.location import S3Location
from dumpers.repository import records
from dumpers.repository.keys import Run
from dumpers.repository.records import RunRecord
from dumpers.repository.sweep import sweep
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.run_storage import RunStorage
from tests.testbed.dumper import Dumper
from tests.testbed.stores.s3 import DELETE, READ, WRITE, Keys, S3Server

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DUMP = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")


def run(name: str, started: datetime = NOW, cronjob: str = "cj") -> Run:
    return Run(path="p", cluster="c", cronjob=cronjob, host=f"{name}-pod", started=started, id=name)


def record(made: Run, bucket: str, *, deadline: int | None = 3600) -> RunRecord:
    return RunRecord(
        run=made.id,
        cluster=made.cluster,
        workload="demo/db",
        cronjob=made.cronjob,
        pod=made.host,
        engine="postgresql",
        bucket=bucket,
        started=made.started,
        deadline_seconds=deadline,
        keys=tuple(f"p/dump-{made.id}-{n}" for n in range(2)),
    )


class World:
    """A bucket with the leftovers of runs in it."""

    def __init__(self, s3: S3Server, bucket: str) -> None:
        self.s3, self.bucket = s3, bucket
        self.client = s3.client()

    def location(self, keys: Keys | None = None) -> S3Location:
        keys = keys or self.s3.root
        return S3Location(
            bucket=self.bucket,
            path="p",
            endpoint=self.s3.endpoint,
            access_key=keys.access,
            secret_key=keys.secret,
        )

    def crash(
        self,
        made: Run,
        *,
        deadline: int | None = 3600,
        change: Callable[[RunRecord], RunRecord] = lambda same: same,
    ) -> RunRecord:
        """A started record, an open upload of the first key, an object under the second."""
        told = change(record(made, self.bucket, deadline=deadline))
        self.put(made.started_key, records.started_record(told))
        self.client.create_multipart_upload(Bucket=self.bucket, Key=told.keys[0])
        self.put(told.keys[1], b"x", run=made.id)
        return told

    def put(self, key: str, body: bytes, *, run: str | None = None) -> None:
        metadata = {"ksnapshot-run": run} if run else {}
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body, Metadata=metadata)

    def sweep(self, keys: Keys | None = None) -> None:
        made = run("now")
        interrupt = Interrupt()
        with RunStorage(self.location(keys), run=made.id, interrupt=interrupt) as store:
            sweep(store, made, record(made, self.bucket))

    def left(self) -> set[str]:
        return {key for key, _ in self.s3.uploads(self.bucket)} | {
            key for key in self.s3.objects(self.bucket) if "/dump-" in key
        }


@pytest.fixture
def world(s3: S3Server, bucket: str, caplog: pytest.LogCaptureFixture) -> World:
    caplog.set_level(logging.INFO)
    return World(s3, bucket)


def test_a_crashed_run_of_many_objects_is_cleared_at_once(world: World) -> None:
    made = run("old", NOW - timedelta(hours=2))
    keys = tuple(f"p/dump-old/t{number}" for number in range(1500))

    def many(told: RunRecord) -> RunRecord:
        return replace(told, keys=keys)

    world.crash(made, change=many)
    for key in keys[700:720]:
        world.put(key, b"x", run="old")
    world.client.create_multipart_upload(Bucket=world.bucket, Key=keys[1200])
    world.sweep()
    assert world.left() == set()
    mark = json.loads(world.s3.read(world.bucket, f"{made.record_prefix}swept.json"))
    assert (mark["uploads"], mark["objects"]) == (2, 21)


def test_what_a_crashed_run_left_goes_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    made = run("old", NOW - timedelta(hours=2))
    world.crash(made)
    world.client.create_multipart_upload(Bucket=world.bucket, Key="p/dump-old-0-of-another")
    world.put("p/dump-other", b"x", run="other")
    world.sweep()
    assert world.left() == {"p/dump-old-0-of-another", "p/dump-other"}
    assert caplog.messages == ["swept what a crashed run left"]
    mark = json.loads(world.s3.read(world.bucket, f"{made.record_prefix}swept.json"))
    assert (mark["run"], mark["uploads"], mark["objects"]) == ("old", 1, 1)
    world.sweep()
    assert len(caplog.messages) == 1


def test_an_object_of_another_run_under_a_named_key_stays(world: World) -> None:
    made = run("old", NOW - timedelta(hours=2))
    told = world.crash(made)
    world.put(told.keys[1], b"y", run="another")
    world.sweep()
    assert world.left() == {told.keys[1]}


@pytest.mark.parametrize(
    ("made", "deadline", "change"),
    [
        (run("old", NOW - timedelta(minutes=70)), 3600, lambda told: told),
        (run("old", NOW - timedelta(hours=2)), 7200, lambda told: told),
        (run("old", NOW - timedelta(hours=2)), None, lambda told: told),
        (run("old", NOW - timedelta(hours=2), "other"), 3600, lambda told: told),
        (run("old", NOW - timedelta(hours=2)), 60, lambda told: replace(told, cluster="x")),
        (run("old", NOW - timedelta(hours=2)), 60, lambda told: replace(told, bucket="x")),
        (run("old", NOW - timedelta(hours=2)), 60, lambda told: replace(told, run="now")),
        (run("now"), 60, lambda told: told),
    ],
    ids=[
        *("within the margin", "within its deadline", "no deadline", "another CronJob"),
        *("another cluster", "another bucket", "this run's id", "this run"),
    ],
)
def test_what_may_still_run_or_is_not_ours_stays(
    world: World, made: Run, deadline: int | None, change: Callable[[RunRecord], RunRecord]
) -> None:
    told = world.crash(made, deadline=deadline, change=change)
    world.sweep()
    assert world.left() == set(told.keys)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b"[" * 5000])
def test_a_record_that_is_none_is_left_alone(world: World, body: bytes) -> None:
    made = run("old", NOW - timedelta(hours=2))
    told = world.crash(made)
    world.put(made.started_key, body)
    world.sweep()
    assert world.left() == set(told.keys)


def test_a_backup_is_never_swept(world: World) -> None:
    made = run("old", NOW - timedelta(hours=2))
    told = world.crash(made)
    world.put(made.manifest_key, b"{}")
    world.sweep()
    assert world.left() == set(told.keys)


@pytest.mark.parametrize(
    ("rights", "gone", "said"),
    [
        (DUMP, [], []),
        ((*DUMP, *READ), [], ["objects of a crashed run stay: they are no backup"]),
        (
            (*READ, *WRITE),
            [0],
            [
                "swept what a crashed run left",
                "objects of a crashed run stay: they are no backup",
            ],
        ),
        ((*READ, *WRITE, *DELETE), [0, 1], ["swept what a crashed run left"]),
    ],
    ids=["least", "read", "write", "delete"],
)
def test_rights_decide_how_far_it_goes(
    world: World,
    caplog: pytest.LogCaptureFixture,
    rights: tuple[str, ...],
    gone: list[int],
    said: list[str],
) -> None:
    told = world.crash(run("old", NOW - timedelta(hours=2)))
    keys = world.s3.create_user(f"sweep-{world.bucket}")
    world.s3.allow(world.bucket, {keys.access: rights})
    world.sweep(keys)
    assert world.left() == set(told.keys) - {told.keys[n] for n in gone}
    assert caplog.messages == said


def test_a_dump_sweeps(dumper: Dumper, world: World) -> None:
    dumper.env["BACKEND_PATH"] = "p"
    dumper.env |= {"KSNAPSHOT_CLUSTER": "c", "KSNAPSHOT_CRONJOB": "cj"}
    made = run("old", datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2))
    told = world.crash(made)
    ended = dumper.run()
    assert ended.exit_code == 0, ended.log
    assert ended.lines("swept what a crashed run left")[0]["run"] == "old"
    assert world.left() == set(ended.result.keys)
    assert not world.left() & set(told.keys)
