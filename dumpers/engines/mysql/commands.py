"""The command lines of the stock clients and dump tools, and what their failures mean."""

from collections.abc import Mapping, Sequence

from dumpers.contract.connection import Connection
from dumpers.engines.login_hint import login_hint
from dumpers.engines.mysql.errors import (
    CRASHED,
    LOST_CONNECTION,
    REFUSED_LOGINS,
    TOO_BIG_A_SELECT,
    UNOPENED,
    error_numbers,
    is_distrust,
    is_final,
)
from dumpers.engines.mysql.programs import Program, arguments, session
from dumpers.runtime.errors import ErrorClasses, KsnapshotError
from dumpers.streams.tools.tool import Command

# Holds in each session how many rows the server would give to one that sets nothing.
GIVEN_LIMIT = "@ksnapshot_given_limit"

_CONNECT_SECONDS = 10
_STATEMENT = "--------------\n"
_DISTRUSTED = (
    " (the annotation ca-secret names the authority to trust; the annotation tls says how much is "
    "checked)"
)
_CHANGED = (
    " (this run was logged in there before: the server was restarted meanwhile, or another one "
    "answers in its place)"
)


def query(
    client: Program,
    connection: Connection,
    sql: str,
    options: Sequence[str] = (),
    *,
    database: str,
    logged_in: bool,
    errors: ErrorClasses,
) -> Command:
    """Make the command that runs statements and prints cells apart by tabs, escaped."""
    argv = [
        *_login(client, connection),
        "--skip-column-names",
        f"--execute={sql}",
        # Behind the statements, which would switch `--force` off.
        *options,
        *(["--", database] if database else []),
    ]
    return command(argv, connection, database=database, logged_in=logged_in, errors=errors)


def conversation(
    client: Program,
    connection: Connection,
    *,
    database: str,
    logged_in: bool,
    errors: ErrorClasses,
) -> Command:
    """Make the command that reads statements and prints the answer of each as soon as it has it.

    As `query` does, and the names of the columns before its rows. It ends at the first error.
    """
    # Names are taken as they are, with line ends of any kind.
    argv = [*_login(client, connection), "--unbuffered", "--binary-mode", "--skip-reconnect"]
    argv += ["--", database] if database else []
    return command(argv, connection, database=database, logged_in=logged_in, errors=errors)


def command(
    argv: Sequence[str],
    connection: Connection,
    *,
    database: str,
    logged_in: bool,
    errors: ErrorClasses,
) -> Command:
    """Make a command that logs in; the password goes by environment, as it does with libpq.

    `logged_in`: this run was logged in there before, so a server that is not trusted now is
    another one, or one that is just starting: that may heal.

    An option file would be on a disk or in a descriptor to hand down, and is read by the same
    user only, as the environment is.
    """
    what = f"{database!r} at " if database else ""
    return tool_command(
        argv,
        env={"MYSQL_PWD": connection.password} if connection.password else {},
        connection=connection,
        where=f" of {what}{connection.host}:{connection.port}",
        logged_in=logged_in,
        errors=errors,
    )


def tool_command(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    connection: Connection | None = None,
    where: str = "",
    logged_in: bool = False,
    errors: ErrorClasses,
) -> Command:
    """Make a command, with a `connection` one that logs in there; `where` is for its errors."""

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
        if numbers & UNOPENED:
            text += " (repair or drop it, or leave it out by the annotation exclude-tables)"
        if TOO_BIG_A_SELECT in numbers:
            text += " (SET GLOBAL max_join_size = DEFAULT, which mariadb-dump cannot do for itself)"
        if connection is not None and numbers & REFUSED_LOGINS:
            text += login_hint(connection)
        if is_distrust(said):
            if logged_in:
                return errors.failed(f"{text}{_CHANGED}")
            return errors.refused(f"{text}{_DISTRUSTED}")
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


def _login(client: Program, connection: Connection) -> list[str]:
    return [
        client.name,
        *arguments(client, connection),
        f"--connect-timeout={_CONNECT_SECONDS}",
        *session(sql_mode="''", **{GIVEN_LIMIT: "@@session.sql_select_limit"}),
        "--batch",
    ]
