"""The newest ClickHouse engine, which is to be had as a library only, behind HTTP of our own."""

import contextlib
import functools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.paths import REPOSITORY
from tests.testbed.databases import clickhouse_config, clickhouse_front_server
from tests.testbed.databases.clickhouse_config import Account
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
    *,
    host: str = "127.0.0.1",
    http_port: int | None = None,
    shards: Sequence[str] = (),
    login: Login | None = None,
    marks: Mapping[str, str] | None = None,
) -> Iterator[Front]:
    """A fresh engine, ready in about a second.

    With `shards` it knows a cluster `main` of these hosts, and itself as one of them. Engines of
    one cluster need the same `login`. `marks` are its macros where it is of none.
    """
    folder = scratch.make("clickhouse-front")
    login = login or Login.make("default")
    port = http_port or processes.free_port()
    shard = shards.index(host) + 1 if shards else 0
    config = clickhouse_config.newest(shards, shard, _TCP_PORT, QUERY_LOG, marks=marks)
    try:
        with _served(folder, host, port, login, config) as pid:
            yield Front(host=host, http_port=port, admin=login, pid=pid)
    finally:
        scratch.remove(folder)


@contextlib.contextmanager
def start_narrow(fill: Sequence[str], account: Account) -> Iterator[Front]:
    """An engine with what these statements make, whose only user may do no more than `account`.

    Besides, the user may make the view of the query log, and write that, as the front needs it.
    """
    folder = scratch.make("clickhouse-front")
    host, port = "127.0.0.1", processes.free_port()
    everything = clickhouse_config.newest((), 0, _TCP_PORT, QUERY_LOG)
    own = (
        "GRANT CREATE VIEW, CREATE TABLE, SELECT ON system.*",
        "GRANT SYSTEM FLUSH LOGS ON *.*",
    )
    narrow = replace(account, grants=(*account.grants, *own))
    config = clickhouse_config.newest((), 0, _TCP_PORT, QUERY_LOG, narrow)
    try:
        with _served(folder, host, port, account.login, everything) as pid:
            front = Front(host=host, http_port=port, admin=account.login, pid=pid)
            for text in fill:
                front.sql(text)
        with _served(folder, host, port, account.login, config) as pid:
            yield Front(host=host, http_port=port, admin=account.login, pid=pid)
    finally:
        scratch.remove(folder)


@contextlib.contextmanager
def _served(folder: Path, host: str, port: int, login: Login, text: str) -> Iterator[int]:
    """An engine on the data of a folder, with this configuration; its process."""
    config = folder / "config.xml"
    config.write_text(text)
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
        yield server.pid
    finally:
        # Nothing has to survive but what is on the disk.
        server.kill()


def _engine() -> Path:
    def install(target: Path) -> None:
        with progress(f"pip install {_ENGINE}"):
            pypi.install(_ENGINE, target)

    return cache.entry("clickhouse-engine", [_ENGINE], install)
