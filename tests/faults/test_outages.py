"""A real store that is killed and started again at any moment of a dump: the dump goes on.

`KSNAPSHOT_FAULTS=all` tries outages of up to two minutes at many moments, and a store that falls
silent; otherwise a few short ones by `KSNAPSHOT_FAULT_SEED`.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.test_every_fault import World
from tests.integration.dumpers.generated import SIZE
from tests.paths import REPOSITORY
from tests.testbed.proxies.faults import Hang
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.stores import s3 as s3_testbed
from tests.testbed.stores.s3 import S3Server

_ALL = os.environ.get("KSNAPSHOT_FAULTS") == "all"
# Seconds of an outage, and how many of them there are.
_OUTAGES: Mapping[float, int] = {1: 10, 4: 10, 30: 6, 120: 4} if _ALL else {1: 1}
# Dumps side by side, begun one after the other, so that one outage meets several moments.
_TOGETHER = 3
_MIB, _BANDWIDTH = 44 if _ALL else 22, "5Mi"
# Longer than any outage here.
_LONGEST = 400


@pytest.fixture
def own() -> Iterator[S3Server]:
    """A server that no other test uses."""
    with s3_testbed.start() as server:
        yield server


@dataclass(frozen=True, slots=True, kw_only=True)
class Dumps:
    """Dumps of a generated stream, as processes."""

    world: World
    folder: Path
    endpoint: str

    def start(self, name: str) -> "subprocess.Popen[bytes]":
        folder = self.folder / name
        folder.mkdir()
        env = self.world.env(self.endpoint, f"pod-{name}") | {
            SIZE: str(_MIB),
            "BACKEND_S3_PATIENCE": "",
            "BACKEND_S3_MAX_BANDWIDTH": _BANDWIDTH,
            "KSNAPSHOT_TERMINATION_LOG": str(folder / "result"),
            "PATH": os.environ["PATH"],
        }
        with (folder / "log").open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.integration.dumpers.generated"],
                cwd=REPOSITORY,
                env=env,
                stderr=log,
            )

    def log(self, name: str) -> str:
        return (self.folder / name / "log").read_text()

    def waits(self, name: str) -> list[str]:
        """What the run wanted to do each time that it began to wait: upload, write, read, …"""
        lines = [json.loads(line) for line in self.log(name).splitlines()]
        return [
            line["why"].split()[1] for line in lines if line["message"] == "waiting for the store"
        ]


@pytest.mark.timeout(3600)
def test_a_store_that_is_killed_and_started_again_ends_no_dump(
    own: S3Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dice = random.Random(os.environ.get("KSNAPSHOT_FAULT_SEED", "1"))
    bucket = own.create_bucket("outages")
    dumps = Dumps(world=World(own, bucket), folder=tmp_path, endpoint=own.endpoint)
    began = time.monotonic()
    assert dumps.start("plain").wait(_LONGEST) == 0, dumps.log("plain")
    lasts = time.monotonic() - began
    waits: Counter[str] = Counter()
    count = 1
    for seconds, moments in _OUTAGES.items():
        for moment in range(moments):
            names = [f"{seconds}-{moment}-{number}" for number in range(_TOGETHER)]
            running = {}
            for name in names:
                running[name] = dumps.start(name)
                time.sleep(dice.uniform(0, lasts / _TOGETHER))
            with own.away():
                time.sleep(seconds)
            for name, process in running.items():
                assert process.wait(_LONGEST) == 0, dumps.log(name)
                waits.update(dumps.waits(name))
            count += _TOGETHER
            assert own.uploads(bucket) == []
    backups = dumps.world.backups()
    assert len(backups) == count
    assert all(backups.values())
    with capsys.disabled():
        outages = ", ".join(f"{n} of {seconds:g} s" for seconds, n in _OUTAGES.items())
        print(f"\n{count} dumps of {lasts:.1f} s, outages: {outages}: {count} backups, 0 open")
        print(f"waited at: {dict(waits)}")


# It takes minutes: nothing for every change.
if _ALL:

    @pytest.mark.timeout(600)
    def test_a_store_that_falls_silent_ends_no_dump(own: S3Server, tmp_path: Path) -> None:
        bucket = own.create_bucket("silence")
        with HttpProxy("127.0.0.1", own.port) as proxy:
            dumps = Dumps(world=World(own, bucket), folder=tmp_path, endpoint=proxy.url)
            process = dumps.start("silent")
            while not proxy.seen("PUT", "partNumber=2"):
                time.sleep(0.05)
            proxy.set(Hang())
            # What is under way is dropped by the change; what comes hangs.
            time.sleep(65)
            waits = dumps.waits("silent")
            proxy.clear()
            assert process.wait(_LONGEST) == 0, dumps.log("silent")
        assert waits
        assert own.uploads(bucket) == []
        assert all(dumps.world.backups().values())
