"""Pins that come while their backup is being deleted: of which somebody was told, none is lost."""

import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest

from dumpers.contract.restore.jobs import BackupJob
from dumpers.contract.restore.result import BackupResult
from dumpers.contract.retention.result import DeleteResult, PruneResult
from dumpers.repository.added_records import Pin
from dumpers.repository.catalogue import State
from dumpers.repository.keys import PINNED, Run
from dumpers.repository.record_json import make_tombstone, write_record
from dumpers.repository.records import Removal, Tombstone
from dumpers.runs.retention.marks import BackupNotFoundError, pin
from dumpers.runtime.errors import ConfigurationError, StorageFailedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.retention.pruned_world import CLUSTER, NOW, World
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Cut, Hang, Rule, Status
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.stores.s3 import DELETE, READ, WRITE, S3Server
from tests.testbed.toolchain.processes import wait_until

_GOES = "alpha-2"
_OF_MANIFEST, _OF_PIN = rf"{_GOES}/manifest\.json", rf"{_GOES}/pinned\.json"
_HANG = Hang(3.0)
_SINCE_PINNED = "it was pinned since it was judged"

Done = tuple[PruneResult | DeleteResult, list[Mapping[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A bucket with three backups, of which the oldest goes."""

    world: World
    run: Run

    def pin(self, url: str = "", **others: Any) -> BackupResult:
        backup = others.pop("backup", _GOES)
        job = BackupJob(
            storages=self.world.storages(url, **others),
            host="pod",
            cluster=CLUSTER,
            workload="",
            cronjob="alpha",
            deadline=None,
            backup=backup,
            requested_by="me",
        )
        return pin(job, interrupt=Interrupt(), now=lambda: NOW, is_pinned=True)

    def bury(self, *, is_decided: bool) -> None:
        """Leave it as a deletion does that was ended behind this tombstone."""
        body, _ = self.world.bodies[self.run.manifest_key]
        tombstone = make_tombstone(body, removal=Removal.PRUNED, removed=NOW)
        assert isinstance(tombstone, Tombstone)
        self.put(self.run.manifest_key, write_record(replace(tombstone, is_decided=is_decided)))

    def put(self, key: str, body: bytes) -> None:
        self.world.s3.client().put_object(Bucket=self.world.bucket, Key=key, Body=body)

    def put_pin(self) -> None:
        body = write_record(Pin(run=self.run.id, pinned=NOW, by="me"))
        self.put(f"{self.run.record_prefix}{PINNED}", body)

    def records(self) -> dict[str, Any]:
        return self.world.s3.objects(self.world.bucket, self.run.record_prefix)

    def manifest(self) -> bytes:
        answer = self.world.s3.client().get_object(
            Bucket=self.world.bucket, Key=self.run.manifest_key
        )
        body: bytes = answer["Body"].read()
        return body

    def assert_kept(self) -> None:
        """It is there as it was, pinned, and the next prune leaves it."""
        assert self.manifest() == self.world.bodies[self.run.manifest_key][0]
        for _ in range(2):
            [entry] = [item for item in self.world.entries() if item.id == _GOES]
            assert (entry.state, entry.pinned) == (State.COMPLETE, True)
            assert self.world.unreadable() == []
            assert self.world.prune()[0].succeeded

    def assert_gone(self) -> None:
        assert [key for key in self.world.left() if _GOES in key] == []
        assert self.world.unreadable() == []


@pytest.fixture
def scene(s3: S3Server, bucket: str) -> Scene:
    world = World(s3=s3, bucket=bucket)
    runs = [world.backup("alpha", days, policy="keep-last=2") for days in range(3)]
    world.store()
    return Scene(world=world, run=runs[2])


def while_waiting(
    proxy: HttpProxy,
    rules: Sequence[Rule],
    work: Callable[[], Any],
    meanwhile: Callable[[], Any],
) -> "Future[Any]":
    """Do `meanwhile` as long as the work waits for the request that the first rule holds up."""
    [rule, *_] = rules
    proxy.set(*rules)

    def held_up() -> bool:
        met = proxy.seen(rule.method, rule.path)[(rule.nth or 1) - 1 :]
        return bool(met) and met[0].outcome == "open"

    with ThreadPoolExecutor(1) as pool:
        doing = pool.submit(work)
        wait_until(lambda: doing.done() or held_up(), seconds=60, what=f"{rule.method} {rule.path}")
        assert not doing.done(), doing.result()
        meanwhile()
        assert held_up(), "it took too long"
    return doing


@pytest.mark.parametrize("backup", ["nope", _GOES])
def test_a_backup_that_is_not_in_this_storage_has_a_reason_of_its_own(
    scene: Scene, backup: str
) -> None:
    if backup == _GOES:
        scene.bury(is_decided=True)
    with pytest.raises(BackupNotFoundError):
        scene.pin(backup=backup)


def _prune(scene: Scene, url: str) -> Done:
    return scene.world.prune(url=url)


def _delete(scene: Scene, url: str) -> Done:
    return scene.world.delete("alpha", _GOES, url=url)


@pytest.mark.parametrize("delete", [_prune, _delete])
def test_a_pin_between_the_look_for_it_and_the_tombstone(
    scene: Scene, faults: Faults, delete: Callable[[Scene, str], Done]
) -> None:
    proxy = faults.http(scene.world.s3.port)
    held_up = Rule(_HANG, "PUT", _OF_MANIFEST, nth=1)
    doing = while_waiting(proxy, [held_up], lambda: delete(scene, proxy.url), scene.pin)
    result, documents = doing.result()
    assert (result.succeeded, result.deleted, result.freed_bytes, result.left) == (True, 0, 0, 1)
    assert _SINCE_PINNED in str(documents)
    scene.assert_kept()


def test_the_same_on_a_store_that_ignores_conditions(scene: Scene, faults: Faults) -> None:
    proxy = faults.http(scene.world.s3.port)
    rules = [
        Rule(_HANG, "PUT", _OF_MANIFEST, nth=1),
        Rule(Status(200, headers=(("ETag", '"e"'),)), "PUT", "probe", nth=2),
    ]
    doing = while_waiting(proxy, rules, lambda: scene.world.prune(url=proxy.url), scene.pin)
    result, _ = doing.result()
    assert (result.deleted, result.left) == (0, 1)
    scene.assert_kept()


def test_a_pin_behind_the_first_tombstone_is_not_said_to_be_heeded_before_it_is(
    scene: Scene, faults: Faults
) -> None:
    proxy = faults.http(scene.world.s3.port)
    held_up = Rule(_HANG, "PUT", _OF_PIN)
    doing = while_waiting(
        proxy,
        [held_up],
        lambda: scene.pin(proxy.url),
        lambda: scene.bury(is_decided=False),
    )
    with pytest.raises(StorageFailedError, match=r"not decided .* pin it once more"):
        doing.result()
    assert scene.world.prune()[0].deleted == 0
    assert scene.pin().succeeded
    scene.assert_kept()


def test_a_pin_behind_the_second_look_for_it_goes_with_its_backup(
    scene: Scene, faults: Faults
) -> None:
    proxy = faults.http(scene.world.s3.port)
    held_up = Rule(replace(_HANG, of="response"), "HEAD", _OF_PIN)
    doing = while_waiting(proxy, [held_up], lambda: scene.world.prune(url=proxy.url), scene.put_pin)
    assert doing.result()[0].deleted == 1
    scene.assert_gone()


@pytest.mark.parametrize("may_delete", [True, False])
def test_a_pin_of_what_was_deleted_since_it_was_found(
    scene: Scene, faults: Faults, *, may_delete: bool
) -> None:
    """Between pin's reading of the manifest and its write all of the backup goes."""
    s3, bucket = scene.world.s3, scene.world.bucket
    user = s3.create_user(f"user{random.Random().getrandbits(40):x}")
    s3.allow(bucket, {user.access: (*READ, *WRITE, *(DELETE if may_delete else ()))})
    proxy = faults.http(s3.port)
    doing = while_waiting(
        proxy,
        [Rule(_HANG, "PUT", _OF_PIN)],
        lambda: scene.pin(proxy.url, keys=user),
        scene.world.prune,
    )
    with pytest.raises(ConfigurationError, match=rf"{_GOES} of .* is deleted: .* too late"):
        doing.result()
    pin_key = f"{scene.run.record_prefix}{PINNED}"
    assert scene.records().keys() == (set() if may_delete else {pin_key})


def test_a_pin_of_what_is_half_deleted(scene: Scene, faults: Faults) -> None:
    """The deletion is decided, and was ended: it goes on, whoever pins."""

    def half_delete() -> None:
        scene.bury(is_decided=True)
        scene.world.s3.client().delete_object(Bucket=scene.world.bucket, Key=f"p/dump-{_GOES}-0")

    proxy = faults.http(scene.world.s3.port)
    held_up = Rule(_HANG, "PUT", _OF_PIN)
    doing = while_waiting(proxy, [held_up], lambda: scene.pin(proxy.url), half_delete)
    with pytest.raises(ConfigurationError, match="too late"):
        doing.result()
    scene.put_pin()
    assert scene.world.delete("alpha", _GOES)[0].deleted == 1
    scene.assert_gone()


@pytest.mark.parametrize("delete", [_prune, _delete])
@pytest.mark.parametrize("is_pinned", [True, False])
def test_a_deletion_that_was_ended_behind_its_first_tombstone_looks_for_a_pin(
    scene: Scene, delete: Callable[[Scene, str], Done], *, is_pinned: bool
) -> None:
    if is_pinned:
        scene.pin()
    scene.bury(is_decided=False)
    foreseen, _ = scene.world.delete("alpha", _GOES, dry_run=True)
    assert foreseen.deleted == (not is_pinned)
    result, documents = delete(scene, "")
    assert result.left == is_pinned
    if is_pinned:
        assert result.deleted == 0
        assert _SINCE_PINNED in str(documents)
        scene.assert_kept()
    else:
        scene.assert_gone()


def test_what_comes_back_counts_in_the_same_prune(scene: Scene) -> None:
    scene.pin()
    scene.bury(is_decided=False)
    result, documents = scene.world.prune()
    assert (result.kept, result.deleted, result.left) == (3, 0, 1)
    [verdict] = [item for item in documents if item.get("id") == _GOES]
    assert verdict["reasons"] == ["Pinned"]


@pytest.mark.parametrize(
    "fault",
    [
        # The manifest is read to be listed and to be buried before.
        Rule(Cut(of="request"), "GET", _OF_MANIFEST, since=3),
        Rule(Cut(of="request"), "HEAD", _OF_PIN),
        Rule(Cut(of="response"), "HEAD", _OF_PIN),
        Rule(Cut(of="request"), "PUT", _OF_MANIFEST, since=2),
        Rule(Cut(of="response"), "PUT", _OF_MANIFEST, since=2),
    ],
    ids=lambda rule: f"{rule.method}-{rule.fault.of}",
)
def test_a_prune_that_is_ended_while_a_pin_calls_it_off(
    scene: Scene, faults: Faults, fault: Rule
) -> None:
    """At each request from its first tombstone on: the next prune brings the backup back."""
    proxy = faults.http(scene.world.s3.port)
    rules = [Rule(_HANG, "PUT", _OF_MANIFEST, nth=1), fault]
    doing = while_waiting(proxy, rules, lambda: scene.world.prune(url=proxy.url), scene.pin)
    assert not doing.result()[0].succeeded
    assert {f"p/dump-{_GOES}-{part}" for part in range(2)} <= scene.world.left()
    assert scene.world.unreadable() == []
    assert scene.world.prune()[0].succeeded
    scene.assert_kept()


def test_of_two_prunes_one_decides(scene: Scene, faults: Faults) -> None:
    """One is about to decide a deletion while another finds the pin: the backup stays."""

    def pin_and_prune() -> None:
        scene.put_pin()
        assert scene.world.prune()[0].deleted == 0

    proxy = faults.http(scene.world.s3.port)
    held_up = Rule(_HANG, "PUT", _OF_MANIFEST, nth=2)
    doing = while_waiting(proxy, [held_up], lambda: scene.world.prune(url=proxy.url), pin_and_prune)
    result, documents = doing.result()
    assert (result.deleted, result.left) == (0, 1)
    assert "its manifest changed while it was to be deleted" in str(documents)
    scene.assert_kept()
