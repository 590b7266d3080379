"""A dumper as its container runs it: a process with an environment and a termination log."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from dumpers.contract.result import DumpResult
from dumpers.repository.keys import RunFolder
from tests.paths import REPOSITORY
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.processes import wait_until

DUMPING = ("pg_dump", "--no-password")
POD = "ksnapshot-postgresql-demo-db-c11184c0-29384756-x7k2p"
CRONJOB = "ksnapshot-postgresql-demo-db-c11184c0"
# Generous: what is asserted is how a run ends, never how fast this machine is.
PATIENCE_SECONDS = 120
_SECOND = timedelta(seconds=1)
# As the image of Elasticsearch and OpenSearch sets it: a dump's peak memory depends on it.
SEARCH_IMAGE_ENV = {"MALLOC_MMAP_THRESHOLD_": "262144"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a dumper's process ended."""

    exit_code: int
    result: DumpResult
    log: str

    def lines(self, message: str) -> list[dict[str, Any]]:
        """Fields of the log lines with this message."""
        parsed = [json.loads(line) for line in self.log.splitlines()]
        return [line for line in parsed if line["message"] == message]


@dataclass(kw_only=True)
class Dumper:
    """A dump job that has been set up and not been started yet; `env` may be changed."""

    env: dict[str, str]
    folder: Path
    verb: str = ""
    wrapper: tuple[str, ...] = ()
    """The command that runs it, such as one that gives it another view of the machine."""
    process: "subprocess.Popen[str] | None" = None
    _last: datetime | None = None
    """When its last run began that says so."""

    def start(self, **changes: str) -> psutil.Process:
        """Start it in the background, in another second than its last run: names go by seconds."""
        if (last := self._last) is not None:
            wait_until(lambda: datetime.now(UTC) >= last + _SECOND, seconds=2, what="a new second")
        env = {name: value for name, value in {**self.env, **changes}.items() if value}
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, sys.executable, "-m", "dumpers", *filter(None, [self.verb])],
                cwd=REPOSITORY,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                text=True,
            )
        return psutil.Process(self.process.pid)

    def wait(self) -> Ended:
        """Wait for its end."""
        assert self.process is not None
        code = self.process.wait(PATIENCE_SECONDS)
        written = self.folder / "termination-log"
        text = written.read_text() if written.exists() else ""
        result = (
            DumpResult.from_json(text)
            if text
            else DumpResult(succeeded=False, exit_code=code, reason="", message="")
        )
        found = RunFolder.parse(result.record.rstrip("/").rpartition("/")[2])
        # Some tests give it another clock.
        if found and found.started <= datetime.now(UTC):
            self._last = found.started
        return Ended(exit_code=code, result=result, log=(self.folder / "log").read_text())

    def run(self, **changes: str) -> Ended:
        """Run it to its end."""
        self.start(**changes)
        return self.wait()

    def tool(self, *command: str) -> psutil.Process:
        """The running tool whose command line starts like this, once it is there."""
        assert self.process is not None
        found: list[psutil.Process] = []

        def look() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "log").read_text()
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    program, *rest = child.cmdline()[: len(command)] or [""]
                    if (Path(program).name, *rest) == command:
                        found.append(child)
            return bool(found)

        wait_until(look, seconds=PATIENCE_SECONDS, what=f"{command} to run")
        return found[0]


@pytest.fixture
def dumper(
    s3: S3Server, bucket: str, postgres: PostgresServer, database: str, tmp_path: Path
) -> Iterator[Dumper]:
    """A dump of `database` into `bucket`."""
    (tmp_path / "tmp").mkdir()
    made = Dumper(
        folder=tmp_path,
        env={
            "PATH": f"{postgres_testbed.bin_folder()}:/usr/bin:/bin",
            "HOME": str(tmp_path / "tmp"),
            "TMPDIR": str(tmp_path / "tmp"),
            **storage_env(s3, bucket),
            "POSTGRESQL_HOST": postgres.host,
            "POSTGRESQL_PORT": str(postgres.port),
            "POSTGRESQL_USERNAME": postgres.user,
            "POSTGRESQL_PASSWORD": postgres.password,
            "POSTGRESQL_DATABASE": database,
            "KSNAPSHOT_ENGINE": "postgresql",
            # One object is enough for most of what is looked at here.
            "KSNAPSHOT_GLOBALS": "false",
            "KSNAPSHOT_CLUSTER": "test",
            "KSNAPSHOT_WORKLOAD": "demo/db",
            "KSNAPSHOT_CRONJOB": CRONJOB,
            "KSNAPSHOT_TERMINATION_LOG": str(tmp_path / "termination-log"),
            "HOSTNAME": POD,
        },
    )
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def storage_env(s3: S3Server, bucket: str) -> Mapping[str, str]:
    """The variables that lead a dumper to the bucket."""
    return {
        "BACKEND_TYPE": "s3",
        "BACKEND_PATH": "ksnapshot",
        "BACKEND_S3_REGION": s3.region,
        "BACKEND_S3_ENDPOINT": s3.endpoint,
        "BACKEND_BUCKET": bucket,
        "BACKEND_S3_ACCESS_KEY": s3.root.access,
        "BACKEND_S3_SECRET_KEY": s3.root.secret,
    }
