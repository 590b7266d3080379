"""The newest ClickHouse engine, which is to be had as a library only, behind HTTP of our own."""

import contextlib
import functools
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.paths import REPOSITORY
from tests.testbed.databases import clickhouse_config, clickhouse_front_server
from tests.testbed.databases.clickhouse_front_server import CONTROL, PASSWORD, QUERY_LOG, Behaviour
from tests.testbed.databases.clickhouse_http import Login, ask, serves
from tests.testbed.toolchain import cache, processes, pypi, scratch
from tests.testbed.toolchain.progress import progress

_ENGINE = "chdb-core==26.9.0"
# Nothing listens there: it only has to stand in the list of clusters.
_TCP_PORT = 9000


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """A running engine whose only user is `default`."""

    host: str
    http_port: int
    admin: Login
    pid: int

    def sql(self, text: str, **settings: str | int) -> str:
        """What one statement answers, columns apart by tabs; RuntimeError."""
        body = text.encode(errors="surrogateescape")
        return ask(self.host, self.http_port, self.admin, body, parameters=settings)

    def insert(self, query: str, data: bytes, **settings: str | int) -> None:
        """Runs an `INSERT INTO ... FORMAT ...` on its data; RuntimeError."""
        parameters = {"query": query, **settings}
        ask(self.host, self.http_port, self.admin, data, parameters=parameters)

    def behave(self, behaviour: Behaviour) -> None:
        """How answers fail from now on; RuntimeError."""
        told = json.dumps(asdict(behaviour)).encode()
        ask(self.host, self.http_port, self.admin, told, path=CONTROL)


@contextlib.contextmanager
def start_front(
    *, host: str = "127.0.0.1", http_port: int | None = None, shards: Sequence[str] = ()
) -> Iterator[Front]:
    """A fresh engine, ready in about a second.

    With `shards` it knows a cluster `main` of these hosts, and itself as one of them.
    """
    folder = scratch.make("clickhouse-front")
    login = Login.make("default")
    port = http_port or processes.free_port()
    shard = shards.index(host) + 1 if shards else 0
    config = folder / "config.xml"
    config.write_text(clickhouse_config.newest(shards, shard, _TCP_PORT, QUERY_LOG))
    command: list[str | Path] = [sys.executable, "-m", clickhouse_front_server.__name__]
    command += [host, str(port), login.user, folder / "data", config]
    server = processes.start(
        "clickhouse-front",
        command,
        log=folder / "log",
        ready=functools.partial(serves, host, port),
        seconds=120,
        env={"PYTHONPATH": f"{REPOSITORY}:{_engine()}", PASSWORD: login.password},
        cwd=folder,
    )
    try:
        yield Front(host=host, http_port=port, admin=login, pid=server.pid)
    finally:
        # Nothing has to survive.
        server.kill()
        scratch.remove(folder)


def _engine() -> Path:
    def install(target: Path) -> None:
        with progress(f"pip install {_ENGINE}"):
            pypi.install(_ENGINE, target)

    return cache.entry("clickhouse-engine", [_ENGINE], install)
