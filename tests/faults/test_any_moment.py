"""Real databases, and an end of something at any moment of a dump: never a bad backup.

`KSNAPSHOT_FAULTS=all` tries many moments, otherwise a few by `KSNAPSHOT_FAULT_SEED`.
"""

import contextlib
import gzip
import json
import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from dumpers.repository.record_json import digest
from dumpers.runtime.errors import ExitCode
from tests.integration.dumpers.mysql.conftest import PATH
from tests.testbed.databases import mysql as mysql_testbed
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.dumper import CRONJOB, Dumper, storage_env
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Cut, Rule
from tests.testbed.proxies.tcp_faults import TcpProxy
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.processes import wait_until
from tests.testbed.toolchain.require import require

_ALL, _SOME = 40, 8
_NAME = "noise"
_POSTGRESQL = """
CREATE TABLE noise AS SELECT g AS id, gen_random_uuid()::text || gen_random_uuid()::text AS text
FROM generate_series(1, 400000) g
"""
_MYSQL = """
CREATE TABLE noise (id INT AUTO_INCREMENT PRIMARY KEY, a BLOB);
INSERT INTO noise (a) VALUES (RANDOM_BYTES(1000)), (RANDOM_BYTES(1000)), (RANDOM_BYTES(1000));
"""
_DOUBLED = "INSERT INTO noise (a) SELECT RANDOM_BYTES(1000) FROM noise;"
# What differs between two dumps of the same: a token against injection, the time.
_PASSING = re.compile(rb"^(?:\\(?:un)?restrict .*|-- Dump completed on .*)$", re.MULTILINE)
# SIGTERM ends Python itself before it has come to handle it.
_ENDINGS = {
    ExitCode.DONE,
    ExitCode.SOURCE_FAILED,
    ExitCode.INTERRUPTED,
    -signal.SIGKILL,
    -signal.SIGTERM,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A server of its own with a database that takes a moment to dump."""

    env: Mapping[str, str]
    port_variable: str
    end_sessions: Callable[[], None]
    answers: Callable[[], bool]

    @property
    def port(self) -> int:
        return int(self.env[self.port_variable])


@pytest.fixture(scope="module", params=["postgresql", "mysql-8.0", "mariadb-11.4"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    opened = _postgresql() if request.param == "postgresql" else _mysql(request.param)
    with opened as made:
        yield made


@contextlib.contextmanager
def _postgresql() -> Iterator[Database]:
    with postgres_testbed.start() as server:
        server.create_database(_NAME)
        server.psql(_POSTGRESQL, _NAME)

        def end_sessions() -> None:
            # As the kernel does when memory is short; the server then ends all the others.
            pids = server.psql(f"SELECT pid FROM pg_stat_activity WHERE datname = '{_NAME}'")
            for pid in pids.split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)

        def answers() -> bool:
            with contextlib.suppress(RuntimeError):
                return server.psql("SELECT 1", _NAME) == "1"
            return False

        env = {
            "PATH": f"{postgres_testbed.bin_folder()}:{PATH}",
            "KSNAPSHOT_ENGINE": "postgresql",
            "KSNAPSHOT_GLOBALS": "false",
            "POSTGRESQL_HOST": server.host,
            "POSTGRESQL_PORT": str(server.port),
            "POSTGRESQL_USERNAME": server.user,
            "POSTGRESQL_PASSWORD": server.password,
            "POSTGRESQL_DATABASE": _NAME,
        }
        yield Database(
            env=env, port_variable="POSTGRESQL_PORT", end_sessions=end_sessions, answers=answers
        )


@contextlib.contextmanager
def _mysql(name: str) -> Iterator[Database]:
    problem = mysql_testbed.problem(name)
    require(not problem, problem)
    with mysql_testbed.start(name) as server:
        server.create_database(_NAME)
        server.sql(_MYSQL + _DOUBLED * 12, _NAME)

        def end_sessions() -> None:
            listed = "SELECT id FROM information_schema.processlist WHERE db = "
            for session in server.sql(f"{listed}'{_NAME}'").split():
                with contextlib.suppress(RuntimeError):
                    server.sql(f"KILL {session}")

        env = {
            "PATH": f"{mysql_testbed.clients()}:{PATH}",
            "KSNAPSHOT_ENGINE": "mysql",
            "MYSQL_HOST": server.host,
            "MYSQL_PORT": str(server.port),
            "MYSQL_USERNAME": server.user,
            "MYSQL_PASSWORD": server.password,
            "MYSQL_DATABASE": _NAME,
        }
        yield Database(
            env=env, port_variable="MYSQL_PORT", end_sessions=end_sessions, answers=lambda: True
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Dumps of one database through a proxy, each of which something ends."""

    database: Database
    dumper: Dumper
    proxy: TcpProxy
    dice: random.Random

    def dump(self, number: int) -> int:
        """One that nothing ends."""
        return self._start(number).wait()

    def cut(self, number: int, size: int) -> int:
        """The connection breaks off after some bytes."""
        after = self.dice.randrange(size)
        self.proxy.set(Rule(Cut(after=after, reset=self.dice.random() < 0.5)))
        code = self._start(number).wait()
        self.proxy.clear()
        return code

    def kill(self, number: int, seconds: float) -> tuple[str, int]:
        """Somebody ends the tool, the dumper, or the server's session; which, and the code."""
        what = self.dice.choice(("tool", "dumper", "session"))
        how = self.dice.choice((signal.SIGTERM, signal.SIGKILL))
        process = self._start(number)
        try:
            return "nothing", process.wait(self.dice.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            pass
        tools = psutil.Process(process.pid).children(recursive=True)
        if what == "session":
            self.database.end_sessions()
        else:
            for one in tools if what == "tool" else [process]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(how)
        code = process.wait()
        for tool in tools:
            # A dumper that is killed leaves its tool behind, which a container does not.
            with contextlib.suppress(psutil.NoSuchProcess):
                tool.kill()
        return (what if what == "session" else f"{what} {how.name}"), code

    def _start(self, number: int) -> "subprocess.Popen[str]":
        wait_until(self.database.answers, seconds=60, what="the database")
        self.dumper.start(HOSTNAME=f"pod-{number}")
        assert self.dumper.process is not None
        return self.dumper.process


@pytest.mark.timeout(1800)
def test_whatever_ends_at_any_moment_there_is_no_bad_backup(
    database: Database,
    s3: S3Server,
    bucket: str,
    tmp_path: Path,
    faults: Faults,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seed = os.environ.get("KSNAPSHOT_FAULT_SEED", "1")
    proxy = faults.tcp(database.port)
    env = {
        **storage_env(s3, bucket),
        **database.env,
        database.port_variable: str(proxy.port),
        "KSNAPSHOT_CLUSTER": "test",
        "KSNAPSHOT_CRONJOB": CRONJOB,
        "KSNAPSHOT_PART_SIZE_MIB": "5",
        "KSNAPSHOT_TERMINATION_LOG": str(tmp_path / "termination-log"),
    }
    dumper = Dumper(env=env, folder=tmp_path)
    attempts = Attempts(database=database, dumper=dumper, proxy=proxy, dice=random.Random(seed))
    began = time.monotonic()
    assert attempts.dump(0) == ExitCode.DONE, (tmp_path / "log").read_text()
    seconds = time.monotonic() - began
    [(_, reference)] = backups(s3, bucket)
    size = max(connection.received for connection in proxy.seen())

    ended: Counter[str] = Counter()
    codes = [0]
    moments = _ALL if os.environ.get("KSNAPSHOT_FAULTS") == "all" else _SOME
    for number in range(1, moments + 1):
        if number % 3:
            what, code = attempts.kill(number, seconds)
        else:
            what, code = "connection", attempts.cut(number, size)
        assert code in _ENDINGS, (seed, number, what, (tmp_path / "log").read_text())
        ended[what] += 1
        codes.append(code)
    found = backups(s3, bucket)
    for record, content in found:
        assert content == reference, (seed, record)
    # One that was ended behind its manifest is a backup, too.
    assert codes.count(0) <= len(found)
    assert {key for key, _ in s3.uploads(bucket)} <= named(s3, bucket)
    assert attempts.dump(moments + 1) == ExitCode.DONE
    with capsys.disabled():
        print(f"\n{moments} ends of {dict(ended)}: {len(found)} backups, 0 bad; seed {seed}")


def backups(s3: S3Server, bucket: str) -> list[tuple[str, bytes]]:
    """The manifests, and what comes out of their one object, less what differs each time."""
    found = []
    for key in s3.objects(bucket):
        if key.endswith("manifest.json"):
            document = json.loads(s3.read(bucket, key))
            if document["record"] != "manifest":
                continue
            assert document["digest"] == digest(document)
            [item] = document["objects"]
            content = gzip.decompress(s3.read(bucket, item["key"]))
            found.append((key, _PASSING.sub(b"", content)))
    return found


def named(s3: S3Server, bucket: str) -> set[str]:
    """The keys that started records name."""
    return {
        name
        for key in s3.objects(bucket)
        if key.endswith("started.json")
        for name in json.loads(s3.read(bucket, key))["keys"]
    }
