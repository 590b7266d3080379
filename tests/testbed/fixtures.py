"""Real servers, one of each per session, and fresh names in them per test."""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed.cluster import apiserver as apiserver_testbed
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.proxies.tcp_faults import TcpProxy
from tests.testbed.stores import s3 as s3_testbed
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.pki import KeyPair
from tests.testbed.toolchain.require import require_linux


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    require_linux()
    with s3_testbed.start() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    require_linux()
    with postgres_testbed.start() as server:
        yield server


@pytest.fixture(scope="session")
def apiserver() -> Iterator[ApiServer]:
    require_linux()
    with apiserver_testbed.start() as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server) -> str:
    """A bucket of this test's own."""
    return s3.create_bucket(f"bucket-{secrets.token_hex(4)}")


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """An empty database of this test's own."""
    name = postgres.create_database(f"test_{secrets.token_hex(4)}")
    yield name
    postgres.run("dropdb", "--force", name)


@pytest.fixture
def copy(postgres: PostgresServer, database: str) -> Iterator[str]:
    """An empty database beside `database`."""
    name = postgres.create_database(f"{database}_copy")
    yield name
    postgres.run("dropdb", "--force", name)


@pytest.fixture
def namespace(apiserver: ApiServer) -> str:
    """A namespace of this test's own; nothing in it outlives the API server."""
    return apiserver.create_namespace(f"test-{secrets.token_hex(4)}")


class Faults:
    """Makes fault proxies that end with the test."""

    def __init__(self, ending: contextlib.ExitStack) -> None:
        self._ending = ending

    def http(
        self,
        port: int,
        host: str = "127.0.0.1",
        *,
        tls: KeyPair | None = None,
        upstream_ca: Path | None = None,
    ) -> HttpProxy:
        """In front of a server that speaks HTTP."""
        proxy = HttpProxy(host, port, tls=tls, upstream_ca=upstream_ca)
        return self._ending.enter_context(proxy)

    def tcp(self, port: int, host: str = "127.0.0.1") -> TcpProxy:
        """In front of a server that speaks anything else."""
        return self._ending.enter_context(TcpProxy(host, port))


@pytest.fixture
def faults() -> Iterator[Faults]:
    with contextlib.ExitStack() as ending:
        yield Faults(ending)
