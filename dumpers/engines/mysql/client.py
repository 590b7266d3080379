"""Talking to a server through the stock clients of MySQL and MariaDB."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from dumpers.contract.connection import Connection
from dumpers.runtime.errors import ErrorClasses, KsnapshotError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.tool import Command, run_for_output

_CONNECT_SECONDS = 10

# How the tools write the number of an error of server or client: `ERROR 1045 (28000): …`,
# `Got error: 1045: …`, `… (1227)`.
_NUMBER = re.compile(r"(?:error:?|\()\s*(\d{4})\b", re.IGNORECASE)
# Numbers for which trying again cannot help. An unknown number counts as passing, which costs a
# retry.
_REFUSALS = frozenset(
    (
        *(1044, 1045, 1049, 1051, 1115, 1130, 1142, 1143, 1227, 1231, 1251, 1273, 1298, 1305),
        *(1356, 1370, 1371, 1419, 1449, 1524, 1698, 1820, 1862, 2049, 2054, 2059, 2061, 3105),
        *(3118, 3159, 3878, 3879, 4151),
    )
)
# What the tools themselves refuse: such errors of theirs have no number, and are in English.
_REFUSED_WORDS = re.compile(
    # A dump's table may be gone because it was dropped meanwhile; a script's stays missing.
    r"error 1146 \(42S02\) at line"
    r"|certificate|SSL is required"
    r"|unknown (?:option|variable|suffix)|ambiguous option|option .* requires an argument"
    r"|insuff?icent privileges|insufficient privileges",
    re.IGNORECASE,
)
LOST_CONNECTION = 2013
# If one client cannot log in for want of a plugin or of TLS, the other may. By text, as the number
# of such an error is often that of a login that failed for any reason.
_OTHER_CLIENT = re.compile(r"plugin|\bSSL\b|\bTLS\b|secure connection", re.IGNORECASE)
_STATEMENT = "--------------\n"
_ESCAPES = {"0": "\0", "n": "\n", "t": "\t", "\\": "\\"}
# How the tools tell their version: mysqldump 8 and 9; those that put their own number first.
_VERSIONS = (r"(?:from|Distrib) (\d+)\.(\d+)", r"Ver (\d+)\.(\d+)")


# By the modes that the contract knows. MariaDB's clients can demand TLS only together with a name
# that fits: what is asked for is then checked more strictly, never less.
_MYSQL_TLS: Mapping[str, Sequence[str]] = {
    "disable": ("--ssl-mode=DISABLED",),
    "prefer": ("--ssl-mode=PREFERRED",),
    "require": ("--ssl-mode=REQUIRED",),
    "verify-ca": ("--ssl-mode=VERIFY_CA",),
    "verify-full": ("--ssl-mode=VERIFY_IDENTITY",),
}
_MARIADB_TLS: Mapping[str, Sequence[str]] = {
    "disable": ("--skip-ssl",),
    "prefer": ("--disable-ssl-verify-server-cert",),
    "require": ("--ssl", "--disable-ssl-verify-server-cert"),
    "verify-ca": ("--ssl", "--ssl-verify-server-cert"),
    "verify-full": ("--ssl", "--ssl-verify-server-cert"),
}


class Flavour(StrEnum):
    """Whose server or whose tool it is."""

    MYSQL = "MySQL"
    MARIADB = "MariaDB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A tool of this image; `version` is all that it says of itself, `number` its release."""

    name: str
    flavour: Flavour
    version: str
    number: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that the login works on.

    `folds` tells that it takes table names that differ in case for the same.
    """

    flavour: Flavour
    version: str
    number: tuple[int, int]
    folds: bool
    connection: Connection
    errors: ErrorClasses
    client: Program = field(repr=False)

    def rows(
        self, columns: str, rest: str, *, database: str = "", interrupt: Interrupt
    ) -> list[tuple[str, ...]]:
        """Answer `SELECT columns rest` in a database; no column may be NULL.

        Raises the side's errors, and InterruptedRunError.
        """
        # Marks at both ends, so that blanks at the edge of an answer are safe.
        sql = f"SELECT 'r', {columns}, 'r' {rest}"
        return [row[1:-1] for row in self.raw(sql, database=database, interrupt=interrupt)]

    def raw(self, sql: str, *, database: str = "", interrupt: Interrupt) -> list[tuple[str, ...]]:
        """Answer a statement that is no SELECT; blanks at the edge of the answer are lost."""
        command = query(self.client, self.connection, sql, database=database, errors=self.errors)
        text = run_for_output(command, interrupt=interrupt)
        lines = text.split("\n") if text else []
        return [tuple(_unescape(cell) for cell in line.split("\t")) for line in lines]

    def fold(self, name: str) -> str:
        """The name as this server compares it."""
        return name.casefold() if self.folds else name


def programs(
    names: Sequence[str], *, errors: ErrorClasses, interrupt: Interrupt
) -> Mapping[Flavour, Program]:
    """Find out which of these programs the image has, and whose they really are.

    Debian's MariaDB brings a `mysqldump` that is MariaDB's.
    """
    found: dict[Flavour, Program] = {}
    for name in names:
        if shutil.which(name) is None:
            continue
        command = _command([name, "--version"], env={}, password="", where="", errors=errors)
        version = run_for_output(command, interrupt=interrupt)
        flavour = Flavour.MARIADB if "mariadb" in version.lower() else Flavour.MYSQL
        found.setdefault(
            flavour,
            Program(name=name, flavour=flavour, version=version, number=_tool_number(version)),
        )
    return found


def connect(connection: Connection, *, errors: ErrorClasses, interrupt: Interrupt) -> Server:
    """Log in and ask the server what it is, with whichever of the clients can.

    Raises the side's errors, and InterruptedRunError.
    """
    clients = programs(("mariadb", "mysql"), errors=errors, interrupt=interrupt)
    if not clients:
        raise errors.refused(
            "neither mariadb nor mysql is in this image: use the dumper image of this engine"
        )
    # MariaDB's has the plugins of both.
    order = [clients[flavour] for flavour in reversed(Flavour) if flavour in clients]
    for client in order[:-1]:
        try:
            return _look(client, connection, errors=errors, interrupt=interrupt)
        except (errors.failed, errors.refused) as error:
            if not _OTHER_CLIENT.search(str(error)):
                raise
    return _look(order[-1], connection, errors=errors, interrupt=interrupt)


def arguments(program: Program, connection: Connection) -> list[str]:
    """Return what every client is told first: no files of options, where, as whom, how secured.

    Unless told otherwise, TLS is used where the server offers it, its certificate not judged.
    """
    mariadb = program.flavour is Flavour.MARIADB
    own = [*(_MARIADB_TLS if mariadb else _MYSQL_TLS)[connection.tls or "prefer"]]
    if connection.ca_file:
        own.append(f"--ssl-ca={connection.ca_file}")
    if not mariadb and connection.tls in {"", "prefer", "disable"}:
        # Without TLS, a first login by caching_sha2_password needs the server's key.
        own.append("--loose-get-server-public-key")
    return [
        "--no-defaults",
        f"--host={connection.host}",
        f"--port={connection.port}",
        "--protocol=tcp",
        f"--user={connection.username}",
        "--default-character-set=utf8mb4",
        *own,
    ]


def query(
    client: Program, connection: Connection, sql: str, *, database: str, errors: ErrorClasses
) -> Command:
    """Make the command that runs one statement and prints cells apart by tabs, escaped."""
    argv = [
        client.name,
        *arguments(client, connection),
        f"--connect-timeout={_CONNECT_SECONDS}",
        *names_in_utf8(),
        "--batch",
        "--skip-column-names",
        f"--execute={sql}",
        *(["--", database] if database else []),
    ]
    return command(argv, connection, database=database, errors=errors)


def names_in_utf8() -> list[str]:
    """Return the option without which MySQL 5.7 takes the clients of 8 and 9 for latin1.

    They ask for a collation that it does not know.
    """
    return ["--init-command=SET NAMES utf8mb4"]


def command(
    argv: Sequence[str], connection: Connection, *, database: str, errors: ErrorClasses
) -> Command:
    """Make a command that logs in; the password goes by environment, as it does with libpq.

    An option file would be on a disk or in a descriptor to hand down, and is read by the same
    user only, as the environment is.
    """
    what = f"{database!r} at " if database else ""
    return _command(
        argv,
        env={"MYSQL_PWD": connection.password} if connection.password else {},
        password=connection.password,
        where=f" of {what}{connection.host}:{connection.port}",
        errors=errors,
    )


def error_numbers(text: str) -> frozenset[int]:
    """The numbers of the server's and the clients' errors in a tool's last words."""
    return frozenset(int(found[1]) for found in _NUMBER.finditer(text))


