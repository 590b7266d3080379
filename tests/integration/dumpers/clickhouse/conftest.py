"""Real ClickHouse clusters, and dumps of them into a real store."""

import contextlib
import gzip
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any

import pytest

from dumpers.contract.connection import Connection, DumpSource
from dumpers.contract.jobs import DumpJob
from dumpers.engines.clickhouse.engine import ENGINE
from dumpers.engines.protocol import Dump, DumpStream, StoredDump
from dumpers.engines.registry import ENGINES
from dumpers.runs import backup
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader
from tests.integration.dumpers.clickhouse.changed import LATER, SHOP, databases
from tests.testbed.databases import clickhouse, clickhouse_front
from tests.testbed.databases.clickhouse import Cluster
from tests.testbed.databases.clickhouse_config import Account
from tests.testbed.databases.clickhouse_front import Front
from tests.testbed.databases.clickhouse_http import Login
from tests.testbed.dumper import CRONJOB, PATIENCE_SECONDS, storage_env
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.require import require

NOW = Interrupt()
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@contextlib.contextmanager
def started(
    *, shards: int = 2, replicas: int = 2, accounts: Sequence[Account] = ()
) -> Iterator[Cluster]:
    """A cluster of the oldest release, where this machine can have one."""
    problem = clickhouse.problem()
    require(not problem, problem)
    with clickhouse.start_cluster(shards=shards, replicas=replicas, accounts=accounts) as running:
        yield running


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Two shards of two replicas."""
    with started() as running:
        yield running


@pytest.fixture(scope="module")
def calm() -> Iterator[Cluster]:
    """A cluster of which tests of one module end no server."""
    with started() as running:
        yield running


@pytest.fixture
def empty() -> Iterator[Cluster]:
    """A second cluster, to load a dump into."""
    with started() as running:
        yield running


@pytest.fixture(scope="session")
def front() -> Iterator[Front]:
    """The newest engine behind an HTTP server."""
    with clickhouse_front.start_front() as running:
        yield running


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A backup in the bucket, as its manifest describes it."""

    s3: S3Server
    bucket: str
    document: Mapping[str, Any] = field(repr=False)

    @property
    def objects(self) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = self.document["objects"]
        return found

    @property
    def notes(self) -> str:
        return "\n".join(map(str, self.document["notes"]))

    def noted(self, code: str) -> set[str]:
        """The names of what notes of a code are about, or their texts where it is nothing."""
        notes = [note for note in self.document["notes"] if note["code"] == code]
        return {name for note in notes for name in note["objects"] or [note["text"]]}

    @property
    def codes(self) -> set[str]:
        return {note["code"] for note in self.document["notes"]}

    def script(self, kind: str) -> str:
        """The statements of all scripts of a kind."""
        return "".join(
            self.read(item).decode()
            for item in self.objects
            if item["metadata"].get("script") == kind
        )

    def part(self, *names: str) -> Mapping[str, Any]:
        [found] = [item for item in self.objects if item["part"] == list(names)]
        return found

    def read(self, item: Mapping[str, Any]) -> bytes:
        return gzip.decompress(self.s3.read(self.bucket, item["key"]))

    def pieces(self) -> list[StoredDump]:
        """What a restore is given."""

        def opened(item: Mapping[str, Any]) -> AbstractContextManager[Reader]:
            return contextlib.nullcontext(io.BytesIO(self.read(item)))

        return [
            StoredDump(
                name=item["name"],
                part=tuple(item["part"]),
                ending=f".{item['key'].rpartition('/')[2].split('.')[-2]}",
                size=item["source_size"],
                metadata=item["metadata"],
                open=partial(opened, item),
            )
            for item in self.objects
        ]

    def tables(self) -> dict[tuple[str, str, str], Mapping[str, Any]]:
        """What is said of each table, by label, database and table."""
        return {
            (item["part"][0], table["database"], table["table"]): table
            for item in self.objects
            for table in item["metadata"].get("tables", ())
        }


