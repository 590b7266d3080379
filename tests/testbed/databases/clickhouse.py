"""ClickHouse clusters: replicas of Debian's old server, their ZooKeeper, and the stock client.

Everything runs from a folder: nothing is installed on the machine. The newest engine is to be
had from `clickhouse_front` only.
"""

import contextlib
import functools
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.databases import clickhouse_config
from tests.testbed.databases.clickhouse_config import Account, Layout
from tests.testbed.databases.clickhouse_http import Login, ask, serves
from tests.testbed.toolchain import cache, debian, processes, scratch
from tests.testbed.toolchain.progress import progress

_NOBODY = 65534
_GENERATION = "1"
_SUITE = "bookworm"
_PACKAGES = ("clickhouse-server", "clickhouse-client")
# What ZooKeeper runs on. What its packages depend on would bring a desktop's libraries along.
_FILES = (
    "libzookeeper-java",
    "libslf4j-java",
    "libdropwizard-metrics-java",
    "libsnappy-java",
    "openjdk-17-jre-headless",
)
SERVER = "usr/sbin/clickhouse-server"
_CLIENT = "usr/bin/clickhouse-client"
_JAVA_HOME = "usr/lib/jvm/java-17-openjdk-amd64"
_JAVA = f"{_JAVA_HOME}/bin/java"
_PROGRAMS = (SERVER, _CLIENT, _JAVA, f"{_JAVA_HOME}/lib/server/libjvm.so")
_FOLDERS = (_JAVA_HOME, "usr/share/java")


