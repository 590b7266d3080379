"""What a crashed run left is cleared away by a later one, as far as its rights allow."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dumpers.contract.storages.location import S3Location
from dumpers.repository.keys import Run
from dumpers.repository.record_json import make_tombstone, read_record, write_record
from dumpers.repository.records import FailedRecord, Manifest, Removal, StartedRecord, Tombstone
from dumpers.repository.removal.sweep import sweep
from dumpers.runtime.errors import ExitCode
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.s3.bucket import S3Bucket
from tests.testbed.dumper import Dumper
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Hang, Rule, Status
from tests.testbed.stores.s3 import DELETE, READ, WRITE, Keys, S3Server
from tests.testbed.toolchain.processes import wait_until

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DUMP = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")


def run(name: str, started: datetime = NOW, cronjob: str = "cj") -> Run:
    return Run(path="p", cluster="c", cronjob=cronjob, host=f"{name}-pod", started=started, id=name)


def record(made: Run, bucket: str, *, deadline: int | None = 3600) -> StartedRecord:
    return StartedRecord(
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


def manifest(begun: StartedRecord) -> Manifest:
    return Manifest(
        begun=begun, finished=NOW, server_version="1", tool_version="1", encryption=None, objects=()
    )


def mark_of(made: Run) -> str:
    """Key of the mark of a sweep."""
    return f"{made.record_prefix}sweeping.json"


class World:
    """A bucket with the leftovers of runs in it."""

    def __init__(self, s3: S3Server, bucket: str) -> None:
        self.s3, self.bucket = s3, bucket
        self.client = s3.client()

    def location(self, keys: Keys | None = None, endpoint: str | None = None) -> S3Location:
        keys = keys or self.s3.root
        return S3Location(
            bucket=self.bucket,
            path="p",
            endpoint=endpoint or self.s3.endpoint,
            access_key=keys.access,
            secret_key=keys.secret,
        )

    def crash(
        self,
        made: Run,
        *,
        deadline: int | None = 3600,
        change: Callable[[StartedRecord], StartedRecord] = lambda same: same,
    ) -> StartedRecord:
        """A started record, an open upload of the first key, an object under the second."""
        crashed = change(record(made, self.bucket, deadline=deadline))
        self.put(made.started_key, write_record(crashed))
        self.client.create_multipart_upload(Bucket=self.bucket, Key=crashed.keys[0])
        self.put(crashed.keys[1], b"x", run=made.id)
        return crashed

    def put(self, key: str, body: bytes, *, run: str | None = None) -> None:
        metadata = {"ksnapshot-run": run} if run else {}
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body, Metadata=metadata)

    def bury(self, crashed: StartedRecord, *keys: str) -> None:
        """Put the tombstone of a sweep under these keys."""
        tombstone = make_tombstone(write_record(crashed), removal=Removal.SWEPT, removed=NOW)
        assert isinstance(tombstone, Tombstone)
        for key in keys:
            self.put(key, write_record(tombstone))

    def sweep(
        self,
        keys: Keys | None = None,
        *,
        now: datetime = NOW,
        deadline: int | None = 3600,
        endpoint: str | None = None,
    ) -> None:
        """Sweep as a run that begins at `now`, with a deadline of its own."""
        made = run("now", now)
        started = record(made, self.bucket, deadline=deadline)
        self.put(made.started_key, write_record(started))
        location = self.location(keys, endpoint)
        with RunStorage(location, run=made.id, interrupt=Interrupt()) as store:
            sweep(store, made, started)

    def records_of(self, made: Run) -> list[str]:
        """Names of the run's records."""
        prefix = made.record_prefix
        return [
            key.removeprefix(prefix)
            for key in self.s3.objects(self.bucket)
            if key.startswith(prefix)
        ]

    def tombstone(self, made: Run) -> Tombstone:
        found = read_record(self.s3.read(self.bucket, made.manifest_key))
        assert isinstance(found, Tombstone)
        return found

    def left(self) -> set[str]:
        return {key for key, _ in self.s3.uploads(self.bucket)} | {
            key for key in self.s3.objects(self.bucket) if "/dump-" in key
        }


@pytest.fixture
def world(s3: S3Server, bucket: str, caplog: pytest.LogCaptureFixture) -> World:
    caplog.set_level(logging.INFO)
    return World(s3, bucket)


