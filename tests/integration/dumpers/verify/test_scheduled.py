"""Verifications on a schedule, of backups in a real S3 server."""

import gzip
import secrets
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyrage
import pytest

from dumpers.contract.verify.result import VerifyResult
from dumpers.repository.catalogue import State
from dumpers.repository.keys import Run
from dumpers.repository.record_json import read_record, write_record
from dumpers.repository.records import Encryption, Manifest
from dumpers.runs.identities import read_identities
from dumpers.runs.verify.verifier import Verifier
from dumpers.runtime.errors import EncryptionError, ExitCode
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.run_storage import RunStorage
from tests.integration.dumpers.verify.verified_world import NOW, World
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Cut, Fault, Hang, Rule, Status
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.stores.s3 import READ, S3Server
from tests.testbed.toolchain.processes import wait_until

KEY, OTHER = (str(pyrage.x25519.Identity.generate()) for _ in range(2))


def recipient(key: str) -> str:
    return str(pyrage.x25519.Identity.from_str(key).to_public())


@pytest.fixture
def world(s3: S3Server, bucket: str, tmp_path: Path) -> World:
    return World(s3=s3, bucket=bucket, folder=tmp_path)


def test_where_there_is_no_backup_nothing_is_read_and_that_is_said(world: World) -> None:
    for sample in ("", "1/7"):
        result = world.verify(sample)
        assert (result.succeeded, result.exit_code, result.reason) == (True, 0, "Succeeded")
        assert result.message == "there was no backup that can be restored: nothing was read"
        assert (result.verified, result.backups, result.oldest_unread) == (0, (), "")
        assert result.newest_verified == ""
        assert result.finished


def test_without_a_sample_the_newest_is_read_each_time(world: World) -> None:
    world.backup(1)
    run = world.backup(0)
    for _ in range(2):
        result = world.verify()
        assert (result.succeeded, result.message) == (True, "")
        assert (result.verified, result.damaged, result.backups) == (1, 0, ("d0",))
        assert (result.oldest_unread, result.newest_verified) == ("2026-05-31T12:00:00Z", "d0")
        sizes = world.s3.objects(world.bucket, "ksnapshot/dump-d0")
        assert result.stored_bytes == sum(sizes.values())
    assert len([key for key in world.s3.objects(world.bucket) if "/verified-" in key]) == 2
    [*objects] = world.verdicts()["d0"]["objects"]
    assert [item["key"] for item in objects] == [f"ksnapshot/dump-{run.id}-{n}" for n in (0, 1)]
    assert all(item.keys() == {"key", "size", "sha256", "good"} for item in objects)
    assert world.methods() == {"d0": ("decoded", True)}


def test_a_sample_reads_everything_in_as_many_runs(world: World) -> None:
    for days in range(6):
        world.backup(days)
    read = [world.verify("1/3") for _ in range(3)]
    assert [result.backups for result in read] == [("d0", "d4", "d5"), ("d2", "d3"), ("d0", "d1")]
    assert [result.oldest_unread[8:10] for result in read] == ["29", "31", ""]
    assert world.methods() == {f"d{days}": ("decoded", True) for days in range(6)}
    assert world.verify("1/1").verified == 6


def test_what_is_encrypted_is_decoded_with_a_key_and_else_compared_as_it_is_stored(
    world: World,
) -> None:
    world.backup(0, recipient(KEY))
    world.backup(1)
    assert world.verify("1/1").succeeded
    assert world.methods() == {"d0": ("read-back", True), "d1": ("decoded", True)}
    assert world.verify("1/1", identity=world.identity("keys.txt", OTHER, KEY)).succeeded
    assert world.methods() == {"d0": ("decoded", True), "d1": ("decoded", True)}