@dataclass(slots=True, kw_only=True)
class Daemon:
    """A server that starts on the data it had when it was killed."""

    name: str
    log: Path
    command: Sequence[str]
    ready: Callable[[], bool]
    uid: int | None
    _server: processes.Server | None = None

    @property
    def pid(self) -> int:
        assert self._server is not None
        return self._server.pid

    def start(self) -> None:
        """Returns once it serves; raises NotReadyError."""
        self._server = processes.start(
            self.name,
            self.command,
            log=self.log,
            ready=self.ready,
            seconds=120,
            uid=self.uid,
            cwd=Path("/"),
        )

    def kill(self) -> None:
        """Ends it at once, as a node's failure would."""
        if self._server is not None:
            self._server.kill()


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One server of a cluster; shards and replicas are counted from 1."""

    shard: int
    replica: int
    host: str
    http_port: int
    tcp_port: int
    admin: Login
    daemon: Daemon

    def sql(self, text: str, *, login: Login | None = None, **settings: str | int) -> str:
        """What one statement answers, columns apart by tabs; as `admin`, by HTTP; RuntimeError."""
        body = text.encode(errors="surrogateescape")
        return ask(self.host, self.http_port, login or self.admin, body, parameters=settings)

    def client(
        self,
        query: str,
        *options: str,
        stdin: bytes = b"",
        login: Login | None = None,
    ) -> bytes:
        """What the stock client prints; RuntimeError.

        `stdin` is the data of an INSERT, or without a query the statements themselves.
        """
        login = login or self.admin
        command = [*debian.command(installation(), _CLIENT), f"--host={self.host}"]
        command += [f"--port={self.tcp_port}", f"--user={login.user}"]
        command += [f"--password={login.password}", *options]
        command.append(f"--query={query}" if query else "--multiquery")
        done = subprocess.run(command, input=stdin, capture_output=True, check=False)
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()
            raise RuntimeError(f"clickhouse-client ended with {done.returncode}: {said}")
        return done.stdout

    def kill(self) -> None:
        """Ends the server at once, as a node's failure would."""
        self.daemon.kill()

    def start(self) -> None:
        """Starts the killed server again on its data."""
        self.daemon.start()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Running replicas and their ZooKeeper."""

    replicas: Sequence[Replica]
    zookeeper: Daemon
    admin: Login
    """The user `default`, who may do everything."""
    reader: Login
    """The user `dump`, who may read and change settings."""
    http_port: int
    tcp_port: int

    def replica(self, shard: int, replica: int) -> Replica:
        [found] = [one for one in self.replicas if (one.shard, one.replica) == (shard, replica)]
        return found

    def everywhere(self, text: str, **settings: str | int) -> None:
        """One statement on every replica, one after the other."""
        for replica in self.replicas:
            replica.sql(text, login=None, **settings)

    def kill_zookeeper(self) -> None:
        """Ends ZooKeeper at once; replicated tables become read-only within about a second."""
        self.zookeeper.kill()

    def start_zookeeper(self) -> None:
        """Starts the killed ZooKeeper again on its data."""
        self.zookeeper.start()


def problem() -> str:
    """Why a cluster cannot be had here; empty if it can."""
    made = cache.path_of(f"clickhouse-{_SUITE}", _key())
    return debian.problem("ClickHouse's programs", made)


def clients() -> Path:
    """A folder with the stock clickhouse-client, to put first in PATH."""

    def make(target: Path) -> None:
        words = " ".join(f"'{word}'" for word in debian.command(installation(), _CLIENT))
        wrapper = target / "clickhouse-client"
        wrapper.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        wrapper.chmod(0o755)

    return cache.entry("clients-clickhouse", [_GENERATION, str(installation())], make)


@contextlib.contextmanager
def start_cluster(
    *, shards: int = 2, replicas: int = 2, accounts: Sequence[Account] = ()
) -> Iterator[Cluster]:
    """A fresh cluster `main` of at most nine by nine, ready in about two seconds.

    Each replica has a loopback address of its own and all have the same ports, so that the host
    names of `system.clusters` lead to each one, with its port as with the HTTP port. The price:
    addresses that no interface has are not local to a server (`is_local` is 0), so no server
    would know a statement ON CLUSTER as its own; `Cluster.everywhere` stands in for it.
    """
    every = [(shard, replica) for shard in _count(shards) for replica in _count(replicas)]
    hosts = {one: f"127.0.0.{one[0]}{one[1]}" for one in every}
    http, tcp, interserver = (_free_port([*hosts.values()]) for _ in range(3))
    layout = Layout(
        hosts=[[hosts[shard, replica] for replica in _count(replicas)] for shard in _count(shards)],
        http_port=http,
        tcp_port=tcp,
        interserver_port=interserver,
        zookeeper_port=processes.free_port(),
        admin=Login.make("default"),
        reader=Login.make("dump"),
        accounts=accounts,
    )
    folder = scratch.make("clickhouse")
    uid = _NOBODY if os.geteuid() == 0 else None
    programs = scratch.reachable(installation(), folder, uid)
    cluster = Cluster(
        replicas=[
            Replica(
                shard=shard,
                replica=replica,
                host=host,
                http_port=http,
                tcp_port=tcp,
                admin=layout.admin,
                daemon=_server(programs, folder, layout, (shard, replica), uid),
            )
            for (shard, replica), host in hosts.items()
        ],
        zookeeper=_zookeeper(programs, folder, layout.zookeeper_port, uid),
        admin=layout.admin,
        reader=layout.reader,
        http_port=http,
        tcp_port=tcp,
    )
    try:
        cluster.start_zookeeper()
        with ThreadPoolExecutor(len(every)) as starting:
            list(starting.map(Replica.start, cluster.replicas))
        yield cluster
    finally:
        # Nothing has to survive, and an orderly shutdown takes seconds.
        for daemon in (*(one.daemon for one in cluster.replicas), cluster.zookeeper):
            daemon.kill()
        scratch.remove(folder)


def _count(number: int) -> range:
    return range(1, number + 1)


def _key() -> list[str | bytes | Path]:
    return [_GENERATION, _SUITE, *_PACKAGES, *_FILES]


def installation() -> Path:
    """The unpacked programs, with a Java of their own."""

    def make(target: Path) -> None:
        root = target / "root"
        with progress(f"debootstrap {_SUITE} for ClickHouse"):
            debian.bootstrap(root, _SUITE, *_PACKAGES)
            debian.unpack(root, *_FILES)
        debian.take(root, target, _PROGRAMS, _FOLDERS)
        shutil.rmtree(root)

    return cache.entry(f"clickhouse-{_SUITE}", _key(), make)


def _server(
    programs: Path, folder: Path, layout: Layout, place: tuple[int, int], uid: int | None
) -> Daemon:
    shard, replica = place
    name = f"replica-{shard}-{replica}"
    home = folder / name
    _write(
        home,
        {
            "config.xml": clickhouse_config.server(layout, f"{home}", shard, replica),
            "users.xml": clickhouse_config.users(layout),
        },
        uid,
    )
    host = layout.hosts[shard - 1][replica - 1]
    return Daemon(
        name=name,
        log=folder / f"{name}.log",
        command=[*debian.command(programs, SERVER), f"--config-file={home}/config.xml"],
        ready=functools.partial(serves, host, layout.http_port),
        uid=uid,
    )


def _zookeeper(programs: Path, folder: Path, port: int, uid: int | None) -> Daemon:
    home = folder / "zookeeper"
    _write(home, {"zoo.cfg": clickhouse_config.zookeeper(f"{home}", port)}, uid)
    options = clickhouse_config.zookeeper_options(f"{programs}/usr/share/java")
    return Daemon(
        name="zookeeper",
        log=folder / "zookeeper.log",
        command=[*debian.command(programs, _JAVA), *options, f"{home}/zoo.cfg"],
        ready=functools.partial(_takes_sessions, port),
        uid=uid,
    )


def _write(home: Path, files: Mapping[str, str], uid: int | None) -> None:
    """A server's folder, closed to others: there are passwords in it."""
    home.mkdir(mode=0o700)
    for name, text in files.items():
        (home / name).write_text(text)
    if uid is not None:
        for path in (home, *home.iterdir()):
            os.chown(path, uid, uid)


def _takes_sessions(port: int) -> bool:
    # The port answers before the server does.
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"srvr")
            return b"Mode: standalone" in connection.makefile("rb").read()
    except OSError:
        return False


def _free_port(hosts: Sequence[str]) -> int:
    """A port that nobody has on any of these addresses."""
    while True:
        port = processes.free_port()
        if all(_is_free(host, port) for host in hosts):
            return port


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
