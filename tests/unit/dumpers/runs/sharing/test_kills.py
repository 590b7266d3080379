"""Pods of a run that are killed, or held up, at any request: one manifest, whole, and no more.

The store is in memory; real ones and real kills are in `tests/faults`.
"""

import hashlib
import io
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from dumpers.contract.jobs import DumpJob
from dumpers.contract.result import PART, DumpResult
from dumpers.engines.protocol import Dump, DumpEngine, SourceInfo
from dumpers.engines.registry import ENGINES
from dumpers.engines.sharing import Part
from dumpers.engines.simple_stream import SimpleStream
from dumpers.repository.record_json import read_record
from dumpers.repository.records import Manifest
from dumpers.runs.sharing.share import dump_share
from dumpers.runtime.errors import InterruptedRunError
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage import run_storage
from dumpers.streams.reader import Reader
from tests.fakes.memory_bucket import MemoryBucket

NOW = datetime(2026, 1, 1, tzinfo=UTC)
# Each is a batch of its own.
TABLES, SIZE = ("a", "b", "c"), 16 << 20


class KilledError(BaseException):
    """What ends a pod without a word."""


@dataclass(kw_only=True)
class Life:
    """A pod that is killed at one of its requests, before or after the store has done it."""

    at: int = 0
    before: bool = False
    requests: int = 0
    is_over: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ends(self) -> bool:
        with self.lock:
            if self.is_over:
                raise KilledError
            self.requests += 1
            self.is_over = self.requests == self.at
            return self.is_over


@dataclass(kw_only=True)
class Held(Life):
    """A pod that stands still at one of its requests until it goes on."""

    is_held: threading.Event = field(default_factory=threading.Event)
    goes_on: threading.Event = field(default_factory=threading.Event)

    def show(self, _: object) -> None:
        self.is_held.set()

    def ends(self) -> bool:
        with self.lock:
            self.requests += 1
            is_here = self.requests == self.at
        if is_here:
            self.is_held.set()
            self.goes_on.wait()
        return False


class Reached:
    """The store as a pod reaches it."""

    def __init__(self, bucket: MemoryBucket, life: Life) -> None:
        self.bucket, self.life, self.name, self.pace = bucket, life, bucket.name, None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in {"bucket", "life"} or name.startswith("__"):
            raise AttributeError(name)
        call, life = getattr(self.bucket, name), self.life

        def reached(*args: Any, **named: Any) -> Any:
            ends = life.ends()
            if ends and life.before:
                raise KilledError
            answer = call(*args, **named)
            if ends:
                raise KilledError
            return answer

        return reached


@dataclass(frozen=True, slots=True, kw_only=True)
class TableStream(SimpleStream):
    def identity(self) -> str:
        return "/".join(self.part)


def engine(shard: int) -> DumpEngine:
    def stream(kind: type[SimpleStream], part: str) -> SimpleStream:
        @contextmanager
        def opened(_: Interrupt) -> Iterator[Reader]:
            yield io.BytesIO(f"{shard} {part}".encode())

        return kind(
            name="main", part=(f"s{shard}", part), ending=".x", estimate=SIZE, opener=opened
        )

    class Engine:
        @staticmethod
        @contextmanager
        def open(_job: object, _interrupt: Interrupt) -> Iterator[Dump]:
            yield Dump(
                info=SourceInfo(server_version="1", tool_version="1", estimate=0),
                streams=[
                    stream(SimpleStream, "schema"),
                    *(stream(TableStream, table) for table in TABLES),
                ],
                part=Part(stages=(0, *(1 for _ in TABLES)), holds=TABLES, borrows=(), places={}),
            )

    return cast("DumpEngine", Engine())


