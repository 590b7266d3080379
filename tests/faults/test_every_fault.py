"""One fault at each request of a small dump, and an end at any moment: never a bad backup.

The dump is one that makes every kind of request: it sweeps what a crashed run left, and reads back.
`KSNAPSHOT_FAULTS=all` runs every case, any other text those whose name has it; without, a selection
by `KSNAPSHOT_FAULT_SEED`.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dumpers.contract.jobs import DumpJob
from dumpers.engines.registry import ENGINES
from dumpers.repository.keys import Run
from dumpers.repository.record_json import digest, write_record
from dumpers.repository.records import StartedRecord
from dumpers.runs import backup
from dumpers.runtime.errors import ExitCode, KsnapshotError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.generated import SIZE, Generated
from tests.paths import REPOSITORY
from tests.testbed.dumper import CRONJOB, PATIENCE_SECONDS, storage_env
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Cut, Fault, Hang, Rule, Status, Truncate
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.stores.s3 import S3Server

_SELECTED = 20
_MOMENTS = 100
_TOGETHER = 3
_MIB = 22
_DAY = timedelta(days=1)
# How long a dump may take where the store says nothing.
_DEADLINE = 6.0


def _said(code: int, name: str) -> Status:
    return Status(code, f"<Error><Code>{name}</Code><Message>no</Message></Error>".encode())


FAULTS: dict[str, Fault] = {
    "403": _said(403, "AccessDenied"),
    "500": _said(500, "InternalError"),
    "503": _said(503, "SlowDown"),
    "reset": Cut(of="request"),
    "lost answer": Cut(),
    "hang": Hang(),
    "truncated": Truncate(after=20),
}
ALLOWED = {
    "403": {ExitCode.STORAGE_REFUSED},
    "hang": {ExitCode.INTERRUPTED},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The fault at the request with this number: that once, or every request like it."""

    index: int
    fault: str
    once: bool

    def __str__(self) -> str:
        return f"{self.fault} {'once' if self.once else 'always'} at request {self.index}"


class World:
    """A bucket of its own with what a crashed run left, and dumps into it."""

    def __init__(self, s3: S3Server, bucket: str) -> None:
        self.s3, self.bucket = s3, bucket
        self.started = datetime.now(UTC).replace(microsecond=0)
        self.count = 0
        self.said = ""
        crashed = self.run("crashed", self.started - _DAY)
        record = StartedRecord(
            run=crashed.id,
            cluster="test",
            workload="demo/db",
            cronjob=CRONJOB,
            pod=crashed.host,
            engine="postgresql",
            bucket=bucket,
            started=crashed.started,
            deadline_seconds=60,
            keys=("ksnapshot/crashed-0", "ksnapshot/crashed-1"),
        )
        client = s3.client()
        body = write_record(record)
        client.put_object(Bucket=bucket, Key=crashed.started_key, Body=body)
        client.create_multipart_upload(Bucket=bucket, Key=record.keys[0])
        client.put_object(
            Bucket=bucket, Key=record.keys[1], Body=b"x", Metadata={"ksnapshot-run": crashed.id}
        )

    def run(self, name: str, started: datetime) -> Run:
        return Run(
            path="ksnapshot",
            cluster="test",
            cronjob=CRONJOB,
            host=f"pod-{name}",
            started=started,
            id=name,
        )

    def env(self, endpoint: str, host: str) -> dict[str, str]:
        return {
            **storage_env(self.s3, self.bucket),
            "BACKEND_S3_ENDPOINT": endpoint,
            "BACKEND_S3_PATIENCE": "1",
            "POSTGRESQL_HOST": "nowhere",
            "POSTGRESQL_USERNAME": "u",
            "POSTGRESQL_PASSWORD": "p",
            "POSTGRESQL_DATABASE": "generated",
            "KSNAPSHOT_ENGINE": "postgresql",
            "KSNAPSHOT_CLUSTER": "test",
            "KSNAPSHOT_CRONJOB": CRONJOB,
            "KSNAPSHOT_DEADLINE_SECONDS": "600",
            "KSNAPSHOT_PART_SIZE_MIB": "5",
            "KSNAPSHOT_VERIFY": "read-back",
            "HOSTNAME": host,
        }

    def dump(self, endpoint: str, *, seconds: float | None = None) -> ExitCode:
        """One dump in this process; each is a day after the one before."""
        self.count += 1
        name = f"run{self.count}"
        started = self.started + self.count * _DAY
        try:
            backup.dump(
                DumpJob.from_env(self.env(endpoint, f"pod-{name}"), ENGINES),
                engine=Generated(_MIB),
                started=started,
                run_id=name,
                interrupt=Interrupt(seconds),
                now=lambda: started,
            )
        except KsnapshotError as error:
            self.said = str(error)
            return error.exit_code
        return ExitCode.DONE

    def backups(self) -> dict[str, bool]:
        """Every run's folder that has a manifest, and whether all it names is whole."""
        found = {}
        for key in self.s3.objects(self.bucket):
            if key.endswith("manifest.json"):
                document = json.loads(self.s3.read(self.bucket, key))
                if document["record"] != "manifest":
                    continue
                bodies = [
                    (item, self.s3.read(self.bucket, item["key"])) for item in document["objects"]
                ]
                found[document["run"]] = document["digest"] == digest(document) and all(
                    (len(body), hashlib.sha256(body).hexdigest()) == (item["size"], item["sha256"])
                    for item, body in bodies
                )
        return found


