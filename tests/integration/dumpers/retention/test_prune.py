"""Prunes of a real S3 server: what goes, what stays and is said to, and what nothing can hide."""

import re
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dumpers.contract.restore.jobs import BackupJob
from dumpers.repository.added_records import CheckedObject, Pin, Verification
from dumpers.repository.catalogue import State
from dumpers.repository.keys import PINNED, records_prefix
from dumpers.repository.record_json import make_tombstone, write_record
from dumpers.repository.records import Removal, Tombstone
from dumpers.repository.removal.burial import Undertaker
from dumpers.repository.removal.folders import Folder, read_folders
from dumpers.repository.removal.store_traits import StoreTraits
from dumpers.runs.retention.marks import accept
from dumpers.runtime.errors import ConfigurationError, InterruptedRunError, StorageFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.run_storage import RunStorage
from tests.integration.dumpers.retention.pruned_world import CLUSTER, NOW, World, fill
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Hang, Rule, Status
from tests.testbed.stores.s3 import DELETE, READ, WRITE, S3Server
from tests.testbed.toolchain.processes import wait_until

READS = {"GET", "HEAD"}
OF_VERSIONS = "s3:DeleteObjectVersion"
PAGE = b"<html>please log in</html>"


def gone(documents: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The verdicts of those that may be deleted."""
    return [item for item in documents if item["prune"] == "verdict" and not item["keep"]]


def swept(documents: list[Mapping[str, Any]]) -> list[tuple[str, int, int]]:
    """The crashed runs that are cleared away, with what they left."""
    return [
        (item["id"], item["objects"], item["bytes"])
        for item in documents
        if item["prune"] == "sweep"
    ]


@pytest.fixture
def world(s3: S3Server, bucket: str) -> World:
    return World(s3=s3, bucket=bucket)


def test_a_prune_deletes_what_is_covered_and_nothing_else(world: World, faults: Faults) -> None:
    proxy = faults.http(fill(world).s3.port)
    before = world.left()
    foreseen, planned = world.prune(url=proxy.url, dry_run=True)
    assert {seen.method for seen in proxy.settled()} == READS
    assert world.left() == before
    result, documents = world.prune(url=proxy.url)
    assert result.succeeded
    assert documents[-1] == {
        "prune": "end",
        "workloads": 4,
        "kept": 8,
        "deleted": 7,
        "freed_bytes": 150,
        "held_back": 2,
        "shrunk": 2,
        "left": 0,
        "swept": 1,
        "dry_run": False,
    }
    assert (foreseen.deleted, foreseen.kept, foreseen.shrunk, foreseen.swept) == (7, 8, 2, 1)
    assert gone(planned) == gone(documents) != []
    assert swept(planned) == swept(documents) == [("delta-2", 1, 10)]
    assert world.ids() == {
        *("alpha-0", "alpha-1", "alpha-4", "beta-0"),
        *("gamma-0", "gamma-1", "gamma-2", "delta-0"),
    }
    assert {item.state for item in world.entries()} == {State.COMPLETE, State.SWEPT}
    assert world.unreadable() == []
    assert result.held_back_cronjobs == result.shrunk_cronjobs == ("gamma",)
    again, _ = world.prune()
    assert (again.deleted, again.swept, again.kept) == (0, 0, 8)


def test_the_floor_comes_from_nowhere_but_the_setting(world: World) -> None:
    for days in range(4):
        world.backup("alpha", days, policy="keep-last=1")
    world.store()
    with pytest.raises(ConfigurationError, match="KSNAPSHOT_RETENTION_FLOOR is wrong in column 1"):
        world.prune(floor="keep-most=3")
    assert world.prune(floor="keep-last=3")[0].deleted == 1
    assert world.ids() == {"alpha-0", "alpha-1", "alpha-2"}


def test_a_size_that_is_accepted_covers_again(world: World) -> None:
    fill(world)
    world.prune()
    job = BackupJob(
        storages=world.storages(),
        host="pod",
        cluster=CLUSTER,
        workload="",
        cronjob="gamma",
        deadline=None,
        backup="gamma-0",
        requested_by="me",
    )
    done = accept(job, interrupt=Interrupt(), now=lambda: NOW)
    assert done.record.endswith("gamma-0/accepted.json")
    result, _ = world.prune()
    assert (result.deleted, result.shrunk, result.held_back) == (2, 0, 0)
    assert {name for name in world.ids() if name.startswith("gamma")} == {"gamma-0"}


def test_what_is_shrunk_stays_so_when_what_showed_it_is_gone(world: World) -> None:
    fill(world)
    world.prune()
    for key in world.s3.objects(world.bucket, "p/manifests/c/gamma/"):
        if "gamma-2" in key:
            world.s3.client().delete_object(Bucket=world.bucket, Key=key)
    assert world.prune()[0].shrunk == 2


def test_a_proof_that_the_store_does_not_give_covers_nothing(world: World) -> None:
    """An object of the newest backup is gone: nothing is deleted for it, and nothing recorded."""
    fill(world)
    world.s3.client().delete_object(Bucket=world.bucket, Key="p/dump-beta-0-1")
    world.prune()
    proved = {key.split("/")[4] for key in world.left() if key.endswith("checked.json")}
    assert [name for name in proved if "beta" in name] == ["20260531T120000Z-beta-1"]
    assert {name for name in world.ids() if name.startswith("beta")} == {"beta-0", "beta-1"}


def test_a_workload_that_verifies_deletes_only_what_a_backup_that_was_read_covers(
    world: World,
) -> None:
    for days in range(4):
        world.backup("alpha", days, policy="keep-last=1", proof="read", read=days == 2)
        world.backup("beta", days, policy="keep-last=1", read=days == 2)
        world.backup("gamma", days, policy="keep-last=1", proof="seance", read=True)
    world.store()
    result, documents = world.prune()
    assert world.ids() == {
        *("alpha-0", "alpha-1", "alpha-2", "beta-0"),
        *(f"gamma-{days}" for days in range(4)),
    }
    assert (result.held_back, result.held_back_cronjobs) == (2, ("alpha",))
    reasons = {item["id"]: item["reasons"] for item in documents if item["prune"] == "verdict"}
    assert reasons["alpha-1"] == reasons["alpha-2"] == ["ProofMissing"]
    [fault] = [
        item["fault"] for item in documents if item.get("cronjob") == "gamma" and "fault" in item
    ]
    assert "the proof 'seance'" in fault


def test_errors_of_one_cronjob_keep_no_other_from_being_pruned(
    world: World, faults: Faults
) -> None:
    proxy = faults.http(fill(world).s3.port)
    proxy.set(Rule(Status(403), "GET", "/alpha/.*manifest"))
    result, documents = world.prune(url=proxy.url)
    assert (result.succeeded, result.exit_code, result.workloads) == (False, 21, 3)
    assert result.failed_cronjobs == ("alpha",)
    assert "alpha were not pruned to the end" in result.message
    assert [item for item in documents if item["prune"] == "end"] == []
    assert world.ids() >= {"alpha-5", "beta-0"}
    assert "beta-2" not in world.ids()


def test_keys_that_may_not_delete_change_no_backup(world: World, s3: S3Server) -> None:
    fill(world)
    user = s3.create_user(f"user{secrets.token_hex(4)}")
    s3.allow(world.bucket, {user.access: (*READ, *WRITE)})
    before = world.ids()
    result, _ = world.prune(keys=user)
    assert (result.succeeded, result.exit_code, result.deleted) == (False, 21, 0)
    assert world.ids() == before


@pytest.mark.parametrize("code", [501, 405])
def test_a_store_that_deletes_one_by_one(world: World, faults: Faults, code: int) -> None:
    proxy = faults.http(fill(world).s3.port)
    proxy.set(Rule(Status(code), "POST", "delete"))
    assert world.prune(url=proxy.url)[0].deleted == 7
    assert len(proxy.settled("POST", r"\?delete")) == 1
    assert world.unreadable() == []
    assert len(world.ids()) == 8


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "delete", PAGE),
        ("POST", "delete", b"<DeleteResult></DeleteResult>"),
        ("DELETE", "probe.json", PAGE),
        ("PUT", "manifest.json", PAGE),
        ("GET", "manifest.json$", PAGE),
        ("HEAD", "manifest.json", b""),
    ],
)
def test_a_success_that_is_not_the_stores_is_none(
    world: World, faults: Faults, method: str, path: str, body: bytes
) -> None:
    proxy = faults.http(fill(world).s3.port)
    proxy.set(Rule(Status(200, body), method, path))
    assert world.prune(url=proxy.url)[0].deleted == 0
    assert world.unreadable() == []
    world.prune()
    assert world.unreadable() == []
    assert len(world.ids()) == 8


@pytest.mark.parametrize("body", [b"", PAGE])
@pytest.mark.parametrize("what", ["delimiter=", "list-type=2&prefix=[^&]*manifests"])
def test_a_list_that_is_not_the_stores_is_not_taken_for_an_empty_one(
    world: World, faults: Faults, what: str, body: bytes
) -> None:
    proxy = faults.http(fill(world).s3.port)
    proxy.set(Rule(Status(200, body), "GET", what))
    before = world.ids()
    with pytest.raises(StorageFailedError, match="and no list"):
        world.prune(url=proxy.url)
    assert world.ids() == before


def test_a_store_that_ignores_conditions_keeps_what_may_still_be_written(
    world: World, faults: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    """Within a day past the deadline a run may be suspended, and write its manifest later."""
    for days in range(3):
        world.backup("alpha", days, policy="keep-last=1")
    world.store()
    proxy = faults.http(world.s3.port)
    proxy.set(Rule(Status(200, headers=(("ETag", '"e"'),)), "PUT", "probe", nth=2))
    result, documents = world.prune(url=proxy.url)
    assert world.ids() == {"alpha-0", "alpha-1"}
    assert (result.deleted, result.left) == (1, 1)
    assert "ignores conditions" in documents[-2]["left"][0]["why"]
    assert any("condition does not hold" in text for text in caplog.messages)


def test_a_backup_stays_whole_where_nothing_proves_the_run_of_its_objects(world: World) -> None:
    world.backup("alpha", 0, policy="keep-last=1")
    world.backup("alpha", 1, owner="")
    world.backup("alpha", 2, owner="another")
    world.store()
    result, documents = world.prune()
    assert (result.deleted, result.left) == (1, 2)
    left = {item["key"] for item in documents[-2]["left"]}
    assert left == {"p/dump-alpha-1-0", "p/dump-alpha-1-1"}
    # What another run has written since is not ours to name.
    assert world.left() >= left | {"p/dump-alpha-2-0"}
    assert world.ids() == {"alpha-0", "alpha-1"}


def test_a_backup_whose_objects_were_deleted_by_hand_covers_nothing(world: World) -> None:
    for days in range(3):
        world.backup("alpha", days, policy="keep-last=1")
    world.store()
    world.s3.client().delete_object(Bucket=world.bucket, Key="p/dump-alpha-0-1")
    for dry_run in (True, False):
        result, _ = world.prune(dry_run=dry_run)
        assert (result.deleted, result.kept, result.held_back) == (0, 3, 2)
    assert world.ids() == {"alpha-0", "alpha-1", "alpha-2"}


def test_what_changed_since_it_was_judged_is_kept(world: World) -> None:
    def folders() -> dict[str, Folder]:
        found = read_folders(storage, prefix, now=lambda: NOW)
        return {folder.entry.id: folder for folder in found.values()}

    runs = [world.backup("alpha", days) for days in range(5)]
    world.store()
    prefix = records_prefix(path="p", cluster=CLUSTER, cronjob="alpha")
    with RunStorage(world.location(), run="t", interrupt=Interrupt()) as storage:
        traits = StoreTraits(storage=storage, path="p", cluster=CLUSTER)
        undertaker = Undertaker(storage=storage, traits=traits, now=NOW, is_asked=False)
        judged, client = folders(), world.s3.client()

        def put(key: str, body: bytes) -> None:
            client.put_object(Bucket=world.bucket, Key=key, Body=body)

        put(f"{runs[4].record_prefix}pinned.json", write_record(Pin(run="x", pinned=NOW, by="")))
        put(runs[3].manifest_key, world.bodies[runs[1].manifest_key][0])
        wrong = CheckedObject(key="k", size=0, sha256="", good=False)
        found = Verification(run="alpha-0", method="read-back", finished=NOW, objects=(wrong,))
        put(runs[0].verification_key(NOW, good=False), write_record(found))
        for name, cover in (
            ("alpha-4", ""),
            ("alpha-3", ""),
            ("alpha-2", "alpha-0"),
            ("alpha-2", "alpha-3"),
        ):
            burial = undertaker.bury(judged[name], cover=judged[cover] if cover else None)
            assert not burial.is_done, (name, cover)
        assert undertaker.bury(judged["alpha-2"], cover=judged["alpha-1"]).is_done
    kept = {f"p/dump-alpha-{days}-{part}" for days in (0, 1, 3, 4) for part in range(2)}
    assert world.s3.objects(world.bucket, "p/dump-").keys() == kept


def test_a_record_that_is_written_as_the_tombstone_goes_goes_too(
    world: World, s3: S3Server, faults: Faults
) -> None:
    world.backup("alpha", 0, policy="keep-last=1")
    run = world.backup("alpha", 1)
    world.store()
    tombstone = re.escape(run.manifest_key)
    proxy = faults.http(s3.port)
    proxy.set(Rule(Hang(3.0, of="request"), "DELETE", tombstone))
    with ThreadPoolExecutor(1) as pool:
        pruning = pool.submit(world.prune, url=proxy.url)
        wait_until(
            lambda: proxy.seen("DELETE", tombstone), seconds=60, what="the tombstone's deletion"
        )
        pin = write_record(Pin(run=run.id, pinned=NOW, by="me"))
        s3.client().put_object(Bucket=world.bucket, Key=f"{run.record_prefix}{PINNED}", Body=pin)
        assert len(s3.objects(world.bucket, run.record_prefix)) == 2
        result, _ = pruning.result()
    assert (result.deleted, result.left) == (1, 0)
    assert s3.objects(world.bucket, run.record_prefix) == {}
    assert [(item.id, item.state) for item in world.entries()] == [("alpha-0", State.COMPLETE)]


def test_a_bucket_that_keeps_versions(s3: S3Server) -> None:
    world = World(s3=s3, bucket=s3.create_bucket(f"b-{secrets.token_hex(4)}", versions=True))
    world.backup("alpha", 0, policy="keep-last=1")
    world.backup("alpha", 1)
    world.store()
    foreseen, _ = world.prune(dry_run=True)
    result, documents = world.prune()
    assert (result.deleted, result.freed_bytes, result.left) == (1, 0, 2)
    assert (foreseen.deleted, foreseen.freed_bytes, foreseen.left) == (1, 0, 2)
    assert documents[-2]["left"][0]["why"] == "the bucket keeps old versions"
    assert world.ids() == {"alpha-0"}
    assert world.prune()[0].left == 0
    kept = s3.client().list_object_versions(Bucket=world.bucket, Prefix="p/manifests/c/probe.json")
    assert kept.get("Versions", []) + kept.get("DeleteMarkers", []) == []


@pytest.mark.parametrize(
    "rights", [(*READ, *WRITE, *DELETE), (*READ, *WRITE, *DELETE, OF_VERSIONS)]
)
def test_keys_that_may_not_delete_versions_prune_all_the_same(
    s3: S3Server, rights: tuple[str, ...]
) -> None:
    world = World(s3=s3, bucket=s3.create_bucket(f"b-{secrets.token_hex(4)}", versions=True))
    world.backup("alpha", 0, policy="keep-last=1")
    world.backup("alpha", 1)
    world.store()
    user = s3.create_user(f"user{secrets.token_hex(4)}")
    s3.allow(world.bucket, {user.access: rights})
    result, _ = world.prune(keys=user)
    assert (result.succeeded, result.deleted) == (True, 1)
    kept = s3.client().list_object_versions(Bucket=world.bucket, Prefix="p/manifests/c/probe.json")
    count = 0 if OF_VERSIONS in rights else 1
    assert [len(kept.get(name, [])) for name in ("Versions", "DeleteMarkers")] == [count, count]


def test_locked_backups_stay_until_the_lock_ends(s3: S3Server) -> None:
    world = World(s3=s3, bucket=s3.create_bucket(f"b-{secrets.token_hex(4)}", locks=True))
    for days in range(3):
        world.backup("alpha", days, policy="keep-last=1")
    world.store()
    until = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    client, at = s3.client(), {"Bucket": world.bucket, "Key": "p/dump-alpha-1-1"}
    client.put_object_retention(**at, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until})
    result, documents = world.prune()
    assert world.ids() == {"alpha-0", "alpha-1"}
    locked = {"key": at["Key"], "until": "2030-01-02T03:04:05Z", "why": "the store has locked it"}
    assert locked in documents[-2]["left"]
    assert result.deleted == 1
    assert world.prune(now=until + timedelta(seconds=1))[0].deleted == 1
    assert world.ids() == {"alpha-0"}


def test_a_rehearsal_names_the_runs_that_would_be_cleared_away_and_no_others(
    world: World, s3: S3Server
) -> None:
    crashed = world.crashed("alpha", 2)
    world.failed("alpha", 1)
    world.failed("alpha", 0)
    world.crashed("alpha", 4, deadline=None)
    begun = world.crashed("alpha", 3)
    world.store()
    s3.client().create_multipart_upload(Bucket=world.bucket, Key=f"p/dump-{crashed.id}-1")
    # A sweep that was interrupted behind its tombstone.
    body, _ = world.bodies[begun.started_key]
    tombstone = make_tombstone(body, removal=Removal.SWEPT, removed=NOW)
    assert isinstance(tombstone, Tombstone)
    for name in ("manifest.json", "sweeping.json"):
        key = f"{begun.record_prefix}{name}"
        s3.client().put_object(Bucket=world.bucket, Key=key, Body=write_record(tombstone))
    before = world.left()
    foreseen, planned = world.prune(dry_run=True)
    assert world.left() == before
    result, documents = world.prune()
    assert [item for item in planned if item["prune"] == "sweep"] == [
        item for item in documents if item["prune"] == "sweep"
    ]
    assert swept(planned) == [("alpha-3", 1, 10), ("alpha-2", 1, 10), ("alpha-1", 1, 10)]
    assert (foreseen.swept, result.swept) == (3, 3)
    assert {key for key in world.left() if "/dump-" in key} == {
        *("p/dump-alpha-0-0", "p/dump-alpha-4-0")
    }


def test_a_prune_that_is_told_to_stop(world: World) -> None:
    fill(world)
    before = world.left()
    interrupt = Interrupt(work="prune")
    interrupt.cancel("SIGTERM")
    with pytest.raises(InterruptedRunError, match="stopped by SIGTERM before the prune"):
        world.prune(interrupt=interrupt)
    assert world.left() == before