@dataclass(kw_only=True)
class Pods:
    monkeypatch: pytest.MonkeyPatch
    bucket: MemoryBucket = field(default_factory=MemoryBucket)
    begun: int = 0

    def run(self, index: int, life: Life) -> DumpResult | None:
        """Run the pod of a shard; None where it was killed."""
        self.begun += 1
        self.monkeypatch.setattr(run_storage, "open_bucket", lambda *_: Reached(self.bucket, life))
        moment = NOW + timedelta(seconds=self.begun)
        job = DumpJob.from_env(
            {
                "KSNAPSHOT_ENGINE": "clickhouse",
                "KSNAPSHOT_CRONJOB": "j",
                "KSNAPSHOT_SHARDS": "2",
                "KSNAPSHOT_JOB": "job",
                "KSNAPSHOT_JOB_UID": "uid-1",
                "JOB_COMPLETION_INDEX": str(index),
                "KSNAPSHOT_DEADLINE_SECONDS": "3600",
                "BACKEND_TYPE": "s3",
                "BACKEND_BUCKET": "bucket",
                "CLICKHOUSE_HOST": "ch",
                "HOSTNAME": f"job-{index}",
            },
            ENGINES,
        )
        found = None
        with suppress(KilledError):
            found = dump_share(
                job,
                engine=engine(index + 1),
                started=moment,
                interrupt=Interrupt(),
                now=lambda: moment,
            )
        return None if life.is_over else found

    def manifests(self) -> list[Manifest]:
        records = map(read_record, self.bucket.objects.values())
        return [record for record in records if isinstance(record, Manifest)]

    def check(self) -> None:
        """There is one backup, with all of both shards, as its manifest says."""
        [manifest] = self.manifests()
        read = {}
        for item in manifest.objects:
            body = self.bucket.objects[item.key]
            assert hashlib.sha256(body).hexdigest() == item.sha256
            read[item.part] = item.source_sha256
        assert read == {
            (f"s{shard}", part): hashlib.sha256(f"{shard} {part}".encode()).hexdigest()
            for shard in (1, 2)
            for part in ("schema", *TABLES)
        }
        assert len(manifest.objects) == len(read)
        dumped = {key for key in self.bucket.objects if "manifests/" not in key}
        assert dumped <= set(manifest.begun.keys)


@pytest.mark.parametrize("before", [True, False], ids=["request", "answer"])
@pytest.mark.parametrize("first", [0, 1], ids=["first", "last"])
def test_a_pod_killed_at_any_request_is_followed_by_one_that_makes_the_backup_whole(
    monkeypatch: pytest.MonkeyPatch, first: int, *, before: bool
) -> None:
    at, was_killed, taken_over = 1, True, set[int]()
    while was_killed:
        pods = Pods(monkeypatch=monkeypatch)
        if first:
            assert pods.run(0, Life()) is not None
        was_killed = pods.run(first, Life(at=at, before=before)) is None
        ended = pods.run(first, Life())
        assert ended is not None, at
        if not first:
            assert ended.outcome == PART
            assert pods.manifests() == []
            ended = pods.run(1, Life())
            assert ended is not None
        assert ended.outcome == ""
        pods.check()
        taken_over.add(sum("-try2/" not in item.key for item in pods.manifests()[0].objects))
        at += 3
    # Those of the other pod, and of this one none, each more, or all.
    assert taken_over >= {5, 6, 8}


def test_a_pod_that_was_taken_for_gone_at_any_request_harms_nothing_once_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at, was_held, ends = 1, True, Counter[str]()
    while was_held:
        pods, life = Pods(monkeypatch=monkeypatch), Held(at=at)
        with ThreadPoolExecutor(1) as pool:
            late = pool.submit(pods.run, 0, life)
            # By its end, too, where it makes fewer requests.
            late.add_done_callback(life.show)
            life.is_held.wait()
            was_held = not late.done()
            assert pods.run(0, Life()) is not None
            last = pods.run(1, Life())
            assert last is not None
            assert last.outcome == ""
            life.goes_on.set()
            error = late.exception()
            if error is None:
                ended = late.result()
                ends[ended.outcome if ended else "killed"] += 1
            else:
                assert "another pod of the shard has taken over" in str(error)
                ends[type(error).__name__] += 1
        pods.check()
        at += 1
    assert ends.keys() == {"", PART, InterruptedRunError.__name__}
