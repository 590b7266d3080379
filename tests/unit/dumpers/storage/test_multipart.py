"""One upload to several stores: what each of them holds, and who is given up."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from dumpers.contract.storages.location import S3Location
from dumpers.runtime.errors import InterruptedRunError, StorageFailedError, StorageRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage import run_storage
from dumpers.storage.lane import Lane
from dumpers.storage.multipart import Upload
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.stores import STALLED_SECONDS, Stores
from tests.fakes.memory_bucket import MemoryBucket

FULL = StorageFailedError("the store is full")
REFUSED = StorageRefusedError("403")
KIB = 1 << 10
# No two parts are equal.
DATA = b"".join(number.to_bytes(4, "big") for number in range(4096))
KEYS = {"main": "a/dump", "offsite": "b/dump", "third": "c/dump"}


@dataclass(slots=True, kw_only=True)
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True, kw_only=True)
class HeldBucket(MemoryBucket):
    """A bucket whose parts wait until `opened` is set, and that counts those under way."""

    opened: threading.Event = field(default_factory=threading.Event)
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    # Shared by the copies that storages make of a bucket.
    under_way: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    @property
    def most(self) -> int:
        return max(self.counts)

    def upload_part(self, *args: Any, **named: Any) -> dict[str, Any]:
        self.under_way.append(1)
        self.counts.append(len(self.under_way))
        self.entered.release()
        assert self.opened.wait(60)
        self.under_way.pop()
        return MemoryBucket.upload_part(self, *args, **named)


@contextmanager
def stores_of(
    buckets: Mapping[str, MemoryBucket],
    monkeypatch: pytest.MonkeyPatch,
    *,
    concurrency: Mapping[str, int] | None = None,
    clock: Clock | None = None,
) -> Iterator[Stores]:
    monkeypatch.setattr(run_storage, "open_bucket", lambda location, _: buckets[location.bucket])
    # A test of a wait that never ends fails by this.
    interrupt = Interrupt(60, work="test", is_part=True)
    with ExitStack() as opened:
        storages = {}
        for name in buckets:
            many = (concurrency or {}).get(name, 2)
            location = S3Location(bucket=name, path="", patience=0, upload_concurrency=many)
            storage = RunStorage(location, run="run", interrupt=interrupt)
            storage.checksums = False
            storages[name] = opened.enter_context(storage)
        stores = Stores(storages, interrupt=interrupt, clock=clock or Clock())
        yield stores
        stores.wait_for_cleaning()


def begin(stores: Stores) -> Upload:
    return Upload.begin(stores, {name: KEYS[name] for name in stores.still_in}, part_size=KIB)


def send(stores: Stores, data: bytes = DATA) -> Mapping[str, Any]:
    with begin(stores) as upload:
        upload.write(data)
        return upload.complete()


@pytest.mark.parametrize("names", [("main",), ("main", "offsite"), ("main", "offsite", "third")])
def test_every_store_gets_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    buckets = {name: MemoryBucket() for name in names}
    with stores_of(buckets, monkeypatch) as stores:
        stored = send(stores)
    assert {name: bucket.objects for name, bucket in buckets.items()} == {
        name: {KEYS[name]: DATA} for name in names
    }
    assert [stored[name].key for name in names] == [KEYS[name] for name in names]
    assert len({(item.size, item.sha256, item.crc32) for item in stored.values()}) == 1


@pytest.mark.parametrize("error", [FULL, REFUSED], ids=["failed", "refused"])
@pytest.mark.parametrize("bad", ["main", "offsite"])
@pytest.mark.parametrize("method", ["create_upload", "upload_part", "complete_upload"])
def test_a_store_that_fails_is_given_up_and_the_other_goes_on(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    method: str,
    bad: str,
    error: Exception,
) -> None:
    buckets = {name: MemoryBucket() for name in ("main", "offsite")}
    # An upload is not begun again, a part not sent again, so one error is enough.
    buckets[bad].faults = {method: [error] * 50}
    with stores_of(buckets, monkeypatch) as stores:
        stored = send(stores)
        assert (tuple(stored), stores.still_in) == (stores.still_in, tuple(stored))
        assert list(stores.failures) == [bad]
    [good] = stored
    assert good != bad
    assert buckets[good].objects == {KEYS[good]: DATA}
    assert (buckets[bad].objects, buckets[bad].uploads_begun) == ({}, {})
    assert caplog.text.count("storage given up") == 1


def test_the_failure_of_the_last_store_is_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    buckets = {name: MemoryBucket() for name in ("main", "offsite")}
    buckets["main"].faults = {"create_upload": [REFUSED]}
    buckets["offsite"].faults = {"upload_part": [FULL] * 50}
    with (
        stores_of(buckets, monkeypatch) as stores,
        pytest.raises(StorageFailedError, match="main: 403; offsite: the store is full"),
    ):
        send(stores)
    assert buckets["offsite"].uploads_begun == {}


def test_an_upload_ends_whose_stores_another_upload_gave_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    buckets = {name: HeldBucket() for name in ("main", "offsite")}

    def give_up_both(stores: Stores) -> None:
        stores.give_up("offsite", FULL)
        with pytest.raises(StorageFailedError, match="none of the storages took the backup"):
            stores.give_up("main", REFUSED)

    def go_on(stores: Stores) -> None:
        with begin(stores) as upload:
            upload.write(DATA[:KIB])
            give_up_both(stores.with_interrupt(stores.interrupt.child()))
            for bucket in buckets.values():
                bucket.opened.set()
            upload.write(DATA[KIB:])

    with stores_of(buckets, monkeypatch) as stores:
        with pytest.raises(StorageFailedError, match="main: 403; offsite: the store is full"):
            go_on(stores)
        # And so does one that begins behind that, and all else that is done at stores.
        with pytest.raises(StorageFailedError, match="main: 403; offsite: the store is full"):
            Upload.begin(stores, KEYS, part_size=KIB)
        with pytest.raises(StorageFailedError, match="main: 403; offsite: the store is full"):
            stores.each(lambda name: name)
    assert [bucket.uploads_begun for bucket in buckets.values()] == [{}, {}]


def test_a_store_that_was_given_up_is_not_blamed_for_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    buckets = {name: MemoryBucket() for name in ("main", "offsite")}
    with stores_of(buckets, monkeypatch) as stores, begin(stores) as upload:
        run = stores.interrupt.child(0, work="run")
        inner = stores.with_interrupt(run.child())
        inner.interrupt.hold_up("the store: no answer")
        inner.give_up("offsite", FULL)
        upload.complete()
        with pytest.raises(InterruptedRunError) as raised:
            run.check()
    assert "the store" not in str(raised.value)


def test_the_failure_of_the_only_store_is_told_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bucket = MemoryBucket(faults={"upload_part": [REFUSED] * 50})
    with (
        stores_of({"main": bucket}, monkeypatch) as stores,
        pytest.raises(StorageRefusedError) as raised,
    ):
        send(stores)
    assert raised.value is REFUSED
    assert "given up" not in caplog.text
    assert bucket.uploads_begun == {}


def test_a_silent_store_is_given_up_after_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, held = Clock(), HeldBucket()
    buckets = {"main": MemoryBucket(), "offsite": held}
    with stores_of(buckets, monkeypatch, clock=clock) as stores:
        with begin(stores) as upload:
            # The buffers are full of what the silent store was given.
            upload.write(DATA[: 2 * KIB])
            assert held.entered.acquire(timeout=60)
            assert held.entered.acquire(timeout=60)
            clock.now = STALLED_SECONDS - 1
            upload._look_after()
            assert stores.still_in == ("main", "offsite")
            clock.now = STALLED_SECONDS
            upload.write(DATA[2 * KIB :])
            stored = upload.complete()
        held.opened.set()
    assert list(stored) == ["main"]
    assert buckets["main"].objects == {KEYS["main"]: DATA}
    assert "no answer for 600 s" in str(stores.failures["offsite"])
    assert held.uploads_begun == {}


@dataclass(slots=True, kw_only=True)
class LateBucket(MemoryBucket):
    """A bucket whose part 3 waits for `late`, and then fails by `error`."""

    error: Exception
    late: threading.Event = field(default_factory=threading.Event)

    def upload_part(self, *args: Any, **named: Any) -> dict[str, Any]:
        if named["number"] == 3:
            assert self.late.wait(60)
            raise self.error
        return MemoryBucket.upload_part(self, *args, **named)


class RacedUpload(Upload):
    """An upload whose part 3 fails right behind the look at the stores, in `complete`."""

    late: threading.Event | None = None

    def complete(self) -> Mapping[str, Any]:
        self.late = self._stores["offsite"].bucket.late  # type: ignore[attr-defined]
        return super().complete()

    def _look_after(self) -> None:
        super()._look_after()
        late, self.late = self.late, None
        if late:
            late.set()
            with self._changed:
                assert self._changed.wait_for(lambda: any(lane.error for lane in self._lanes), 60)


@pytest.mark.parametrize("names", [("offsite",), ("main", "offsite")])
@pytest.mark.parametrize("error", [FULL, TimeoutError("no answer")], ids=["failed", "other"])
def test_nothing_is_completed_without_a_part_that_fails_at_the_last_moment(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], error: Exception
) -> None:
    buckets: dict[str, MemoryBucket] = {name: MemoryBucket() for name in names}
    buckets["offsite"] = late = LateBucket(error=error)

    def send(stores: Stores) -> Mapping[str, Any]:
        with RacedUpload.begin(stores, KEYS, part_size=KIB) as upload:
            upload.write(DATA[: 3 * KIB])
            return upload.complete()

    with stores_of(buckets, monkeypatch) as stores:
        if names == ("offsite",) or error is not FULL:
            with pytest.raises(type(error), match=str(error)):
                send(stores)
        else:
            assert list(send(stores)) == ["main"]
            assert buckets["main"].objects == {KEYS["main"]: DATA[: 3 * KIB]}
    assert (late.objects, late.uploads_begun) == ({}, {})


def test_nothing_is_completed_of_which_the_store_lacks_a_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket, freed = MemoryBucket(), list[bytearray]()
    with stores_of({"main": bucket}, monkeypatch) as stores:
        lane = Lane(
            stores["main"],
            "main",
            "a/dump",
            changed=threading.Condition(),
            free=freed.append,
            clock=Clock(),
            is_watched=False,
        )
        with pytest.raises(StorageFailedError, match="the store has 0 of 2 parts"):
            lane.complete(size=1, parts=2, sha256="", crc32=0)
        lane.leave()
    assert bucket.objects == {}


def test_a_slow_store_holds_up_the_others_once_all_buffers_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, quick = HeldBucket(), MemoryBucket()
    done = threading.Event()
    with stores_of({"main": quick, "offsite": held}, monkeypatch) as stores, begin(stores) as sent:

        def write() -> None:
            sent.write(DATA)
            done.set()

        writing = threading.Thread(target=write)
        writing.start()
        assert held.entered.acquire(timeout=60)
        assert held.entered.acquire(timeout=60)
        [begun] = quick.uploads_begun.values()
        # As many parts are held in memory as the stores may have under way, and no more are made.
        assert len(begun[1]) <= held.most == 2
        assert not done.is_set()
        held.opened.set()
        writing.join(60)
        assert done.is_set()
        stored = sent.complete()
    assert sorted(stored) == ["main", "offsite"]
    assert held.objects == {KEYS["offsite"]: DATA}


def test_each_store_has_its_own_number_of_parts_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    buckets = {"main": HeldBucket(), "offsite": HeldBucket()}
    with (
        stores_of(buckets, monkeypatch, concurrency={"main": 1, "offsite": 5}) as stores,
        begin(stores) as upload,
    ):
        upload.write(DATA[: 5 * KIB])
        for _ in range(5):
            assert buckets["offsite"].entered.acquire(timeout=60)
        for bucket in buckets.values():
            bucket.opened.set()
        upload.write(DATA[5 * KIB :])
        upload.complete()
    assert (buckets["main"].most, buckets["offsite"].most) == (1, 5)
    assert {bucket.objects[KEYS[name]] for name, bucket in buckets.items()} == {DATA}


def test_a_store_given_up_by_one_upload_is_out_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    buckets = {name: MemoryBucket() for name in ("main", "offsite")}
    with stores_of(buckets, monkeypatch) as stores:
        with begin(stores) as upload:
            upload.write(DATA[:KIB])
            stores.with_interrupt(stores.interrupt.child()).give_up("offsite", FULL)
            upload.write(DATA[KIB:])
            assert list(upload.complete()) == ["main"]
        assert list(send(stores)) == ["main"]
    assert (buckets["offsite"].objects, buckets["offsite"].uploads_begun) == ({}, {})


def test_a_source_that_fails_leaves_no_upload_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    buckets = {name: MemoryBucket() for name in ("main", "offsite")}

    def fail(stores: Stores) -> None:
        with begin(stores) as upload:
            upload.write(DATA)
            raise RuntimeError("the source failed")

    with (
        stores_of(buckets, monkeypatch) as stores,
        pytest.raises(RuntimeError, match="the source failed"),
    ):
        fail(stores)
    assert all(not bucket.uploads_begun and not bucket.objects for bucket in buckets.values())