@pytest.mark.timeout(3600)
def test_whatever_request_fails_there_is_no_bad_backup(
    s3: S3Server, bucket: str, faults: Faults, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = faults.http(s3.port)
    assert World(s3, bucket).dump(clean.url) == ExitCode.DONE
    requests = len(clean.seen())
    cases = [
        Case(index=index, fault=fault, once=once)
        for index in range(1, requests + 1)
        for fault in FAULTS
        for once in (True, False)
    ]
    chosen = _select(cases)
    ended: Counter[str] = Counter()
    for number, case in enumerate(chosen):
        name = s3.create_bucket(f"{bucket}-{number}")
        proxy = faults.http(s3.port)
        ended[_try(World(s3, name), proxy, case).name] += 1
        proxy.stop()
    with capsys.disabled():
        print(
            f"\n{len(chosen)} of {len(cases)} single faults at {requests} requests: {dict(ended)}"
        )


def _try(world: World, proxy: HttpProxy, case: Case) -> ExitCode:
    fault = FAULTS[case.fault]
    if case.once:
        proxy.set(Rule(fault, nth=case.index))
    else:
        # The requests of two runs differ in nothing but names and numbers that are made anew.
        with_proxy = World(world.s3, world.s3.create_bucket(f"{world.bucket}-p"))
        with_proxy.dump(proxy.url)
        seen = proxy.seen()[case.index - 1]
        proxy.forget()
        proxy.set(Rule(fault, seen.method, _kind(seen.path)))
    code = world.dump(proxy.url, seconds=_DEADLINE if case.fault == "hang" else None)
    proxy.clear()
    allowed = ALLOWED.get(case.fault, {ExitCode.STORAGE_FAILED}) | {ExitCode.DONE}
    assert code in allowed, case
    backups = world.backups()
    assert all(backups.values()), case
    if code == ExitCode.DONE:
        assert "run1" in backups, case
    assert world.dump(world.s3.endpoint) == ExitCode.DONE, (case, world.said)
    assert world.s3.uploads(world.bucket) == [], case
    return code


def _kind(path: str) -> str:
    """A pattern for requests like this one."""
    place, _, query = path.partition("?")
    ending = place.rpartition("/")[2]
    if ending.startswith("dump-"):
        ending = r"\.sql\.gz"
    elif ending.startswith(("verified-", "damaged-")):
        ending = ending.partition("-")[0] + "-"
    first = query.partition("=")[0].partition("&")[0]
    return f"{ending}{rf'.*[?&]{first}' if first else '$'}"


def _select(cases: list[Case]) -> list[Case]:
    wanted = os.environ.get("KSNAPSHOT_FAULTS", "")
    if wanted:
        return [case for case in cases if wanted == "all" or wanted in str(case)]
    seed = os.environ.get("KSNAPSHOT_FAULT_SEED", "1")
    return random.Random(seed).sample(cases, min(_SELECTED, len(cases)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    number: signal.Signals
    code: int
    log: str


@pytest.mark.timeout(1800)
def test_whenever_a_dump_is_ended_there_is_no_bad_backup(
    s3: S3Server, bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(s3, bucket)
    dice = random.Random(os.environ.get("KSNAPSHOT_FAULT_SEED", "1"))

    def run(number: int, ending: signal.Signals | None, moment: float) -> Killed:
        folder = tmp_path / str(number)
        folder.mkdir()
        env = world.env(s3.endpoint, f"pod-killed-{number}")
        env |= {SIZE: str(_MIB), "KSNAPSHOT_TERMINATION_LOG": str(folder / "result")}
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.dumpers.generated"],
                cwd=REPOSITORY,
                env=env | {"PATH": os.environ["PATH"]},
                stderr=log,
            )
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.send_signal(ending or signal.SIGKILL)
        code = process.wait(PATIENCE_SECONDS)
        return Killed(number=ending or signal.SIGKILL, code=code, log=(folder / "log").read_text())

    with ThreadPoolExecutor(_TOGETHER) as pool:
        began = datetime.now(UTC)
        whole = list(pool.map(lambda number: run(number, None, PATIENCE_SECONDS), range(_TOGETHER)))
        lasts = (datetime.now(UTC) - began).total_seconds()
        assert [item.code for item in whole] == [0] * _TOGETHER, whole[0].log
        moments = [
            (number, dice.choice((signal.SIGTERM, signal.SIGKILL)), dice.uniform(0, lasts))
            for number in range(_TOGETHER, _TOGETHER + _MOMENTS)
        ]
        ended = list(pool.map(lambda moment: run(*moment), moments))
    for item in ended:
        # Before Python has come to block it, SIGTERM ends a process by itself.
        killed = {-signal.SIGKILL} if item.number == signal.SIGKILL else {14, -signal.SIGTERM}
        assert item.code in killed | {0}, item.log
    backups = world.backups()
    assert all(backups.values())
    done = sum(item.code == 0 for item in (*whole, *ended))
    # One that was ended after its manifest is a backup, too.
    assert done <= len(backups) <= done + sum(item.code != 0 for item in ended)
    left = len(s3.uploads(bucket))
    world.count = 1
    assert world.dump(s3.endpoint) == ExitCode.DONE
    assert s3.uploads(bucket) == []
    codes = Counter(item.code for item in ended)
    with capsys.disabled():
        print(
            f"\n{len(ended)} dumps ended at random moments within {lasts:.1f} s: exit codes "
            f"{dict(codes)}, {len(backups)} backups, 0 bad; {left} open uploads, 0 after the next"
        )
