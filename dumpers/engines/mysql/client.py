"""Talking to a server through the stock clients of MySQL and MariaDB."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dumpers.contract.connection import Connection
from dumpers.engines.login_hint import login_hint
from dumpers.engines.mysql.errors import (
    CRASHED,
    LOST_CONNECTION,
    REFUSED_LOGINS,
    TOO_BIG_A_SELECT,
    error_numbers,
    is_final,
)
from dumpers.engines.mysql.programs import Flavour, Program, arguments, session
from dumpers.runtime.errors import ErrorClasses, KsnapshotError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.tool import Command, run_for_output

_CONNECT_SECONDS = 10

# If one client cannot log in for want of a plugin or of TLS, the other may. By text, as the number
# of such an error is often that of a login that failed for any reason.
_OTHER_CLIENT = re.compile(r"plugin|\bSSL\b|\bTLS\b|secure connection", re.IGNORECASE)
_STATEMENT = "--------------\n"
_ESCAPES = {"0": "\0", "n": "\n", "t": "\t", "\\": "\\"}
# How the tools print their version: mysqldump 8 and 9; those that put their own number first.
_VERSIONS = (r"(?:from|Distrib) (\d+)\.(\d+)", r"Ver (\d+)\.(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that the login works on, and the client that can reach it.

    `folds`: the server treats table names that differ only in case as the same.
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

        Raises those of `errors`, and InterruptedRunError.
        """
        # Marks at both ends, so that blanks at the edge of an answer are safe.
        sql = f"SELECT 'r', {columns}, 'r' {rest}"
        return [row[1:-1] for row in self.raw(sql, database=database, interrupt=interrupt)]

    def raw(
        self, sql: str, *, options: Sequence[str] = (), database: str = "", interrupt: Interrupt
    ) -> list[tuple[str, ...]]:
        """Answer statements that are no SELECT; blanks at the edges of the answer are lost."""
        command = query(
            self.client, self.connection, sql, options, database=database, errors=self.errors
        )
        text = run_for_output(command, interrupt=interrupt)
        lines = text.split("\n") if text else []
        return [tuple(_unescape(cell) for cell in line.split("\t")) for line in lines]

    def fold(self, name: str) -> str:
        """Return a table's name in the form in which this server compares names."""
        return name.casefold() if self.folds else name


def programs(
    names: Sequence[str], *, errors: ErrorClasses, interrupt: Interrupt
) -> Mapping[Flavour, Program]:
    """Find which of these programs the image has, by the product that they belong to.

    Debian's MariaDB brings a `mysqldump` that is MariaDB's.
    """
    found: dict[Flavour, Program] = {}
    for name in names:
        if shutil.which(name) is None:
            continue
        command = _command([name, "--version"], env={}, errors=errors)
        version = run_for_output(command, interrupt=interrupt)
        flavour = Flavour.MARIADB if "mariadb" in version.lower() else Flavour.MYSQL
        found.setdefault(
            flavour,
            Program(name=name, flavour=flavour, version=version, number=_tool_number(version)),
        )
    return found


def connect(connection: Connection, *, errors: ErrorClasses, interrupt: Interrupt) -> Server:
    """Log in and ask the server what it is, with whichever of the clients can.

    Raises those of `errors`, and InterruptedRunError.
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


def query(
    client: Program,
    connection: Connection,
    sql: str,
    options: Sequence[str] = (),
    *,
    database: str,
    errors: ErrorClasses,
) -> Command:
    """Make the command that runs statements and prints cells apart by tabs, escaped."""
    argv = [
        client.name,
        *arguments(client, connection),
        f"--connect-timeout={_CONNECT_SECONDS}",
        *session(sql_mode="''"),
        "--batch",
        "--skip-column-names",
        f"--execute={sql}",
        # Behind the statements, which would switch `--force` off.
        *options,
        *(["--", database] if database else []),
    ]
    return command(argv, connection, database=database, errors=errors)


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
        connection=connection,
        where=f" of {what}{connection.host}:{connection.port}",
        errors=errors,
    )


def literal(text: str) -> str:
    """Write a text as SQL, for a session whose sql_mode is empty."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Write a name as SQL."""
    return "`" + name.replace("`", "``") + "`"


def _command(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    connection: Connection | None = None,
    where: str = "",
    errors: ErrorClasses,
) -> Command:
    def failure(status: int, said: str) -> KsnapshotError:
        # MariaDB's client repeats the statement that failed, which is full of the user's data.
        said = said.rpartition(_STATEMENT)[2].strip()
        text = f"{argv[0]}{where} ended with status {status}: {said or 'no explanation'}"
        numbers = error_numbers(said)
        if argv[0] == "mariadb-dump" and LOST_CONNECTION in numbers:
            # Unlike mysqldump it does not ask the server for more patience.
            text += " (did the store hold the dump up? raise the server's net_write_timeout)"
        if numbers & CRASHED:
            text += " (REPAIR TABLE it, or leave it out by the annotation exclude-tables)"
        if TOO_BIG_A_SELECT in numbers:
            text += " (SET GLOBAL max_join_size = DEFAULT, which mariadb-dump cannot do for itself)"
        if connection is not None and numbers & REFUSED_LOGINS:
            text += login_hint(connection)
        return errors.refused(text) if is_final(said) else errors.failed(text)

    return Command(
        argv=argv,
        env={"LC_ALL": "C.UTF-8", **env},
        secrets=() if connection is None else (connection.password,),
        known=(
            ()
            if connection is None
            else (connection.username, connection.database, connection.host)
        ),
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
