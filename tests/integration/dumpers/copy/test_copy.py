"""Copies a backup between two buckets of a real S3 server."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dumpers.contract.restore.result import BackupResult
from dumpers.contract.retention.jobs import PruneJob
from dumpers.contract.storages.named_storage import NamedStorage
from dumpers.contract.storages.object_lock import ObjectLock
from dumpers.repository.added_records import Copied
from dumpers.repository.catalogue import State
from dumpers.repository.record_json import make_tombstone, read_record, seal, write_record
from dumpers.repository.records import (
    FingerprintRecord,
    Manifest,
    Removal,
    StartedRecord,
    Tombstone,
)
from dumpers.runs.fingerprints import fingerprints_in
from dumpers.runs.retention.prune import prune
from dumpers.runtime.errors import (
    BackupDamagedError,
    ConfigurationError,
    StorageFailedError,
    StorageRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.copy.copied_world import (
    CLUSTER,
    NOW,
    SOURCE_PATH,
    TARGET_PATH,
    World,
)
from tests.paths import REPOSITORY
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Cut, Rule
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.processes import peak_mib


@pytest.fixture
def world(s3: S3Server) -> World:
    return World.make(s3)


def test_a_copy_is_the_backup_in_another_place(world: World, s3: S3Server) -> None:
    result = world.copy()
    assert (result.backup, result.objects, result.message) == (world.run.id, 2, "")
    assert result.stored_bytes == sum(map(len, world.bodies))
    assert result.record == f"{world.prefix}manifest.json"
    entry = world.entry()
    assert entry is not None
    assert entry.state is State.COMPLETE
    # Pins and verdicts are of the bytes in the other place.
    assert (entry.pinned, entry.proof, entry.started) == (False, None, world.run.started)
    assert world.is_whole()
    names = {key.removeprefix(world.prefix) for key in s3.objects(world.target, world.prefix)}
    assert names == {"started.json", "fingerprint.json", "copied.json", "manifest.json"}
    manifest = read_record(s3.read(world.target, f"{world.prefix}manifest.json"))
    assert isinstance(manifest, Manifest)
    assert manifest.begun.bucket == world.target
    prints = s3.read(world.target, f"{world.prefix}fingerprint.json")
    assert isinstance(read_record(prints), FingerprintRecord)
    assert manifest.fingerprint == hashlib.sha256(prints).hexdigest()
    assert set(fingerprints_in(prints, sha256=manifest.fingerprint) or ()) == set(world.copies())
    copied = read_record(s3.read(world.target, f"{world.prefix}copied.json"))
    assert copied == Copied(
        run=world.run.id, copied=NOW, storage="main", bucket=world.source, by="jane"
    )
    assert s3.uploads(world.target) == []


@pytest.mark.parametrize("is_behind_a_tombstone", [False, True])
def test_a_copy_is_locked_from_its_own_time_on(
    s3: S3Server, *, is_behind_a_tombstone: bool
) -> None:
    world = World.make(s3, lock=ObjectLock(mode="GOVERNANCE", days=1))
    if is_behind_a_tombstone:
        world.put(world.target, f"{world.prefix}manifest.json", _tombstone(world, s3))
    # The backup is older than the lock is long.
    began = datetime.now(UTC).replace(microsecond=0)
    assert world.run.started < began - timedelta(days=1)
    world.copy(now=began)
    records = [f"{world.prefix}{name}" for name in ("fingerprint.json", "manifest.json")]
    for key in (*world.copies(), *records):
        head = s3.client().head_object(Bucket=world.target, Key=key)
        assert head.get("ObjectLockRetainUntilDate") == began + timedelta(days=1), key
        assert head["ObjectLockMode"] == "GOVERNANCE"


def test_what_is_locked_too_briefly_is_sent_again(s3: S3Server, faults: Faults) -> None:
    world = World.make(s3, lock=ObjectLock(mode="GOVERNANCE", days=9))
    began = datetime.now(UTC).replace(microsecond=0)
    proxy = faults.http(s3.port)
    proxy.set(Rule(Cut(of="request"), method="PUT", path=r".*/manifest\.json"))
    with pytest.raises(StorageFailedError):
        replace(world, lock=None).copy(target_url=proxy.url, now=began)
    world.copy(now=began)
    for key in world.copies():
        head = s3.client().head_object(Bucket=world.target, Key=key)
        assert head.get("ObjectLockRetainUntilDate") == began + timedelta(days=9), key


def test_what_is_there_already_is_left_as_it_is(world: World, s3: S3Server) -> None:
    world.copy()
    before = s3.read(world.target, f"{world.prefix}manifest.json")
    result = world.copy(now=NOW + timedelta(days=1))
    assert result.succeeded
    assert result.message == "it was there already, and nothing was written"
    assert s3.read(world.target, f"{world.prefix}manifest.json") == before


def test_another_backup_under_the_id_is_not_replaced(world: World, s3: S3Server) -> None:
    world.copy()
    key = f"{world.prefix}manifest.json"
    manifest = read_record(s3.read(world.target, key))
    assert isinstance(manifest, Manifest)
    document = json.loads(write_record(manifest))
    document["objects"].pop()
    other = write_record(_read(document))
    world.put(world.target, key, other)
    with pytest.raises(StorageRefusedError, match="off-site holds another backup"):
        world.copy()
    assert s3.read(world.target, key) == other


@pytest.mark.parametrize("run", ["another", ""])
def test_an_object_of_another_run_is_not_replaced(world: World, s3: S3Server, run: str) -> None:
    key = world.copies()[1]
    world.put(world.target, key, b"of another", run=run)
    with pytest.raises(StorageRefusedError, match="it was left as it is"):
        world.copy()
    assert s3.read(world.target, key) == b"of another"
    entry = world.entry()
    assert entry is not None
    assert not entry.is_restorable


@pytest.mark.parametrize("place", ["begun", "objects"])
def test_a_forged_manifest_names_no_others_keys(world: World, s3: S3Server, place: str) -> None:
    """It fits its own digest, and what it names lies in the source."""
    others = "manifests/c/other/20260529T120000Z-1/manifest.json"
    document = json.loads(s3.read(world.source, world.run.manifest_key))
    body = s3.read(world.source, world.keys[1])
    world.put(world.source, f"{SOURCE_PATH}/{others}", body, run=world.run.id)
    document["objects"][1]["key"] = f"{SOURCE_PATH}/{others}"
    if place == "begun":
        document["keys"][1] = f"{SOURCE_PATH}/{others}"
    world.put(world.source, world.run.manifest_key, seal(document))
    world.put(world.target, f"{TARGET_PATH}/{others}", b"{}")
    with pytest.raises(BackupDamagedError):
        world.copy()
    assert s3.objects(world.target) == {f"{TARGET_PATH}/{others}": 2}
    assert s3.read(world.target, f"{TARGET_PATH}/{others}") == b"{}"


def test_a_copy_whose_object_is_gone_is_not_taken_for_one(world: World, s3: S3Server) -> None:
    world.copy()
    s3.client().delete_object(Bucket=world.target, Key=world.copies()[1])
    with pytest.raises(StorageRefusedError, match="is not there as it was stored"):
        world.copy()


@pytest.mark.parametrize("body", [b"two" * 998 + b"tow", b"two" * 998, b"two" * 1001])
def test_a_damaged_object_is_not_copied(world: World, s3: S3Server, body: bytes) -> None:
    world.put(world.source, world.keys[1], body, run=world.run.id)
    with pytest.raises(BackupDamagedError, match="dump-1 is not what was stored"):
        world.copy()
    assert world.copies()[1] not in s3.objects(world.target)
    assert s3.uploads(world.target) == []
    entry = world.entry()
    assert entry is not None
    assert (entry.state, entry.is_restorable) == (State.FAILED, False)
    assert "BackupDamaged" in entry.why


def test_a_fingerprint_that_was_changed_is_not_copied(world: World) -> None:
    world.put(world.source, world.run.fingerprint_key, b"{}")
    with pytest.raises(BackupDamagedError, match=r"fingerprint\.json"):
        world.copy()


def test_there_is_no_such_backup(world: World, s3: S3Server) -> None:
    with pytest.raises(ConfigurationError, match="there is no backup 'x'"):
        world.copy(backup="x")
    assert s3.objects(world.target) == {}


def test_a_repeated_copy_sends_only_what_is_not_there(
    world: World, s3: S3Server, faults: Faults
) -> None:
    proxy = faults.http(s3.port)
    # The manifest does not get through.
    proxy.set(Rule(Cut(of="request"), method="PUT", path=r".*/manifest\.json"))
    with pytest.raises(StorageFailedError):
        world.copy(target_url=proxy.url)
    entry = world.entry()
    assert entry is not None
    assert not entry.is_restorable
    proxy.clear()
    begun = len(proxy.settled())
    assert world.copy(target_url=proxy.url).succeeded
    assert not [item for item in proxy.settled()[begun:] if item.method == "POST"]
    assert world.is_whole()


def test_a_run_that_was_swept_there_may_be_copied(world: World, s3: S3Server) -> None:
    world.put(world.target, f"{world.prefix}manifest.json", _tombstone(world, s3))
    assert world.copy().succeeded
    entry = world.entry()
    assert entry is not None
    assert entry.state is State.COMPLETE
    assert world.is_whole()


def test_what_a_killed_copy_left_is_swept(world: World, s3: S3Server, faults: Faults) -> None:
    world.put(world.target, f"{world.prefix}manifest.json", _tombstone(world, s3))
    proxy = faults.http(s3.port)
    proxy.set(Rule(Cut(of="request"), method="PUT", path=r".*/copied\.json"))
    with pytest.raises(StorageFailedError):
        world.copy(target_url=proxy.url)
    assert set(world.copies()) <= set(s3.objects(world.target))
    for hours, expected in ((1, True), (2, False)):
        location = NamedStorage(name="off-site", location=world.location(world.target))
        job = PruneJob(
            storages=(location,),
            host="pod",
            cluster=CLUSTER,
            workload="",
            cronjob="",
            deadline=None,
            floor="none",
            dry_run=False,
        )
        moment = NOW + timedelta(hours=hours)
        prune(job, interrupt=Interrupt(), now=lambda: moment, emit=lambda _: None)  # noqa: B023
        assert (set(world.copies()) <= set(s3.objects(world.target))) is expected
    assert set(s3.objects(world.target, f"{TARGET_PATH}/2026")) == set()


def test_a_large_object_needs_little_memory(s3: S3Server, tmp_path: Path) -> None:
    body = bytes(range(256)) * (192 << 12)
    world = World.make(s3, [body])
    written = tmp_path / "termination-log"
    process = subprocess.Popen(
        [sys.executable, "-m", "dumpers", "copy"],
        cwd=REPOSITORY,
        env=world.env() | {"KSNAPSHOT_TERMINATION_LOG": str(written)},
        stderr=subprocess.DEVNULL,
    )
    peak = peak_mib(process)
    result = BackupResult.from_json(written.read_text())
    assert (process.returncode, result.succeeded) == (0, True), result
    assert s3.objects(world.target)[world.copies()[0]] == len(body)
    # The object has 192 MiB, and the bound is that of dumps.
    assert 0 < peak <= 150


def _tombstone(world: World, s3: S3Server) -> bytes:
    """That of the same run, which crashed in the target, and whose sweep has ended."""
    source = s3.read(world.source, world.run.started_key)
    begun = read_record(source)
    assert isinstance(begun, StartedRecord)
    document = json.loads(source) | {"bucket": world.target, "keys": world.copies()}
    made = make_tombstone(json.dumps(document).encode(), removal=Removal.SWEPT, removed=NOW)
    assert isinstance(made, Tombstone)
    return write_record(made)


def _read(document: dict[str, object]) -> Manifest:
    found = read_record(seal(document))
    assert isinstance(found, Manifest)
    return found
