"""Dumps of several streams: some at a time, in one manifest, and all or none."""

import contextlib
import gzip
import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from dumpers.contract.connection import DumpSource
from dumpers.contract.jobs import DumpJob
from dumpers.contract.result import DumpResult
from dumpers.engines.protocol import Dump, DumpStream, SourceInfo
from dumpers.engines.registry import ENGINES
from dumpers.repository.record_json import read_record
from dumpers.repository.records import FailedRecord
from dumpers.runs import backup
from dumpers.runtime.errors import ExitCode, KsnapshotError, SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader
from tests.testbed.dumper import CRONJOB, PATIENCE_SECONDS, storage_env
from tests.testbed.stores.s3 import S3Server

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Endless:
    """Gives bytes until the run has to stop."""

    def __init__(self, interrupt: Interrupt, begun: threading.Event) -> None:
        self._interrupt = interrupt
        self._begun = begun

    def read(self, size: int = -1, /) -> bytes:
        self._interrupt.check()
        self._begun.set()
        return bytes(size if size >= 0 else 1 << 17)


class Failing:
    def __init__(self, error: KsnapshotError, when: threading.Event) -> None:
        self._error = error
        self._when = when

    def read(self, size: int = -1, /) -> bytes:
        assert self._when.wait(PATIENCE_SECONDS)
        raise self._error


