"""Pods that share a run are killed at any request, in any order: one manifest or none, never less.

`KSNAPSHOT_FAULTS=all` tries many kills, otherwise a few by `KSNAPSHOT_FAULT_SEED`.
"""

import hashlib
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dumpers.contract.result import PART
from dumpers.runtime.errors import ExitCode
from tests.integration.dumpers.clickhouse.conftest import Dumps, started
from tests.integration.dumpers.clickhouse.pods import Pods
from tests.testbed.databases.clickhouse import Cluster
from tests.testbed.dumper import Dumper, Ended
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Hang, Rule
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.processes import wait_until

_ALL, _SOME = 50, 4
# More requests than a pod makes here are not worth waiting for.
_REQUESTS = 45
_SHARDS = 2


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with started(shards=_SHARDS, replicas=1) as running:
        for number, replica in enumerate(running.replicas):
            replica.sql("CREATE DATABASE shop")
            for name in ("orders", "visits"):
                replica.sql(f"CREATE TABLE shop.{name} (k UInt64) ENGINE = MergeTree ORDER BY k")
                replica.sql(f"INSERT INTO shop.{name} SELECT number FROM numbers({number + 10})")
        yield running


@dataclass(kw_only=True)
class Jobs:
    """Jobs whose pods reach the store through a proxy, each pod a process in a folder."""

    dumps: Dumps
    cluster: Cluster
    proxy: HttpProxy
    folder: Path
    dice: random.Random
    kills: int = 0
    ended: Counter[str] = field(default_factory=Counter)

    def run(self, uid: str, kills: int) -> None:
        """A Job of which so many pods are killed, until every shard has had a pod that succeeded.

        As the Job controller does it: a shard's pod is made anew until one succeeds.
        """
        pods = Pods(dumps=self.dumps, cluster=self.cluster, uid=uid, shards=_SHARDS)
        open_shards = list(range(_SHARDS))
        before = len(self._manifests())
        while open_shards:
            index = self.dice.choice(open_shards)
            pod = pods.process(
                index,
                self.folder / f"{uid}-{self.kills}-{index}",
                {"BACKEND_S3_ENDPOINT": self.proxy.url},
            )
            if kills and self._kill(pod):
                kills -= 1
                self.kills += 1
            else:
                if pod.process is None:
                    pod.start()
                ended = pod.wait()
                assert ended.exit_code == ExitCode.DONE, (uid, ended.log)
                self._count(ended)
                open_shards.remove(index)
            assert len(self._manifests()) in {before, before + 1}
            self.check()
        assert len(self._manifests()) == before + 1

    def run_last_at_once(self, uid: str) -> None:
        """A Job all of whose pods run beside each other, to their ends."""
        pods = Pods(dumps=self.dumps, cluster=self.cluster, uid=uid, shards=_SHARDS)
        made = [pods.process(index, self.folder / f"{uid}-{index}") for index in range(_SHARDS)]
        for pod in made:
            pod.start()
        for pod in made:
            ended = pod.wait()
            assert ended.exit_code == ExitCode.DONE, ended.log
            self._count(ended)
        self.check()

    def check(self) -> None:
        """Each run has one manifest, with every shard, and what it names is stored as it says."""
        folders = Counter(key.rpartition("/")[0] for key in self._manifests())
        assert set(folders.values()) <= {1}
        for key in self._manifests():
            document = self._read(key)
            assert document["record"] == "manifest"
            rows = {
                (item["part"][0], table["table"]): table["rows"]
                for item in document["objects"]
                for table in item["metadata"].get("tables", ())
            }
            assert rows == {
                (f"s{shard + 1}", name): shard + 10
                for shard in range(_SHARDS)
                for name in ("orders", "visits")
            }
            for item in document["objects"]:
                body = self.dumps.s3.read(self.dumps.bucket, item["key"])
                assert hashlib.sha256(body).hexdigest() == item["sha256"], item["key"]
            assert {item["key"] for item in document["objects"]} <= set(document["keys"])

    def _kill(self, pod: Dumper) -> bool:
        """Kill a pod at a request, before or after the store has done it; false where it ended."""
        number = self.dice.randrange(1, _REQUESTS)
        side = self.dice.choice(("request", "response"))
        before = len(self.proxy.seen())
        self.proxy.set(Rule(Hang(of="request" if side == "request" else "response"), nth=number))
        pod.start()
        process = pod.process
        assert process is not None

        def is_there() -> bool:
            asked = self.proxy.seen()[before + number - 1 :]
            met = bool(asked) and (side == "request" or asked[0].status is not None)
            return process.poll() is not None or met

        wait_until(is_there, seconds=60, what="the request to be made")
        is_killed = process.poll() is None
        if is_killed:
            process.kill()
            process.wait()
            self.ended[f"killed at a {side}"] += 1
        self.proxy.clear()
        return is_killed

    def _count(self, ended: Ended) -> None:
        self.ended["part" if ended.result.outcome == PART else "whole"] += 1

    def _manifests(self) -> list[str]:
        return self.dumps.manifests()

    def _read(self, key: str) -> Any:
        return json.loads(self.dumps.s3.read(self.dumps.bucket, key))


@pytest.mark.timeout(1800)
def test_pods_killed_at_any_request_leave_one_manifest_of_all_shards(
    cluster: Cluster,
    s3: S3Server,
    bucket: str,
    tmp_path: Path,
    faults: Faults,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seed = os.environ.get("KSNAPSHOT_FAULT_SEED", "1")
    wanted = _ALL if os.environ.get("KSNAPSHOT_FAULTS") == "all" else _SOME
    jobs = Jobs(
        dumps=Dumps(s3=s3, bucket=bucket),
        cluster=cluster,
        proxy=faults.http(s3.port),
        folder=tmp_path,
        dice=random.Random(seed),
    )
    runs = 0
    while jobs.kills < wanted:
        jobs.run(f"uid-{runs}", kills=jobs.dice.randrange(1, 5))
        runs += 1
    for number in range(max(wanted // 10, 1)):
        jobs.run_last_at_once(f"at-once-{number}")
        runs += 1
    assert len(jobs.dumps.manifests()) == runs
    with capsys.disabled():
        print(f"\n{jobs.kills} kills in {runs} runs: {dict(jobs.ended)}; seed {seed}")