def identifier(name: str) -> str:
    """Write a name as SQL."""
    return "`" + name.replace("`", "``") + "`"


def _command(
    argv: Sequence[str], *, env: Mapping[str, str], password: str, where: str, errors: ErrorClasses
) -> Command:
    def failure(status: int, said: str) -> KsnapshotError:
        # MariaDB's client repeats the statement that failed, which is full of the user's data.
        said = said.rpartition(_STATEMENT)[2].strip()
        text = f"{argv[0]}{where} ended with status {status}: {said or 'no explanation'}"
        numbers = error_numbers(said)
        if argv[0] == "mariadb-dump" and LOST_CONNECTION in numbers:
            # Unlike mysqldump it does not ask the server for more patience.
            text += " (did the store hold the dump up? raise the server's net_write_timeout)"
        refused = numbers & _REFUSALS or _REFUSED_WORDS.search(said)
        return errors.refused(text) if refused else errors.failed(text)

    return Command(
        argv=argv,
        env={"LC_ALL": "C.UTF-8", **env},
        secrets=(password,),
        failure=failure,
        errors=errors,
    )


def _look(
    client: Program, connection: Connection, *, errors: ErrorClasses, interrupt: Interrupt
) -> Server:
    sql = "SELECT VERSION(), @@version_comment, @@lower_case_table_names"
    row = run_for_output(
        query(client, connection, sql, database="", errors=errors), interrupt=interrupt
    )
    look = re.fullmatch(r"((\d+)\.(\d+)[^\t\n]*)\t([^\t\n]*)\t(\d)", row)
    if look is None:
        raise errors.failed(f"the server does not answer as MySQL or MariaDB does: {row[:200]!r}")
    version, major, minor, comment, case = look.groups()
    mariadb = "mariadb" in f"{version} {comment}".lower()
    return Server(
        flavour=Flavour.MARIADB if mariadb else Flavour.MYSQL,
        version=version,
        number=(int(major), int(minor)),
        folds=case != "0",
        connection=connection,
        errors=errors,
        client=client,
    )


def _tool_number(version: str) -> tuple[int, int]:
    for pattern in _VERSIONS:
        if found := re.search(pattern, version):
            return int(found[1]), int(found[2])
    return (0, 0)


def _unescape(cell: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), cell)