def connection(server: Cluster | Front) -> Connection:
    """The way to a server as somebody who may do everything; of a cluster, to its first."""
    host = server.host if isinstance(server, Front) else server.replica(1, 1).host
    return Connection(
        host=host,
        port=server.http_port,
        username=server.admin.user,
        password=server.admin.password,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dumps:
    """Dumps of a server into the bucket of the test."""

    s3: S3Server
    bucket: str

    def env(
        self,
        host: str,
        port: int,
        login: Login,
        options: Mapping[str, str] = MappingProxyType({}),
    ) -> dict[str, str]:
        return {
            **storage_env(self.s3, self.bucket),
            "CLICKHOUSE_HOST": host,
            "CLICKHOUSE_PORT": str(port),
            "CLICKHOUSE_USERNAME": login.user,
            "CLICKHOUSE_PASSWORD": login.password,
            "KSNAPSHOT_ENGINE": "clickhouse",
            "KSNAPSHOT_CLUSTER": "test",
            "KSNAPSHOT_CRONJOB": CRONJOB,
            "HOSTNAME": "pod",
            **options,
        }

    def of(
        self,
        cluster: Cluster,
        options: Mapping[str, str] = MappingProxyType({}),
        *,
        midway: "Event | None" = None,
        at_end: "Event | None" = None,
    ) -> Backup:
        """Dump all that the cluster's reader may read, from its first replica.

        What is to happen while a table is read, or right after it, is named by the label of the
        shard or replica, and the table.
        """
        env = self.env(cluster.replica(1, 1).host, cluster.http_port, cluster.reader, options)
        return self.run(env, midway=midway, at_end=at_end)

    def of_front(self, front: Front, options: Mapping[str, str] = MappingProxyType({})) -> Backup:
        return self.run(self.env(front.host, front.http_port, front.admin, options))

    def run(
        self,
        env: Mapping[str, str],
        *,
        midway: "Event | None" = None,
        at_end: "Event | None" = None,
    ) -> Backup:
        """Make a backup."""
        engine = _Eventful(midway=midway, at_end=at_end)
        result = backup.dump(
            DumpJob.from_env(env, ENGINES),
            engine=engine,
            started=MOMENT,
            run_id=f"run-{len(self.s3.objects(self.bucket))}",
            interrupt=Interrupt(PATIENCE_SECONDS),
            now=lambda: MOMENT,
        )
        document = json.loads(self.s3.read(self.bucket, f"{result.record}manifest.json"))
        return Backup(s3=self.s3, bucket=self.bucket, document=document)

    def manifests(self) -> list[str]:
        return [key for key in self.s3.objects(self.bucket) if key.endswith("manifest.json")]


Event = tuple[str, str, Callable[[], object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Eventful:
    """The engine, and what happens while it reads a table for the first time."""

    midway: Event | None
    at_end: Event | None

    @contextlib.contextmanager
    def open(self, job: DumpSource, interrupt: Interrupt) -> Iterator[Dump]:
        with ENGINE.open(job, interrupt) as dump:
            streams = [self._changed(stream) for stream in dump.streams]
            yield Dump(info=dump.info, streams=streams)

    def _changed(self, stream: DumpStream) -> DumpStream:
        for event, early in ((self.midway, True), (self.at_end, False)):
            if event and (stream.part[0], stream.part[-1]) == event[:2]:
                return _EventfulStream(stream, event[2], early=early)
        return stream


class _EventfulStream:
    """A stream during which something happens once: after its first bytes, or at its end."""

    def __init__(self, stream: DumpStream, event: Callable[[], object], *, early: bool) -> None:
        self._stream = stream
        self._left = [event]
        self._early = early
        self.name = stream.name
        self.part = stream.part
        self.ending = stream.ending
        self.estimate = stream.estimate
        self.concurrency_group = stream.concurrency_group
        self.metadata = stream.metadata
        self.can_retry = stream.can_retry

    @contextlib.contextmanager
    def open(self, interrupt: Interrupt) -> Iterator[Reader]:
        with self._stream.open(interrupt) as reader:
            yield _Midway(reader, self._left) if self._early else reader
        while self._left:
            self._left.pop()()


class _Midway:
    """A reader during which something happens, after its first bytes."""

    def __init__(self, source: Reader, left: list[Callable[[], object]]) -> None:
        self._source = source
        self._left = left

    def read(self, size: int = -1, /) -> bytes:
        data = self._source.read(min(size, 1000) if size >= 0 else 1000)
        while self._left:
            self._left.pop()()
        return data


@pytest.fixture
def dumps(s3: S3Server, bucket: str) -> Dumps:
    """Dumps into a bucket of their own."""
    return Dumps(s3=s3, bucket=bucket)


@pytest.fixture(scope="package")
def shop(s3: S3Server) -> Iterator[Backup]:
    """A backup of the shop as it was."""
    bucket = s3.create_bucket("restore-modes")
    with clickhouse_front.start_front() as front:
        for text in SHOP:
            front.sql(text)
        yield Dumps(s3=s3, bucket=bucket).of_front(front)


@pytest.fixture(scope="module")
def shop_front() -> Iterator[Front]:
    with clickhouse_front.start_front() as running:
        yield running


@pytest.fixture
def live(shop_front: Front) -> Iterator[Front]:
    """The shop as it went on since."""
    for text in (*SHOP, *LATER):
        shop_front.sql(text)
    yield shop_front
    for (name,) in [line.split("\t") for line in databases(shop_front)]:
        shop_front.sql(f"DROP DATABASE `{name}`")
