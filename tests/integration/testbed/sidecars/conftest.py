import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.integration.testbed.sidecars.asking import Api
from tests.testbed.databases import clickhouse as clickhouse_testbed
from tests.testbed.databases.clickhouse import Cluster, Replica
from tests.testbed.sidecars.settings import Remote, Settings
from tests.testbed.sidecars.sidecar import start_sidecar
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.require import require, require_linux

Start = Callable[..., Api]


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    require_linux()
    problem = clickhouse_testbed.problem()
    require(not problem, problem)
    with clickhouse_testbed.start_cluster() as cluster:
        yield cluster


@pytest.fixture
def replica(cluster: Cluster) -> Iterator[Replica]:
    """A server without local backups."""
    replica = cluster.replica(1, 1)
    yield replica
    for folder in ("backup", "shadow"):
        shutil.rmtree(replica.daemon.log.with_suffix("") / "data" / folder, ignore_errors=True)


@pytest.fixture
def base(cluster: Cluster) -> Iterator[str]:
    """A database of this test's own on every server."""
    name = f"base_{secrets.token_hex(4)}"
    cluster.everywhere(f"CREATE DATABASE {name}")
    yield name
    cluster.everywhere(f"DROP DATABASE IF EXISTS {name}")


@pytest.fixture
def remote(s3: S3Server, bucket: str) -> Remote:
    return Remote.of(s3, bucket, "kept/here")


@pytest.fixture
def start(replica: Replica, remote: Remote) -> Iterator[Start]:
    """Starts sidecars of the server that end with the test."""
    with ExitStack() as ending:

        def start(**settings: Any) -> Api:
            told = Settings(**{"remote": remote, **settings})
            sidecar = ending.enter_context(start_sidecar(replica, told))
            return Api(sidecar=sidecar, login=told.login, ca=None)

        yield start


@pytest.fixture
def api(start: Start) -> Api:
    return start()


@pytest.fixture
def rows(replica: Replica, base: str) -> str:
    """A table of two parts; its name with that of the database."""
    name = f"{base}.rows"
    replica.sql(
        f"CREATE TABLE {name} (day Date, a UInt64, s String) "
        "ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY a"
    )
    insert = f"INSERT INTO {name} SELECT toDate('2026-01-15') + number % 40, number, 'x'"
    replica.sql(f"{insert} FROM numbers(1000)")
    return name