def test_a_crashed_run_of_many_objects_is_cleared_at_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    made = run("old", NOW - timedelta(hours=2))
    keys = tuple(f"p/dump-old/t{number}" for number in range(1500))

    def many(crashed: StartedRecord) -> StartedRecord:
        return replace(crashed, keys=keys)

    world.crash(made, change=many)
    for key in keys[700:720]:
        world.put(key, b"x", run="old")
    world.client.create_multipart_upload(Bucket=world.bucket, Key=keys[1200])
    world.sweep()
    assert world.left() == set()
    [swept] = [line.ksnapshot_fields for line in caplog.records]  # type: ignore[attr-defined]
    assert (swept["uploads"], swept["objects"]) == (2, 21)


def test_what_a_crashed_run_left_goes_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    made = run("old", NOW - timedelta(hours=2))
    crashed = world.crash(made)
    world.client.create_multipart_upload(Bucket=world.bucket, Key="p/dump-old-0-of-another")
    world.put("p/dump-other", b"x", run="other")
    world.sweep()
    assert world.left() == {"p/dump-old-0-of-another", "p/dump-other"}
    assert caplog.messages == ["swept what a crashed run left"]
    # The tombstone holds the started record whole, and is all that stays.
    assert world.tombstone(made).buried == crashed
    assert world.records_of(made) == ["manifest.json"]
    world.sweep()
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("what", [r"\?.*uploads", "list-type=2.*dump-old"])
def test_an_answer_that_is_no_list_leaves_the_records_for_the_next_sweep(
    world: World, faults: Faults, what: str
) -> None:
    made = run("old", NOW - timedelta(hours=2))
    world.crash(made)
    proxy = faults.http(world.s3.port)
    proxy.set(Rule(Status(200, b""), "GET", what, times=1))
    world.sweep(endpoint=proxy.url)
    assert proxy.settled("GET", what)
    world.sweep()
    assert world.left() == set()
    assert world.records_of(made) == ["manifest.json"]


def test_an_object_of_another_run_under_a_named_key_stays(world: World) -> None:
    made = run("old", NOW - timedelta(hours=2))
    crashed = world.crash(made)
    world.put(crashed.keys[1], b"y", run="another")
    world.sweep()
    assert world.left() == {crashed.keys[1]}


@pytest.mark.parametrize(
    ("made", "deadline", "change"),
    [
        (run("old", NOW - timedelta(minutes=70)), 3600, lambda crashed: crashed),
        (run("old", NOW - timedelta(hours=2)), 7200, lambda crashed: crashed),
        (run("old", NOW - timedelta(hours=2)), None, lambda crashed: crashed),
        (run("old", NOW - timedelta(hours=2), "other"), 3600, lambda crashed: crashed),
        (run("old", NOW - timedelta(hours=2)), 60, lambda crashed: replace(crashed, cluster="x")),
        (run("old", NOW - timedelta(hours=2)), 60, lambda crashed: replace(crashed, bucket="x")),
        (run("old", NOW - timedelta(hours=2)), 60, lambda crashed: replace(crashed, run="now")),
        (run("now"), 60, lambda crashed: crashed),
    ],
    ids=[
        *("within the margin", "within its deadline", "no deadline", "another CronJob"),
        *("another cluster", "another bucket", "this run's id", "this run"),
    ],
)
def test_what_may_still_run_or_is_not_ours_stays(
    world: World, made: Run, deadline: int | None, change: Callable[[StartedRecord], StartedRecord]
) -> None:
    crashed = world.crash(made, deadline=deadline, change=change)
    world.sweep()
    assert world.left() == set(crashed.keys)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b"[" * 5000])
def test_a_record_that_is_none_is_left_alone(world: World, body: bytes) -> None:
    made = run("old", NOW - timedelta(hours=2))
    crashed = world.crash(made)
    world.put(made.started_key, body)
    world.sweep()
    assert world.left() == set(crashed.keys)


def test_a_backup_is_never_swept(world: World) -> None:
    made = run("old", NOW - timedelta(hours=2))
    crashed = world.crash(made)
    world.put(made.manifest_key, b"{}")
    world.sweep()
    assert world.left() == set(crashed.keys)


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
    crashed = world.crash(run("old", NOW - timedelta(hours=2)))
    keys = world.s3.create_user(f"sweep-{world.bucket}")
    world.s3.allow(world.bucket, {keys.access: rights})
    world.sweep(keys)
    assert world.left() == set(crashed.keys) - {crashed.keys[n] for n in gone}
    assert caplog.messages == said


