"""A copy and a sweep meet behind a tombstone, in every order of their requests: the target lists
no backup whose objects are gone.

The bucket is in memory, and gives one of the two its turn at a time.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from dumpers.contract.storages.location import S3Location
from dumpers.repository.keys import COPIED, FINGERPRINT, MANIFEST, STARTED, SWEEPING
from dumpers.repository.record_json import make_tombstone, read_record, write_record
from dumpers.repository.records import Manifest, Removal, StartedRecord, Tombstone
from dumpers.repository.removal.crashed import CrashedRuns
from dumpers.runtime.errors import KsnapshotError, StorageFailedError
from dumpers.storage import run_storage
from tests.fakes.memory_bucket import MemoryBucket
from tests.integration.dumpers.copy.copied_world import CLUSTER, CRONJOB, NOW, World

_FOREVER = 1 << 30


@dataclass(slots=True, kw_only=True)
class Turn:
    """Lets one of two go on for so many requests, then the other, then the first to its end."""

    order: list[tuple[str, int]]
    ended: set[str] = field(default_factory=set)
    asked: dict[str, int] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, who: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._next() == who, 60)
            self.asked[who] = self.asked.get(who, 0) + 1
            self.order[0] = (who, self.order[0][1] - 1)
            self._changed.notify_all()

    def end(self, who: str) -> None:
        with self._changed:
            self.ended.add(who)
            self._changed.notify_all()

    def _next(self) -> str:
        while self.order[0][1] <= 0 or self.order[0][0] in self.ended:
            self.order.pop(0)
        return self.order[0][0]


@dataclass(slots=True, kw_only=True)
class Turned(MemoryBucket):
    """A bucket as one of the two sees it."""

    turn: Turn
    who: str

    def _next_fault(self, method: str) -> Exception | None:
        self.turn.take(self.who)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryS3:
    """What a World asks of its server."""

    buckets: dict[str, MemoryBucket] = field(default_factory=dict)
    endpoint: str = "http://127.0.0.1:1"
    root: Any = field(default_factory=lambda: type("Keys", (), {"access": "a", "secret": "s"}))

    def create_bucket(self, name: str, *, locks: bool = False) -> str:
        self.buckets[name] = MemoryBucket(name=name)
        return name

    def client(self) -> "MemoryS3":
        return self

    def put_object(self, **sent: Any) -> None:
        bucket = self.buckets[sent["Bucket"]]
        bucket.objects[sent["Key"]] = sent["Body"]
        bucket.runs[sent["Key"]] = sent["Metadata"].get("ksnapshot-run", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """A copy to a target that has a swept run's tombstone, and a sweep of that run."""

    world: World
    source: MemoryBucket
    target: MemoryBucket
    monkeypatch: pytest.MonkeyPatch
    done: set[str] = field(default_factory=set)
    """Who has ended without an error."""

    @classmethod
    def make(cls, monkeypatch: pytest.MonkeyPatch, *records: str) -> "Meeting":
        s3: Any = MemoryS3()
        world = World.make(s3, [b"one" * 99])
        source, target = s3.buckets[world.source], s3.buckets[world.target]
        begun = read_record(source.objects[world.run.started_key])
        assert isinstance(begun, StartedRecord)
        moved = StartedRecord(
            **{name: getattr(begun, name) for name in StartedRecord.__dataclass_fields__}
            | {"bucket": world.target, "keys": tuple(world.copies())}
        )
        tombstone = make_tombstone(write_record(moved), removal=Removal.SWEPT, removed=NOW)
        assert isinstance(tombstone, Tombstone)
        target.objects[f"{world.prefix}{MANIFEST}"] = write_record(tombstone)
        for name in records:
            body = write_record(moved if name == STARTED else tombstone)
            target.objects[f"{world.prefix}{name}"] = body
        return cls(world=world, source=source, target=target, monkeypatch=monkeypatch)

    def view(self, turn: Turn, who: str) -> Any:
        target = self.target
        return Turned(
            objects=target.objects,
            tokens=target.tokens,
            runs=target.runs,
            name=target.name,
            turn=turn,
            who=who,
        )

    def run(self, *order: tuple[str, int], removes: bool = False) -> Turn:
        """Let the two go in this order, each to its end at last.

        With `removes`, it is the removal of an old tombstone that the copy meets.
        """
        turn = Turn(order=[*order, ("sweep", _FOREVER), ("copy", _FOREVER), ("", 1)])
        copied = self.view(turn, "copy")

        def opened(location: S3Location, _: object) -> MemoryBucket:
            return self.source if location.bucket == self.world.source else copied

        self.monkeypatch.setattr(run_storage, "open_bucket", opened)
        working = [
            threading.Thread(target=self._work, args=(turn, "copy", self.world.copy)),
            threading.Thread(
                target=self._work, args=(turn, "sweep", lambda: self._sweep(turn, removes=removes))
            ),
        ]
        for thread in working:
            thread.start()
        for thread in working:
            thread.join()
        return turn

    def _sweep(self, turn: Turn, *, removes: bool) -> None:
        bucket, folder = self.view(turn, "sweep"), self.world.prefix
        runs = CrashedRuns(
            bucket=bucket,
            cluster=CLUSTER,
            cronjob=CRONJOB,
            run="",
            # Its clock is ahead, or it was the copy that stood still.
            now=NOW + timedelta(days=90 if removes else 30),
            ends=time.monotonic() + 60,
            conditional=lambda: True,
        )
        if not removes:
            runs.sweep(folder)
            return
        names = {key.removeprefix(folder) for key in bucket.keys(folder, since="", limit=99)}
        if MANIFEST in names and not names & {STARTED, SWEEPING}:
            runs.remove_tombstone(folder, names)

    def _work(self, turn: Turn, who: str, work: Callable[[], object]) -> None:
        try:
            with suppress(KsnapshotError):
                work()
                self.done.add(who)
        finally:
            turn.end(who)

    @property
    def is_listed(self) -> bool:
        body = self.target.objects.get(f"{self.world.prefix}{MANIFEST}", b"")
        return isinstance(read_record(body), Manifest)

    @property
    def is_whole(self) -> bool:
        [key] = self.world.copies()
        return self.target.objects.get(key) == self.world.bodies[0]


