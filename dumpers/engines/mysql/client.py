"""Talking to a server through the stock clients of MySQL and MariaDB."""

import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from dumpers.contract.connection import Connection
from dumpers.engines.mysql.commands import conversation, query, tool_command
from dumpers.engines.mysql.conversation import Conversation
from dumpers.engines.mysql.programs import Flavour, Program
from dumpers.runtime.errors import ErrorClasses
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.tools.tool import Command, run_for_output

# If one client cannot log in for want of a plugin or of TLS, the other may. By text, as the number
# of such an error is often that of a login that failed for any reason.
_OTHER_CLIENT = re.compile(r"plugin|\bSSL\b|\bTLS\b|secure connection", re.IGNORECASE)
_ESCAPES = {"0": "\0", "n": "\n", "t": "\t", "\\": "\\"}
# How the tools print their version: mysqldump 8 and 9; those that put their own number first.
_VERSIONS = (r"(?:from|Distrib) (\d+)\.(\d+)", r"Ver (\d+)\.(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that the login works on, and the client that can reach it.

    `folds`: the server treats table names that differ only in case as the same. Until the
    `conversation` is over, if there is one, questions are asked in it.
    """

    flavour: Flavour
    version: str
    number: tuple[int, int]
    folds: bool
    connection: Connection
    errors: ErrorClasses
    client: Program = field(repr=False)
    conversation: Conversation | None = field(default=None, repr=False)

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
        self, sql: str, *, database: str = "", heads: bool = False, interrupt: Interrupt
    ) -> list[tuple[str, ...]]:
        """Answer one statement, also one that is no SELECT; blanks at the answer's edges may go.

        With `heads` the first row, if any, is that of the columns' names.
        """
        if self.conversation is None or self.conversation.is_over:
            options = ("--column-names",) if heads else ()
            return self.script(sql, options=options, database=database, interrupt=interrupt)
        lines = self.conversation.ask(sql, database=database)
        return cells(lines if heads else lines[1:])

    def script(
        self, sql: str, *, options: Sequence[str], database: str = "", interrupt: Interrupt
    ) -> list[tuple[str, ...]]:
        """Answer statements by a client of their own, which gets these options besides."""
        command = query(
            self.client,
            self.connection,
            sql,
            options,
            database=database,
            logged_in=True,
            errors=self.errors,
        )
        text = run_for_output(command, interrupt=interrupt)
        return cells(text.split("\n") if text else [])

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
        command = tool_command([name, "--version"], env={}, errors=errors)
        version = run_for_output(command, interrupt=interrupt)
        flavour = Flavour.MARIADB if "mariadb" in version.lower() else Flavour.MYSQL
        found.setdefault(
            flavour,
            Program(name=name, flavour=flavour, version=version, number=_tool_number(version)),
        )
    return found


def connect(
    connection: Connection,
    *,
    errors: ErrorClasses,
    interrupt: Interrupt,
    database: str = "",
    kept: ExitStack | None = None,
) -> Server:
    """Log in and ask the server what it is, with whichever of the clients can.

    With `kept` the client stays logged in until that is closed, in this database at first. Raises
    those of `errors`, and InterruptedRunError.
    """
    clients = programs(("mariadb", "mysql"), errors=errors, interrupt=interrupt)
    if not clients:
        raise errors.refused(
            "neither mariadb nor mysql is in this image: use the dumper image of this engine"
        )

    def look(client: Program) -> Server:
        talk: Conversation | None = None

        def make(name: str) -> Command:
            logged_in = talk is not None and talk.has_answered
            return conversation(
                client, connection, database=name, logged_in=logged_in, errors=errors
            )

        if kept is not None:
            talk = Conversation(make, database=database, interrupt=interrupt)
            kept.enter_context(talk)
        return _look(client, connection, talk, errors=errors, interrupt=interrupt)

    # MariaDB's has the plugins of both.
    order = [clients[flavour] for flavour in reversed(Flavour) if flavour in clients]
    for client in order[:-1]:
        try:
            return look(client)
        except (errors.failed, errors.refused) as error:
            if not _OTHER_CLIENT.search(str(error)):
                raise
    return look(order[-1])


def literal(text: str) -> str:
    """Write a text as SQL, for a session whose sql_mode is empty."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Write a name as SQL."""
    return "`" + name.replace("`", "``") + "`"


def _look(
    client: Program,
    connection: Connection,
    talk: Conversation | None,
    *,
    errors: ErrorClasses,
    interrupt: Interrupt,
) -> Server:
    sql = "SELECT VERSION(), @@version_comment, @@lower_case_table_names"
    if talk is None:
        command = query(client, connection, sql, database="", logged_in=False, errors=errors)
        row = run_for_output(command, interrupt=interrupt)
    else:
        row = "\n".join(talk.ask(sql)[1:])
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
        conversation=talk,
    )


def _tool_number(version: str) -> tuple[int, int]:
    for pattern in _VERSIONS:
        if found := re.search(pattern, version):
            return int(found[1]), int(found[2])
    return (0, 0)


def cells(lines: Sequence[str]) -> list[tuple[str, ...]]:
    """The cells of lines that a client has printed."""
    return [tuple(_unescape(cell) for cell in line.split("\t")) for line in lines]


def _unescape(cell: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), cell)