@pytest.mark.parametrize("deadline", [3600, 366 * 24 * 3600, None])
@pytest.mark.parametrize("records", [["started.json"], []], ids=["started", "no started"])
def test_a_deletion_that_was_interrupted_goes_on_whatever_the_deadline_is_now(
    world: World, deadline: int | None, records: list[str]
) -> None:
    made = run("old", NOW - timedelta(days=1))
    crashed = world.crash(made)
    world.bury(crashed, made.manifest_key, mark_of(made))
    if not records:
        world.client.delete_object(Bucket=world.bucket, Key=made.started_key)
    world.sweep(deadline=deadline)
    assert world.left() == set()
    assert world.records_of(made) == ["manifest.json"]


def test_the_mark_is_put_before_the_tombstone_and_removed_last(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run("old", NOW - timedelta(hours=2))
    crashed = world.crash(made)
    done: list[tuple[str, str]] = []
    put, delete = S3Bucket.put, S3Bucket.delete

    def put_noted(self: S3Bucket, key: str, body: bytes, *, only_new: bool) -> None:
        done.append(("put", key))
        put(self, key, body, only_new=only_new)

    def delete_noted(self: S3Bucket, key: str) -> None:
        done.append(("delete", key))
        delete(self, key)

    monkeypatch.setattr(S3Bucket, "put", put_noted)
    monkeypatch.setattr(S3Bucket, "delete", delete_noted)
    world.sweep()
    assert done == [
        ("put", run("now").started_key),
        ("put", mark_of(made)),
        ("put", made.manifest_key),
        ("delete", crashed.keys[1]),
        ("delete", made.started_key),
        ("delete", mark_of(made)),
    ]


class CutError(Exception):
    """The process is gone."""


def test_a_sweep_that_is_cut_at_any_call_is_ended_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = ("keys", "get", "head", "put", "uploads", "abort_upload", "delete")
    real = {name: getattr(S3Bucket, name) for name in calls}
    left = 0

    def cut(name: str) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise CutError
            return real[name](*args, **options)

        return call

    for number in range(100):
        made = run(f"old{number}", NOW - timedelta(hours=2))
        world.crash(made)
        left = number
        with monkeypatch.context() as patched:
            for name in calls:
                patched.setattr(S3Bucket, name, cut(name))
            world.sweep()
        world.sweep(deadline=None)
        assert world.left() == set(), number
        assert world.records_of(made) == ["manifest.json"], number
        if left >= 0:
            break
    assert 10 < number < 100


def test_a_backup_that_was_marked_loses_nothing_but_the_mark(world: World) -> None:
    made = run("old", NOW - timedelta(days=1))
    crashed = world.crash(made)
    world.put(made.manifest_key, write_record(manifest(crashed)))
    world.bury(crashed, mark_of(made))
    world.sweep()
    assert world.left() == set(crashed.keys)
    assert world.records_of(made) == ["manifest.json", "started.json"]


def test_a_run_that_commits_while_it_is_marked_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run("old", NOW - timedelta(days=1))
    crashed = world.crash(made)
    put = S3Bucket.put

    def put_late(self: S3Bucket, key: str, body: bytes, *, only_new: bool) -> None:
        put(self, key, body, only_new=only_new)
        if key == mark_of(made):
            world.put(made.manifest_key, write_record(manifest(crashed)))

    monkeypatch.setattr(S3Bucket, "put", put_late)
    world.sweep()
    assert world.left() == set(crashed.keys)
    assert world.records_of(made) == ["manifest.json", "started.json"]
    assert world.s3.read(world.bucket, made.manifest_key) == write_record(manifest(crashed))


@pytest.mark.parametrize("body", [b"{}", b"", b'{"format": 2, "record": "swept"}'])
def test_a_record_that_is_unknown_keeps_its_mark(world: World, body: bytes) -> None:
    made = run("old", NOW - timedelta(days=1))
    crashed = world.crash(made)
    world.put(made.manifest_key, body)
    world.bury(crashed, mark_of(made))
    world.sweep()
    assert world.left() == set(crashed.keys)
    assert world.records_of(made) == ["manifest.json", "started.json", "sweeping.json"]


@pytest.mark.parametrize(("hours", "swept"), [(1, False), (2, True)])
def test_a_marked_run_without_a_tombstone_is_decided_anew(
    world: World, hours: int, *, swept: bool
) -> None:
    made = run("old", NOW - timedelta(hours=hours))
    crashed = world.crash(made)
    world.bury(crashed, mark_of(made))
    world.sweep()
    assert world.left() == (set() if swept else set(crashed.keys))
    kept = ["manifest.json"] if swept else ["started.json", "sweeping.json"]
    assert world.records_of(made) == kept


def test_a_tombstone_without_keys_deletes_nothing(world: World) -> None:
    made = run("old", NOW - timedelta(days=1))
    crashed = world.crash(made)
    world.bury(replace(crashed, keys=()), made.manifest_key, mark_of(made))
    world.sweep()
    assert world.left() == set(crashed.keys)


def test_a_backup_is_not_read_whatever_the_clock_of_the_store_is(
    world: World, faults: Faults
) -> None:
    """The store has the time of this machine, long after that of the runs here."""
    made = run("old", NOW - timedelta(hours=2))
    world.put(made.manifest_key, write_record(manifest(world.crash(made))))
    proxy = faults.http(world.s3.port)
    world.sweep(endpoint=proxy.url)
    assert proxy.seen("GET", "manifests%2F|list-type")
    assert not proxy.seen("GET", r"/old/|-old/")


def test_an_object_whose_run_the_store_lost_stays_and_is_named(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    made = run("old", NOW - timedelta(hours=2))
    crashed = world.crash(made)
    world.put(crashed.keys[1], b"x")
    world.sweep()
    assert world.left() == {crashed.keys[1]}
    assert "started.json" in world.records_of(made)
    assert caplog.messages[-1] == "objects of a crashed run stay: they are no backup"
    assert caplog.records[-1].ksnapshot_fields["left"] == [crashed.keys[1]]  # type: ignore[attr-defined]


def test_a_store_that_lists_no_uploads_is_swept_of_objects(world: World, faults: Faults) -> None:
    crashed = [world.crash(run(name, NOW - timedelta(hours=2))) for name in ("old", "older")]
    proxy = faults.http(world.s3.port)
    unknown = b"<Error><Code>NotImplemented</Code><Message>no</Message></Error>"
    proxy.set(Rule(Status(501, unknown), "GET", r"\?uploads"))
    world.sweep(endpoint=proxy.url)
    assert world.left() == {one.keys[0] for one in crashed}
    # The uploads are still there to be found, as by keys or a store that may list them.
    world.sweep()
    assert world.left() == set()


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidObjectState"])
def test_one_run_that_cannot_be_read_keeps_no_other_from_being_swept(
    world: World, faults: Faults, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    crashed = world.crash(run("old", NOW - timedelta(hours=3)))
    unreadable = world.crash(run("unreadable", NOW - timedelta(hours=2)))
    proxy = faults.http(world.s3.port)
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    proxy.set(Rule(Status(403, body), "GET", r"unreadable/started\.json"))
    world.sweep(endpoint=proxy.url)
    assert world.left() == set(unreadable.keys)
    assert caplog.messages == ["a run's folder is not swept", "swept what a crashed run left"]
    assert crashed.run == caplog.records[-1].ksnapshot_fields["run"]  # type: ignore[attr-defined]


def test_all_records_of_a_crashed_run_go_but_the_tombstone(world: World) -> None:
    made = run("old", NOW - timedelta(hours=2))
    world.crash(made)
    failed = FailedRecord(run="old", finished=NOW, exit_code=10, reason="r", message="m")
    world.put(made.failed_key, write_record(failed))
    world.sweep()
    assert world.records_of(made) == ["manifest.json"]


def test_a_tombstone_stays_for_60_days(world: World) -> None:
    made, backup = (run(name, NOW - timedelta(hours=2)) for name in ("old", "backup"))
    tombstone = make_tombstone(
        write_record(record(made, world.bucket)), removal=Removal.SWEPT, removed=NOW
    )
    assert isinstance(tombstone, Tombstone)
    world.put(made.manifest_key, write_record(tombstone))
    world.put(backup.manifest_key, b"{}")
    for days, left in ((59, ["manifest.json"]), (60, ["manifest.json"]), (61, [])):
        world.sweep(now=NOW + timedelta(days=days))
        assert world.records_of(made) == left
    assert world.records_of(backup) == ["manifest.json"]


def test_a_removal_of_a_tombstone_that_was_interrupted_goes_on(world: World) -> None:
    """It has become that of a deletion then, before which no copy begins."""
    alone, beside = (run(name, NOW - timedelta(hours=2)) for name in ("alone", "beside"))
    for made in (alone, beside):
        body = write_record(record(made, world.bucket))
        tombstone = make_tombstone(body, removal=Removal.PRUNED, removed=NOW)
        assert isinstance(tombstone, Tombstone)
        world.put(made.manifest_key, write_record(tombstone))
    # A run that was suspended may still say that it failed.
    world.put(beside.failed_key, b"{}")
    for days, left in ((60, ["manifest.json"]), (61, [])):
        world.sweep(now=NOW + timedelta(days=days))
        assert world.records_of(alone) == left
        assert world.records_of(beside) == (left and ["failed.json", *left])


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that ignores conditions."""
    put = S3Bucket.put

    def put_always(self: S3Bucket, key: str, body: bytes, *, only_new: bool) -> None:
        put(self, key, body, only_new=False)

    monkeypatch.setattr(S3Bucket, "put", put_always)


@pytest.mark.usefixtures("careless")
def test_a_store_that_ignores_conditions_is_swept_a_day_later(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    made = run("old", NOW - timedelta(hours=24))
    crashed = world.crash(made)
    world.sweep()
    assert world.left() == set(crashed.keys)
    [message] = caplog.messages
    assert message.startswith("sweep put off: the store does not refuse to write a key twice")
    world.sweep(now=NOW + timedelta(hours=2))
    assert world.left() == set()
    assert world.tombstone(made).buried == crashed


@pytest.mark.usefixtures("careless")
def test_a_backup_is_not_overwritten_where_conditions_are_ignored(world: World) -> None:
    made = run("old", NOW - timedelta(hours=48))
    crashed = world.crash(made)
    world.put(made.manifest_key, b"{}")
    world.sweep()
    assert world.left() == set(crashed.keys)
    assert world.s3.read(world.bucket, made.manifest_key) == b"{}"


def test_a_run_that_was_swept_cannot_commit(dumper: Dumper, world: World, faults: Faults) -> None:
    """A suspended run that wakes up finds the tombstone where its manifest goes."""
    proxy = faults.http(world.s3.port)
    proxy.set(Rule(Hang(seconds=3, of="request"), "PUT", r"manifest\.json"))
    dumper.start(BACKEND_S3_ENDPOINT=proxy.url)
    wait_until(
        lambda: bool(proxy.seen("PUT", r"manifest\.json")), seconds=120, what="the manifest's PUT"
    )
    [started] = [key for key in world.s3.objects(world.bucket) if key.endswith("started.json")]
    body = world.s3.read(world.bucket, started)
    tombstone = make_tombstone(body, removal=Removal.SWEPT, removed=NOW)
    assert isinstance(tombstone, Tombstone)
    world.put(started.replace("started.json", "manifest.json"), write_record(tombstone))
    ended = dumper.wait()
    assert ended.exit_code == ExitCode.STORAGE_FAILED, ended.log
    assert "a tombstone: a later run took this one for crashed" in ended.result.message
    failed = read_record(world.s3.read(world.bucket, started.replace("started", "failed")))
    assert isinstance(failed, FailedRecord)
    assert failed.message == ended.result.message


def test_a_dump_sweeps(dumper: Dumper, world: World) -> None:
    dumper.env["BACKEND_PATH"] = "p"
    dumper.env |= {"KSNAPSHOT_CLUSTER": "c", "KSNAPSHOT_CRONJOB": "cj"}
    made = run("old", datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2))
    crashed = world.crash(made)
    ended = dumper.run()
    assert ended.exit_code == 0, ended.log
    assert ended.lines("swept what a crashed run left")[0]["run"] == "old"
    assert world.left() == set(ended.result.keys)
    assert not world.left() & set(crashed.keys)
