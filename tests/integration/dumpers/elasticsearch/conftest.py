"""Real Elasticsearch and OpenSearch servers, one of each per session, started when asked for."""

import contextlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest

from dumpers.contract.connection import Connection
from dumpers.contract.jobs import DumpJob
from dumpers.engines.elasticsearch.engine import ENGINE
from dumpers.engines.protocol import SourceInfo, StoredDump
from dumpers.engines.registry import ENGINES
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader
from tests.integration.dumpers.elasticsearch import accounts
from tests.testbed.databases import search as search_testbed
from tests.testbed.databases.search import RELEASES, SearchServer
from tests.testbed.toolchain import pki, scratch
from tests.testbed.toolchain.require import require_linux
from tests.unit.dumpers.contract.test_jobs import ENV

Servers = Callable[[str], SearchServer]
Dump = Mapping[str, tuple[bytes, Mapping[str, object]]]
"""What is stored of each part, and its facts."""
_TAKE_LARGE_DOCUMENTS = {"elasticsearch-9", "opensearch-3"}
"""With the usual heap, documents of 10 MB in flight end them."""


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Starts a server by its name, once."""
    require_linux()
    running: dict[str, SearchServer] = {}
    with contextlib.ExitStack() as ending:

        def start(name: str) -> SearchServer:
            if name not in running:
                heap = "1g" if name in _TAKE_LARGE_DOCUMENTS else "512m"
                running[name] = ending.enter_context(search_testbed.start(name, heap=heap))
            return running[name]

        yield start


@pytest.fixture(params=sorted(RELEASES))
def server(request: pytest.FixtureRequest, servers: Servers) -> Iterator[SearchServer]:
    """An empty cluster, emptied again."""
    started = servers(request.param)
    started.clear()
    yield started
    started.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """A server with accounts, whose certificate `ca_file` is good for; empty."""

    server: SearchServer
    ca_file: str

    def job(self, user: str, **changes: str) -> DumpJob:
        """A dump as one of its users."""
        login = {
            "ELASTICSEARCH_USERNAME": user,
            "ELASTICSEARCH_PASSWORD": self.server.password,
            "ELASTICSEARCH_CA_FILE": self.ca_file,
        }
        return job(self.server, **login, **changes)


@pytest.fixture(scope="session")
def secured_servers() -> Iterator[Callable[[str], Secured]]:
    """Starts a server with accounts by its name, once."""
    require_linux()
    running: dict[str, Secured] = {}
    with contextlib.ExitStack() as ending:

        def start(name: str) -> Secured:
            if name not in running:
                folder = scratch.make("pki")
                ending.callback(scratch.remove, folder)
                authority = pki.authority(folder / "own")
                server = search_testbed.start(
                    name,
                    settings={
                        # Only with it may roles hide documents and fields.
                        "xpack.license.self_generated.type": "trial",
                        # As services set it, so that rights may go by a request's path.
                        "rest.action.multi.allow_explicit_index": "false",
                    },
                    tls=authority.server("node", ["127.0.0.1"]),
                    roles=accounts.roles(name),
                    users=accounts.USERS,
                )
                running[name] = Secured(
                    server=ending.enter_context(server), ca_file=str(authority.pair.cert)
                )
            return running[name]

        yield start


@pytest.fixture(params=["elasticsearch-6", "elasticsearch-7"])
def secured(
    request: pytest.FixtureRequest, secured_servers: Callable[[str], Secured]
) -> Iterator[Secured]:
    """An empty cluster with accounts, emptied again."""
    started = secured_servers(request.param)
    started.server.clear()
    yield started
    started.server.clear()


def env(server: SearchServer) -> dict[str, str]:
    """The variables that lead a dumper to the server."""
    return {
        "KSNAPSHOT_ENGINE": "elasticsearch",
        "ELASTICSEARCH_HOST": server.host,
        "ELASTICSEARCH_PORT": str(server.port),
    }


def job(server: SearchServer, **changes: str) -> DumpJob:
    return DumpJob.from_env(ENV | env(server) | changes, ENGINES)


def connection(server: SearchServer) -> Connection:
    return Connection(host=server.host, port=server.port)


def dump(job: DumpJob) -> tuple[SourceInfo, Dump]:
    """All that a dump says and gives, by its parts."""
    found: dict[str, bytes] = {}
    with ENGINE.open(job, Interrupt()) as opened:
        for stream in opened.streams:
            assert stream.part == ()
            with stream.open(Interrupt()) as reader:
                found[stream.name] = b"".join(iter(lambda: reader.read(1 << 17), b""))
        metadata = {stream.name: stream.metadata() for stream in opened.streams}
    return opened.info, {name: (data, metadata[name]) for name, data in found.items()}


def pieces(parts: Dump) -> Sequence[StoredDump]:
    """What a restore is given of stored objects."""

    def opener(data: bytes) -> Callable[[], AbstractContextManager[Reader]]:
        return lambda: contextlib.nullcontext(io.BytesIO(data))

    return [
        StoredDump(name=name, ending=".jsonl", size=len(data), metadata=metadata, open=opener(data))
        for name, (data, metadata) in parts.items()
    ]


def unwrapped(line: bytes) -> dict[str, object]:
    """The object in a line of elasticdump's."""
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    value = json.loads(line)
    found = json.loads(value) if isinstance(value, str) else value
    assert isinstance(found, dict)
    return found
