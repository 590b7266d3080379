"""Asking a user's own checks of restored databases, as accounts that only read these."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace

from dumpers.contract.connection import Connection
from dumpers.contract.drill.checks import Check
from dumpers.engines.drilling.checking import CHECK_SECONDS, AskCheck, choose_database
from dumpers.engines.drilling.protocol import DrilledObject
from dumpers.engines.mysql.client import Server, identifier, literal
from dumpers.engines.mysql.drill.prepare import BUILT_IN, databases_of, find_own_server
from dumpers.engines.mysql.drill.server import LOGIN
from dumpers.engines.mysql.drill.statement import first_values
from dumpers.engines.mysql.programs import Flavour
from dumpers.engines.mysql.restore.load import Loader
from dumpers.runtime.interrupt import Interrupt

_HOST = "127.0.0.1"
# Names of accounts of old servers have at most 32 letters.
_NAME = "ksnapshot_check_"
_RIGHTS = "SELECT, SHOW VIEW, EXECUTE"
# Rights over the server itself, which the accounts of views and programs do not need here.
_TOO_MUCH = "FILE, SUPER, PROCESS, SHUTDOWN, RELOAD, CREATE USER"


def open_checks(
    server: Connection,
    objects: Sequence[DrilledObject],
    interrupt: Interrupt,
    *,
    seconds: int = CHECK_SECONDS,
) -> AskCheck:
    """See CheckedEngine: as new accounts with rights to read the backup's databases alone.

    The accounts that views and programs run as lose theirs over the server, such as FILE.
    """
    target = find_own_server(server, interrupt)
    names = databases_of([item.stored for item in objects])
    _restrict(target.server, target.loader, interrupt)
    begin = (_limit(target.server, seconds), "START TRANSACTION READ ONLY")

    def ask(check: Check, interrupt: Interrupt) -> Iterator[str | None]:
        database = choose_database(check, names)
        # One for each check: an account may give itself a password.
        user = _make_account(target.loader, names, interrupt)
        login = replace(server, username=user, password="", database=database)
        return first_values(login, begin, check.sql, interrupt)

    return ask


def _make_account(loader: Loader, names: Sequence[str], interrupt: Interrupt) -> str:
    user = f"{_NAME}{secrets.token_hex(4)}"
    account = f"{literal(user)}@{literal(_HOST)}"
    statements = [
        "SET SESSION sql_mode = ''",
        f"CREATE USER {account} IDENTIFIED BY ''",
        *(f"GRANT {_RIGHTS} ON {_pattern(name)}.* TO {account}" for name in names),
    ]
    loader.run(statements, interrupt=interrupt)
    return user


def _restrict(server: Server, loader: Loader, interrupt: Interrupt) -> None:
    # Accounts at names of hosts are in the table, and not known where no names are resolved.
    known = server.rows("GRANTEE", "FROM information_schema.USER_PRIVILEGES", interrupt=interrupt)
    found = server.rows("User, Host", "FROM mysql.user", interrupt=interrupt)
    statements = [
        f"REVOKE {_TOO_MUCH} ON *.* FROM {literal(user)}@{literal(host)}"
        for user, host in found
        if (f"'{user}'@'{host}'",) in known and user != LOGIN and not user.startswith(BUILT_IN)
    ]
    loader.run(["SET SESSION sql_mode = ''", *statements], interrupt=interrupt)


def _limit(server: Server, seconds: int) -> str:
    if server.flavour is Flavour.MARIADB:
        return f"SET SESSION max_statement_time = {seconds}"
    return f"SET SESSION max_execution_time = {seconds * 1000}"


def _pattern(name: str) -> str:
    """A database's name as GRANT takes it, where `_` and `%` stand for others."""
    escaped = name.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")
    return identifier(escaped)