@pytest.mark.timeout(600)
# What a sweep finds when it begins: the mark of one that was interrupted, or a crashed run.
@pytest.mark.parametrize("records", [(SWEEPING,), (STARTED,), ()])
@pytest.mark.parametrize("first", ["copy", "sweep"])
def test_of_a_copy_and_a_sweep_one_goes_on(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    first: str,
    records: tuple[str, ...],
) -> None:
    caplog.set_level(logging.CRITICAL)
    second = {"copy": "sweep", "sweep": "copy"}[first]
    alone = Meeting.make(monkeypatch, *records).run((first, _FOREVER), (second, _FOREVER))
    committed = 0
    for before in range(alone.asked[first] + 1):
        for between in range(1, 30):
            meeting = Meeting.make(monkeypatch, *records)
            turn = meeting.run((first, before), (second, between), (first, _FOREVER))
            assert not meeting.is_listed or meeting.is_whole, (before, between)
            committed += meeting.is_listed
            if turn.asked.get(second, 0) < between:
                break
    assert committed or SWEEPING in records


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", ["copy", "sweep"])
def test_a_copy_that_commits_keeps_its_records_while_an_old_tombstone_is_removed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, first: str
) -> None:
    caplog.set_level(logging.CRITICAL)
    second = {"copy": "sweep", "sweep": "copy"}[first]
    order = [(first, _FOREVER), (second, _FOREVER)]
    alone = Meeting.make(monkeypatch).run(*order, removes=True)
    copied, refused = 0, 0
    for before in range(alone.asked[first] + 1):
        for between in range(1, 30):
            meeting = Meeting.make(monkeypatch)
            turn = meeting.run((first, before), (second, between), (first, _FOREVER), removes=True)
            there = {key.removeprefix(meeting.world.prefix) for key in meeting.target.objects}
            if "copy" in meeting.done:
                copied += 1
                assert meeting.is_listed, (before, between)
                assert meeting.is_whole, (before, between)
                assert {FINGERPRINT, COPIED} <= there, (before, between)
            else:
                refused += 1
                assert not meeting.is_listed, (before, between)
            # Nothing is left that would keep a copy away that is started again.
            meeting.run(("copy", _FOREVER))
            assert meeting.is_listed, (before, between)
            if turn.asked.get(second, 0) < between:
                break
    assert copied
    assert refused


def test_a_started_record_that_is_gone_is_written_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meeting = Meeting.make(monkeypatch)
    key = f"{meeting.world.prefix}{STARTED}"
    _after(meeting, FINGERPRINT, lambda: meeting.target.objects.pop(key))
    meeting.world.copy()
    assert meeting.is_listed
    assert key in meeting.target.objects


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        (SWEEPING, b"{}", "is being removed"),
        (STARTED, b"{}", "another copy of"),
    ],
)
def test_a_copy_looks_again_before_it_commits(
    monkeypatch: pytest.MonkeyPatch, name: str, body: bytes, said: str
) -> None:
    meeting = Meeting.make(monkeypatch)
    key = f"{meeting.world.prefix}{name}"
    _after(meeting, FINGERPRINT, lambda: meeting.target.objects.update({key: body}))
    with pytest.raises(StorageFailedError, match=said):
        meeting.world.copy()
    assert not meeting.is_listed


def test_a_copy_whose_object_went_meanwhile_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = Meeting.make(monkeypatch)
    [key] = meeting.world.copies()
    _after(meeting, FINGERPRINT, lambda: meeting.target.objects.pop(key))
    with pytest.raises(StorageFailedError, match="is not there any more"):
        meeting.world.copy()
    assert not meeting.is_listed


def _after(meeting: Meeting, name: str, happen: Callable[[], object]) -> None:
    """Let something happen to the target once this record is written."""

    class Noticing(MemoryBucket):
        def put(self, key: str, body: bytes, **named: Any) -> None:
            MemoryBucket.put(self, key, body, **named)
            if key.endswith(name):
                happen()

    target = meeting.target
    noticing = Noticing(objects=target.objects, tokens=target.tokens, runs=target.runs)

    def opened(location: S3Location, _: object) -> MemoryBucket:
        return meeting.source if location.bucket == meeting.world.source else noticing

    meeting.monkeypatch.setattr(run_storage, "open_bucket", opened)