def test_a_wrong_key_is_no_damage(world: World) -> None:
    world.backup(0, recipient(KEY))
    result = world.verify(identity=world.identity("keys.txt", OTHER))
    assert (result.exit_code, result.reason) == (ExitCode.ENCRYPTION, "EncryptionFailed")
    assert "the key in the identity file does not open ksnapshot/dump-d0" in result.message
    assert f"which is encrypted for {recipient(KEY)}" in result.message
    assert KEY not in result.message
    assert (result.verified, result.damaged) == (1, 0)
    assert world.methods() == {"d0": ("read-back", True)}
    assert world.entries()["d0"].is_restorable
    asked = world.verify_one(identity=world.folder / "keys.txt")
    assert (asked.exit_code, asked.reason) == (ExitCode.ENCRYPTION, "EncryptionFailed")
    assert f"what is stored is as it was sent: {asked.record}" in asked.message


def test_older_backups_may_be_for_others(world: World) -> None:
    world.backup(0, recipient(KEY))
    world.backup(1, recipient(OTHER))
    assert world.verify("1/1", identity=world.identity("keys.txt", KEY)).succeeded
    assert world.methods() == {"d0": ("decoded", True), "d1": ("read-back", True)}


@pytest.mark.parametrize("text", ["", "nonsense", "AGE-SECRET-KEY-1NONSENSE"])
def test_what_is_no_key_is_said_before_anything_is_read(world: World, text: str) -> None:
    world.backup(0)
    with pytest.raises(EncryptionError, match="the identity file") as raised:
        world.verify(identity=world.identity("keys.txt", text))
    assert "NONSENSE" not in str(raised.value)
    with pytest.raises(EncryptionError, match="cannot read the identity file: No such file"):
        world.verify(identity=world.folder / "absent")
    assert world.verdicts() == {}