@dataclass(kw_only=True)
class Engine:
    """An engine without a database: what its streams are is given."""

    streams_of: Sequence[DumpStream]
    parallel: int
    left: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def open(self, job: DumpSource, interrupt: Interrupt) -> Iterator[Dump]:
        info = SourceInfo(server_version="1", tool_version="1", estimate=0, parallel=self.parallel)
        yield Dump(info=info, streams=self.streams_of)
        self.left.append("whole")


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A stream without a database: what it does is given."""

    part: tuple[str, ...]
    reader: Callable[[Interrupt], Reader]
    say: Callable[[], Mapping[str, Any]]
    concurrency_group: str
    may_retry: Callable[[KsnapshotError], bool]
    name: str = "db"
    ending: str = ".sql"
    estimate: int = 0

    def open(self, interrupt: Interrupt) -> AbstractContextManager[Reader]:
        return nullcontext(self.reader(interrupt))

    def metadata(self) -> Mapping[str, Any]:
        return self.say()

    def can_retry(self, error: KsnapshotError) -> bool:
        return self.may_retry(error)


def stream(
    name: str,
    reader: Callable[[Interrupt], Reader],
    metadata: Callable[[], Mapping[str, Any]] = dict,
    *,
    concurrency_group: str = "",
    can_retry: Callable[[KsnapshotError], bool] = lambda _: False,
) -> DumpStream:
    return Stream(
        part=(name,),
        reader=reader,
        say=metadata,
        concurrency_group=concurrency_group,
        may_retry=can_retry,
    )


def text(name: str) -> bytes:
    return f"rows of {name}\n".encode() * 1000


def table(name: str) -> DumpStream:
    return stream(name, lambda _: io.BytesIO(text(name)), lambda: {"rows": len(name)})


def dump(s3: S3Server, bucket: str, engine: Engine) -> DumpResult:
    env = {
        **storage_env(s3, bucket),
        "POSTGRESQL_HOST": "nowhere",
        "POSTGRESQL_USERNAME": "u",
        "POSTGRESQL_PASSWORD": "p",
        "POSTGRESQL_DATABASE": "db",
        "KSNAPSHOT_ENGINE": "postgresql",
        "KSNAPSHOT_CLUSTER": "test",
        "KSNAPSHOT_CRONJOB": CRONJOB,
        "HOSTNAME": "pod",
    }
    return backup.dump(
        DumpJob.from_env(env, ENGINES),
        engine=engine,
        started=MOMENT,
        run_id="run",
        interrupt=Interrupt(PATIENCE_SECONDS),
        now=lambda: MOMENT,
    )


@pytest.mark.parametrize("parallel", [1, 3])
def test_every_stream_is_an_object_of_the_one_manifest(
    s3: S3Server, bucket: str, parallel: int
) -> None:
    names = [f"t{number}" for number in range(7)]
    engine = Engine(streams_of=[table(name) for name in names], parallel=parallel)
    result = dump(s3, bucket, engine)
    assert (result.key_count, engine.left) == (7, ["whole"])
    document = json.loads(s3.read(bucket, f"{result.record}manifest.json"))
    assert [item["part"] for item in document["objects"]] == [[name] for name in names]
    assert [item["metadata"] for item in document["objects"]] == [{"rows": 2}] * 7
    for name, item in zip(names, document["objects"], strict=True):
        assert item["key"].endswith(f"/dump-pod-db-20260102030405/{name}.sql.gz")
        assert gzip.decompress(s3.read(bucket, item["key"])) == text(name)


def test_streams_may_begin_in_another_order_than_they_are_loaded(s3: S3Server, bucket: str) -> None:
    begun: list[str] = []

    @dataclass(frozen=True, kw_only=True)
    class Placed(Stream):
        begins: int

    def placed(name: str, begins: int) -> DumpStream:
        def reader(_: Interrupt) -> Reader:
            begun.append(name)
            return io.BytesIO(text(name))

        return Placed(
            part=(name,),
            reader=reader,
            say=dict,
            concurrency_group="",
            may_retry=lambda _: False,
            begins=begins,
        )

    streams = [placed("pre", 0), placed("rows", 2), placed("more", 2), placed("post", 1)]
    result = dump(s3, bucket, Engine(streams_of=streams, parallel=1))
    document = json.loads(s3.read(bucket, f"{result.record}manifest.json"))
    assert [item["part"] for item in document["objects"]] == [["pre"], ["rows"], ["more"], ["post"]]
    assert begun == ["pre", "post", "rows", "more"]


def test_more_than_eight_streams_are_read_where_the_engine_says_so(
    s3: S3Server, bucket: str
) -> None:
    met = threading.Barrier(11, timeout=PATIENCE_SECONDS)

    def meeting(_: Interrupt) -> Reader:
        met.wait()
        return io.BytesIO(b"rows")

    streams = [stream(f"t{number}", meeting) for number in range(11)]
    assert dump(s3, bucket, Engine(streams_of=streams, parallel=11)).key_count == 11


def test_one_stream_that_fails_ends_the_others(s3: S3Server, bucket: str) -> None:
    begun = threading.Event()
    error = SourceFailedError("the second stream broke off")
    streams = [
        stream("endless", lambda interrupt: Endless(interrupt, begun)),
        stream("broken", lambda _: Failing(error, begun)),
        table("never"),
    ]
    engine = Engine(streams_of=streams, parallel=2)
    with pytest.raises(SourceFailedError, match="the second stream broke off"):
        dump(s3, bucket, engine)
    assert s3.uploads(bucket) == []
    failed, started = s3.objects(bucket)
    assert started.endswith("/started.json")
    # The others ended by a scope of their own, so that the run could still record why.
    record = read_record(s3.read(bucket, failed))
    assert isinstance(record, FailedRecord)
    assert (record.exit_code, record.reason) == (ExitCode.SOURCE_FAILED, "SourceFailed")
    assert record.message == "the second stream broke off"


def test_what_turns_out_in_the_end_counts_too(s3: S3Server, bucket: str) -> None:
    def short() -> Mapping[str, Any]:
        raise SourceFailedError("the server counted more rows")

    streams = [table("good"), stream("short", lambda _: io.BytesIO(b"x"), short)]
    with pytest.raises(SourceFailedError, match="counted more rows"):
        dump(s3, bucket, Engine(streams_of=streams, parallel=1))
    assert not any(key.endswith("manifest.json") for key in s3.objects(bucket))


def test_lanes_run_beside_each_other_and_a_lane_takes_no_more_than_asked(
    s3: S3Server, bucket: str
) -> None:
    lock = threading.Lock()
    under_way: dict[str, int] = {"a": 0, "b": 0}
    most: dict[str, int] = {"a": 0, "b": 0, "both": 0}
    met = threading.Barrier(4, timeout=PATIENCE_SECONDS)

    class Counted(io.BytesIO):
        def __init__(self, concurrency_group: str) -> None:
            super().__init__(b"rows")
            self._lane = concurrency_group
            with lock:
                under_way[concurrency_group] += 1
                most[concurrency_group] = max(most[concurrency_group], under_way[concurrency_group])
                most["both"] = max(most["both"], sum(under_way.values()))
            met.wait()

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            if not data:
                with lock:
                    under_way[self._lane] -= 1
            return data

    streams = [
        stream(
            f"{group}{number}",
            lambda _, group=group: Counted(group),  # type: ignore[misc]
            concurrency_group=group,
        )
        for group in ("a", "b")
        for number in range(4)
    ]
    assert dump(s3, bucket, Engine(streams_of=streams, parallel=2)).key_count == 8
    assert most == {"a": 2, "b": 2, "both": 4}


@pytest.mark.parametrize("when", ["while it is read", "in the end"])
@pytest.mark.parametrize("parallel", [1, 3])
def test_a_stream_that_may_be_read_again_is_stored_from_its_start(
    s3: S3Server, bucket: str, parallel: int, when: str
) -> None:
    tries: list[str] = []

    def reader(_: Interrupt) -> Reader:
        tries.append("read")
        if when == "while it is read" and len(tries) == 1:
            return Failing(SourceFailedError("the replica went away"), done)
        return io.BytesIO(f"try {len(tries)}".encode())

    def metadata() -> Mapping[str, Any]:
        if when == "in the end" and len(tries) == 1:
            raise SourceFailedError("the replica does not tell")
        return {"tries": len(tries)}

    done = threading.Event()
    done.set()
    asked: list[str] = []

    def again(error: KsnapshotError) -> bool:
        asked.append(str(error))
        return True

    streams = [table("a"), stream("b", reader, metadata, can_retry=again), table("c")]
    result = dump(s3, bucket, Engine(streams_of=streams, parallel=parallel))
    document = json.loads(s3.read(bucket, f"{result.record}manifest.json"))
    item = document["objects"][1]
    assert (item["part"], item["metadata"]) == (["b"], {"tries": 2})
    assert gzip.decompress(s3.read(bucket, item["key"])) == b"try 2"
    assert len(asked) == 1
    assert s3.uploads(bucket) == []


def test_withdrawn_streams_are_read_again_side_by_side(s3: S3Server, bucket: str) -> None:
    met = threading.Barrier(2, timeout=PATIENCE_SECONDS)
    tries = {"a": 0, "b": 0}

    def withdrawn(name: str) -> DumpStream:
        def reader(_: Interrupt) -> Reader:
            tries[name] += 1
            if tries[name] == 2:
                met.wait()
            return io.BytesIO(f"try {tries[name]}".encode())

        def metadata() -> Mapping[str, Any]:
            if tries[name] == 1:
                raise SourceFailedError("the replica does not tell")
            return {"tries": tries[name]}

        return stream(name, reader, metadata, can_retry=lambda _: True)

    asked: list[str] = []

    def once() -> Mapping[str, Any]:
        asked.append("c")
        return {}

    streams = [withdrawn("a"), stream("c", lambda _: io.BytesIO(b"c"), once), withdrawn("b")]
    result = dump(s3, bucket, Engine(streams_of=streams, parallel=2))
    document = json.loads(s3.read(bucket, f"{result.record}manifest.json"))
    assert [item["part"] for item in document["objects"]] == [["a"], ["c"], ["b"]]
    for item in (document["objects"][0], document["objects"][2]):
        assert item["metadata"] == {"tries": 2}
        assert gzip.decompress(s3.read(bucket, item["key"])) == b"try 2"
    assert asked == ["c"]
    assert s3.uploads(bucket) == []
