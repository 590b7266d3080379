"""The programs of MySQL and MariaDB, and the options by which each of them logs in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dumpers.contract.connection import Connection

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

# How long a dump waits for a table that somebody has locked.
LOCK_WAIT_SECONDS = 300


class Flavour(StrEnum):
    """Whose product a server or a tool is."""

    MYSQL = "MySQL"
    MARIADB = "MariaDB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A tool of this image; `version` is its whole `--version` line, `number` its release."""

    name: str
    flavour: Flavour
    version: str
    number: tuple[int, int]


def arguments(program: Program, connection: Connection) -> list[str]:
    """Return the options that every client gets: no option files, host, port, user, TLS.

    If the connection says nothing about TLS, TLS is used where the server offers it, and its
    certificate is not checked.
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


def session(**settings: str) -> list[str]:
    """Return the option that sets up a session before anything is read in it.

    Names in UTF-8: MySQL 5.7 takes the clients of 8 and 9 for latin1, as they ask for a collation
    that it does not know. No wait for a lock without end. And nothing that a server's own defaults
    may hide, cut or refuse: rows beyond a limit, long statements, tables that look too large to be
    read whole, primary keys that it made itself. Each server reads the comments of its kind that
    begin with a release which it has reached. `settings` are further ones.
    """
    further = "".join(f", {name} = {value}" for name, value in settings.items())
    command = (
        f"SET NAMES utf8mb4{further}, lock_wait_timeout = {LOCK_WAIT_SECONDS}, "
        "sql_select_limit = 18446744073709551615, sql_big_selects = ON"
        "/*!50708 , max_execution_time = 0 */"
        "/*!80030 , show_gipk_in_create_table_and_information_schema = ON */"
        "/*M!100101 , max_statement_time = 0 */"
    )
    return [f"--init-command={command}"]


def names_in_utf8() -> list[str]:
    """Return the option that does the first part of `session` alone, for a load."""
    return ["--init-command=SET NAMES utf8mb4"]