def cut(body: bytes) -> bytes:
    return body[: len(body) // 2]


def flip(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def cut_tail(body: bytes) -> bytes:
    return body[:-1]


def append(body: bytes) -> bytes:
    return body + b"\0"


def empty(body: bytes) -> bytes:
    return body[:0]


def flip_head(body: bytes) -> bytes:
    return body[:60] + bytes([body[60] ^ 1]) + body[61:]


def gone(_: bytes) -> None:
    return None


DAMAGES = (cut, flip, cut_tail, append, empty, flip_head, gone)


@pytest.mark.parametrize("encrypted", ["", "with a key", "without a key"])
def test_damaged_backups_keep_no_other_from_being_read(world: World, encrypted: str) -> None:
    """The last object of each but the newest and the oldest is damaged in another way."""
    lengths: dict[str, int] = {}
    for days in range(len(DAMAGES) + 2):
        world.backup(days, recipient(KEY) if encrypted else "")
    for days, damage in enumerate(DAMAGES, 1):
        key = f"ksnapshot/dump-d{days}-1"
        body = damage(world.s3.read(world.bucket, key))
        if body is None:
            world.delete(key)
        else:
            world.put(key, body)
        lengths[f"d{days}"] = len(body or b"")
    identity = world.identity("keys.txt", KEY) if encrypted == "with a key" else None

    result = world.verify("1/1", identity=identity)
    assert (result.exit_code, result.reason) == (ExitCode.STORAGE_REFUSED, "BackupDamaged")
    assert (result.verified, result.damaged) == (2, 7)
    assert result.backups == tuple(f"d{days}" for days in range(9))
    assert (result.oldest_unread, result.newest_verified) == ("", "d0")
    found = world.verdicts()
    assert {run for run, document in found.items() if document["good"]} == {"d0", "d8"}
    assert found["d8"]["method"] == ("read-back" if encrypted == "without a key" else "decoded")
    for run, length in lengths.items():
        whole, broken = found[run]["objects"]
        assert whole["good"]
        assert (broken["size"], broken["good"]) == (length, False)
        assert world.entries()[run].state is State.DAMAGED
    # The oldest was read first, behind the newest.
    assert result.message.startswith(
        "7 backups are damaged: d7 of 2026-05-25T12:00:00Z, 1 of 2 objects, the first of them "
        "ksnapshot/dump-d7-1 (it is gone); d6 of "
    )
    assert "; and 2 more: that is said until each is deleted" in result.message
    # A result may get lost: the next one says it all again.
    again = world.verify()
    assert (again.exit_code, again.reason) == (ExitCode.STORAGE_REFUSED, "BackupDamaged")
    assert (again.verified, again.damaged, again.backups) == (1, 7, ("d0",))
    assert again.message.startswith(
        "7 backups are damaged: d1 of 2026-05-31T12:00:00Z (it reads differently since 2026-06-02T"
    )


@pytest.mark.parametrize("how", ["deleted", "verified"])
def test_damage_is_said_until_it_is_gone(world: World, how: str) -> None:
    runs = [world.backup(days) for days in range(3)]
    key = f"ksnapshot/dump-{runs[1].id}-0"
    whole = world.s3.read(world.bucket, key)
    world.put(key, b"other bytes")
    assert not world.verify_one("d1").succeeded
    for sample in ("", "1/7", ""):
        result = world.verify(sample)
        assert (result.reason, result.damaged) == ("BackupDamaged", 1)
        assert result.message.startswith("1 backup is damaged: d1 of 2026-05-31T12:00:00Z (it ")
        assert result.newest_verified == "d0"
    if how == "deleted":
        world.remove(runs[1])
    else:
        world.put(key, whole)
        assert world.verify_one("d1").succeeded
    result = world.verify()
    assert (result.succeeded, result.damaged, result.message) == (True, 0, "")


def test_damage_that_was_done_before_it_was_stored_is_found_by_decoding(world: World) -> None:
    """What is stored is as it was sent, and what is in it is not what the manifest says."""
    world.backup(0, recipient(KEY), source_sha256="0" * 64)
    world.backup(1, source_size=5)
    assert world.verify_one("d0").succeeded
    result = world.verify("1/1", identity=world.identity("keys.txt", KEY))
    assert (result.reason, result.damaged) == ("BackupDamaged", 2)
    found = world.verdicts()
    assert "sha256 unpacked: " in found["d0"]["objects"][0]["why"]
    assert found["d1"]["objects"][0]["why"] == "1048576 bytes unpacked, the manifest says 5"
    # Where that is all that there is, every run says so.
    again = world.verify()
    assert (again.reason, again.verified) == ("BackupDamaged", 0)
    assert again.message.startswith(
        "there is no backup that can be restored: 2 backups are damaged: d0 of 2026-06-01T12:00:00Z"
    )


def test_what_somebody_else_compressed_is_no_dump(world: World) -> None:
    """A store's proxy unpacked it, or packed it twice: the manifest's own words are the measure."""
    world.backup(0)
    key = "ksnapshot/dump-d0-0"
    body = world.s3.read(world.bucket, key)
    for other in (gzip.decompress(body), gzip.compress(body)):
        world.put(key, other)
        assert world.verify_one("d0").reason == "BackupDamaged"
    world.put(key, body)
    # By its id, a damaged one may be verified again.
    assert world.verify_one("d0").succeeded
    assert world.entries()["d0"].is_restorable


def test_what_was_read_covers_what_is_older(world: World) -> None:
    for days in range(4):
        world.backup(days, policy="keep-last=1")
    held = ["ProofMissing"]
    assert world.reasons() == {
        "d0": ["keep-last", "NewestGood"],
        "d1": held,
        "d2": held,
        "d3": held,
    }
    world.verify("1/4")
    assert world.methods() == {"d0": ("decoded", True), "d3": ("decoded", True)}
    assert world.reasons() == {
        "d0": ["keep-last", "NewestGood"],
        **{run: ["Covered"] for run in ("d1", "d2", "d3")},
    }
    world.put("ksnapshot/dump-d0-0", b"other bytes")
    assert not world.verify_one("d0").succeeded
    # What was read before it covers only what is older still.
    assert world.reasons() == {
        "d0": ["Damaged"],
        "d1": ["keep-last", "NewestGood"],
        "d2": held,
        "d3": held,
    }


def test_keys_that_may_not_write_records_verify_and_say_so(world: World, s3: S3Server) -> None:
    world.backup(0)
    keys = s3.create_user(f"looker-{secrets.token_hex(4)}")
    s3.allow(world.bucket, {keys.access: READ})
    before = s3.objects(world.bucket)
    for _ in range(2):
        result = world.verify("1/7", keys=keys)
        assert (result.succeeded, result.verified, result.newest_verified) == (True, 1, "d0")
        assert "1 verdicts are not recorded beside their backups" in result.message
        assert "reads the same backups again" in result.message
    assert s3.objects(world.bucket) == before
    world.put("ksnapshot/dump-d0-0", b"other bytes")
    assert world.verify("1/7", keys=keys).reason == "BackupDamaged"


def test_what_the_store_refuses_keeps_no_other_from_being_read(
    world: World, faults: Faults
) -> None:
    for days in range(3):
        world.backup(days)
    proxy = faults.http(world.s3.port)
    proxy.set(Rule(Status(403), "GET", "dump-d1"))
    result = world.verify("1/1", url=proxy.url)
    assert (result.exit_code, result.reason) == (ExitCode.STORAGE_REFUSED, "StorageRefused")
    assert "1 backup could not be read: d1 (cannot read ksnapshot/dump-d1-0" in result.message
    assert result.backups == ("d0", "d2")
    assert set(world.verdicts()) == {"d0", "d2"}


def test_a_store_that_goes_away_loses_no_verdict(world: World, faults: Faults) -> None:
    for days in range(3):
        world.backup(days)
    proxy = faults.http(world.s3.port)
    # Read in this order: the newest, then the oldest; its manifest was read twice by then.
    away = Rule(Status(503), "GET", "-d2/manifest", since=3)
    proxy.set(Rule(Cut(after=100), "GET", "dump-d2-1"), away)
    result = world.verify("1/1", url=proxy.url)
    assert (result.exit_code, result.reason) == (ExitCode.STORAGE_FAILED, "StorageFailed")
    assert (result.verified, result.backups) == (1, ("d0",))
    assert not world.unread()
    assert world.verify("1/2").backups == ("d1", "d2")


@pytest.mark.parametrize("fault", [Status(500), Cut(after=100)], ids=["500", "cut"])
def test_an_object_that_always_fails_starves_no_other(
    world: World, faults: Faults, fault: Fault
) -> None:
    """Never read, it would be the first each time."""
    for days in range(5):
        world.backup(days)
    proxy = faults.http(world.s3.port)
    proxy.set(Rule(fault, "GET", "dump-d4-1"))
    read: list[str] = []
    results = [world.verify("1/5", url=proxy.url) for _ in range(4)]
    for result in results:
        read += result.backups
    assert {*read} == {"d0", "d1", "d2", "d3"}
    first = results[0]
    assert (first.exit_code, first.reason) == (ExitCode.STORAGE_REFUSED, "BackupUnreadable")
    assert first.message.startswith("1 backup could not be read: d4 (")
    assert "dump-d4-1" in first.message
    assert (first.verified, first.damaged, first.backups) == (2, 0, ("d0", "d3"))
    # It waits for its turn, and is not forgotten.
    assert [result.succeeded for result in results] == [False, True, True, True]
    assert {result.oldest_unread for result in results} == {"2026-05-28T12:00:00Z"}
    assert world.unread() == {"d4": 1}
    assert world.verify("1/1", url=proxy.url).reason == "BackupUnreadable"
    assert world.verify("1/1").oldest_unread == ""
    assert world.entries()["d4"].is_restorable


def test_where_it_cannot_be_noted_the_others_have_their_turn_all_the_same(
    world: World, faults: Faults
) -> None:
    for days in range(4):
        world.backup(days)
    proxy = faults.http(world.s3.port)
    proxy.set(Rule(Status(403), "GET", "dump-d3-"), Rule(Status(403), "PUT", "unread-"))
    results = [world.verify("1/4", url=proxy.url) for _ in range(2)]
    assert [result.backups for result in results] == [("d0", "d2"), ("d1",)]
    assert {result.reason for result in results} == {"StorageRefused"}
    assert not world.unread()


def test_one_that_takes_longer_than_a_run_may_starves_no_other(
    world: World, faults: Faults
) -> None:
    for days in range(3):
        world.backup(days)
    proxy = faults.http(world.s3.port)
    proxy.set(Rule(Hang(), "GET", "dump-d2-1"))
    interrupt = Interrupt(8, work="verification")
    result = world.verify("1/3", url=proxy.url, interrupt=interrupt)
    assert (result.exit_code, result.reason) == (ExitCode.INTERRUPTED, "DeadlineExceeded")
    assert (result.verified, result.backups) == (1, ("d0",))
    assert world.unread() == {"d2": 1}
    result = world.verify("1/3", url=proxy.url)
    assert (result.succeeded, result.backups) == (True, ("d1",))


def test_where_none_of_many_can_be_read_it_is_not_about_the_backups(
    world: World, faults: Faults
) -> None:
    for days in range(22):
        world.backup(days)
    proxy = faults.http(world.s3.port)
    proxy.set(Rule(Status(403), "GET", "dump-d"))
    result = world.verify("1/1", url=proxy.url)
    assert (result.exit_code, result.reason) == (ExitCode.STORAGE_REFUSED, "StorageRefused")
    assert result.message.startswith("20 backups could not be read: d0 (")
    assert result.message.endswith("; and 15 more")
    assert len(world.unread()) == 20


def started(
    world: World, proxy: HttpProxy, path: str, interrupt: Interrupt | None = None
) -> tuple[threading.Thread, list[VerifyResult]]:
    """A verification that waits for the answer to a GET of this path."""
    proxy.set(Rule(Hang(), "GET", path))
    ended: list[VerifyResult] = []
    thread = threading.Thread(
        target=lambda: ended.append(world.verify("1/1", url=proxy.url, interrupt=interrupt))
    )
    thread.start()
    wait_until(lambda: proxy.seen("GET", path), seconds=60, what=f"a GET of {path}")
    return thread, ended


@pytest.mark.parametrize("place", [0, 1], ids=["its first object", "its last"])
def test_a_backup_that_is_pruned_meanwhile_is_not_damaged(
    world: World, faults: Faults, place: int
) -> None:
    runs: list[Run] = [world.backup(days) for days in range(3)]
    thread, ended = started(world, proxy := faults.http(world.s3.port), f"dump-d2-{place}")
    world.remove(runs[2])
    proxy.clear()
    thread.join(60)
    [result] = ended
    assert (result.succeeded, result.message, result.backups) == (True, "", ("d0", "d1"))
    names = [
        key.rpartition("/")[2] for key in world.s3.objects(world.bucket, runs[2].record_prefix)
    ]
    assert names == ["manifest.json", "started.json"]


def test_a_run_that_is_told_to_stop_has_its_verdicts_and_the_next_goes_on(
    world: World, faults: Faults
) -> None:
    for days in range(3):
        world.backup(days)
    interrupt = Interrupt(work="verification")
    proxy = faults.http(world.s3.port)
    thread, ended = started(world, proxy, "dump-d2-1", interrupt)
    interrupt.cancel("SIGTERM")
    thread.join(60)
    [result] = ended
    assert (result.exit_code, result.reason) == (ExitCode.INTERRUPTED, "Interrupted")
    assert result.message == "stopped by SIGTERM before the verification was complete"
    assert (result.verified, result.backups) == (1, ("d0",))
    assert set(world.verdicts()) == {"d0"}
    assert world.verify("1/2").backups == ("d1", "d2")


def test_damage_that_was_found_is_said_also_by_a_run_that_is_told_to_stop(
    world: World, faults: Faults
) -> None:
    """Its record is there, so that the next run would not say it."""
    for days in range(3):
        world.backup(days)
    world.put("ksnapshot/dump-d0-0", b"other bytes")
    interrupt = Interrupt(work="verification")
    proxy = faults.http(world.s3.port)
    thread, ended = started(world, proxy, "dump-d2-1", interrupt)
    interrupt.cancel("SIGTERM")
    thread.join(60)
    [result] = ended
    assert (result.exit_code, result.damaged) == (ExitCode.STORAGE_REFUSED, 1)
    assert result.message.endswith("; stopped by SIGTERM before the verification was complete")


def test_a_clock_that_is_ahead_hides_no_damage(world: World) -> None:
    world.backup(0)
    key = "ksnapshot/dump-d0-0"
    whole = world.s3.read(world.bucket, key)
    world.now.moment += timedelta(days=1000)
    assert world.verify().succeeded
    world.now.moment -= timedelta(days=1000)
    world.put(key, b"other bytes")
    assert world.verify().reason == "BackupDamaged"
    assert world.entries()["d0"].state is State.DAMAGED
    world.put(key, whole)
    assert world.verify_one("d0").succeeded
    assert world.entries()["d0"].is_restorable
    # What is found by a clock that is ahead is healed by one that is right.
    world.put(key, b"other bytes")
    world.now.moment += timedelta(days=1000)
    assert world.verify().reason == "BackupDamaged"
    world.now.moment -= timedelta(days=1000)
    world.put(key, whole)
    assert world.verify_one("d0").succeeded
    assert world.entries()["d0"].is_restorable


def test_verifications_that_end_in_one_second_have_a_verdict_each(world: World) -> None:
    world.backup(0, recipient(KEY))
    entry, keys = world.entries()["d0"], read_identities(str(world.identity("keys.txt", KEY)))
    with RunStorage(world.location(), run="verify", interrupt=Interrupt()) as storage:
        ended = [
            Verifier(storage=storage, identities=identities, now=lambda: NOW).verify(entry)
            for identities in ((), keys)
        ]
    assert [verdict and verdict.record[-21:] for verdict in ended] == [
        "20260601T120000Z.json",
        "20260601T120001Z.json",
    ]
    assert world.methods() == {"d0": ("decoded", True)}


def test_one_altered_reading_damages_nothing(world: World, faults: Faults) -> None:
    world.backup(0)
    proxy = faults.http(world.s3.port)
    altered = Status(200, b"altered", (("ETag", '"x"'),))
    proxy.set(Rule(altered, "GET", "dump-d0-1", times=1))
    result = world.verify(url=proxy.url)
    assert (result.succeeded, result.damaged, result.message) == (True, 0, "")
    assert len(proxy.seen("GET", "dump-d0-1")) == 2
    assert world.methods() == {"d0": ("decoded", True)}


def test_a_wrong_verdict_heals_by_a_sample(world: World, faults: Faults) -> None:
    for days in range(3):
        world.backup(days)
    proxy = faults.http(world.s3.port)
    proxy.set(Rule(Status(200, b"altered", (("ETag", '"x"'),)), "GET", "dump-d1-1"))
    result = world.verify("1/1", url=proxy.url)
    assert (result.reason, result.damaged) == ("BackupDamaged", 1)
    assert world.entries()["d1"].state is State.DAMAGED
    result = world.verify("1/1")
    assert (result.succeeded, result.verified, result.damaged) == (True, 3, 0)
    assert world.entries()["d1"].is_restorable


def test_what_a_later_version_encrypted_is_compared_as_it_is_stored(world: World) -> None:
    run = world.backup(0)
    manifest = read_record(world.s3.read(world.bucket, run.manifest_key))
    assert isinstance(manifest, Manifest)
    later = replace(manifest, encryption=Encryption(scheme="later", recipients=("x",)))
    world.put(run.manifest_key, write_record(later))
    result = world.verify(identity=world.identity("keys.txt", KEY))
    assert (result.succeeded, result.message) == (True, "")
    assert world.methods() == {"d0": ("read-back", True)}


def test_a_newest_backup_that_cannot_be_read_keeps_no_other_from_it(
    world: World, faults: Faults
) -> None:
    """Also where a look at its beginning says whether the keys open it."""
    world.backup(0, recipient(KEY))
    world.backup(1, recipient(KEY))
    proxy = faults.http(world.s3.port)
    proxy.set(Rule(Status(500), "GET", "dump-d0-"))
    result = world.verify("1/1", identity=world.identity("keys.txt", KEY), url=proxy.url)
    assert (result.reason, result.backups) == ("BackupUnreadable", ("d1",))


def test_a_verdict_that_outlives_its_backup_is_none(world: World) -> None:
    """It was written by a verification that waited for the store while a prune ended."""
    run = world.backup(1)
    world.backup(0)
    assert world.verify("1/1").succeeded
    world.delete(run.started_key)
    world.delete(run.manifest_key)
    assert world.s3.objects(world.bucket, run.record_prefix)
    assert set(world.entries()) == {"d0"}
    assert world.verify("1/1").succeeded
