"""PostgreSQL's clients: which of the image's talk to which server, and running them."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dumpers.contract.connection import Connection
from dumpers.engines.login_hint import login_hint
from dumpers.runtime.errors import (
    DUMP_ERRORS,
    ErrorClasses,
    KsnapshotError,
    SourceFailedError,
    SourceRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.tool import Command, run_for_output

_NAME = "pg_dump"
_VERSION = re.compile(r"\s(\d+)(?:\.\d+|devel|beta\d+|rc\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """The clients of one version in one folder; `version` is pg_dump's `--version` line."""

    folder: Path
    major: int
    version: str


def find(interrupt: Interrupt) -> Mapping[int, Clients]:
    """The clients along PATH by their major version; of several the first counts."""
    found: dict[int, Clients] = {}
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        program = shutil.which(_NAME, path=folder) if folder else None
        if program:
            clients = _clients(program, interrupt)
            found.setdefault(clients.major, clients)
    if not found:
        raise SourceRefusedError(f"{_NAME} is not in this image: use PostgreSQL's dumper image")
    return found


def choose(found: Mapping[int, Clients], *, server: int, text: str) -> Clients:
    """The clients for a server: of its own major version, else the newest, if that knows it.

    pg_dump reads older servers, and refuses newer ones.
    """
    clients = found.get(server, found[max(found)])
    if clients.major < server:
        raise SourceRefusedError(
            f"the server is PostgreSQL {text}, newer than this image's clients (up to "
            f"{clients.major}): use a newer dumper image"
        )
    return clients


def _clients(program: str, interrupt: Interrupt) -> Clients:
    def failure(status: int, said: str) -> SourceFailedError:
        return SourceFailedError(f"{program} --version ended with status {status}: {said}")

    command = Command(argv=[program, "--version"], env={"LC_ALL": "C"}, failure=failure)
    said = run_for_output(command, interrupt=interrupt)
    version = _VERSION.search(said)
    if version is None:
        raise SourceFailedError(f"{program} does not say its version: {said[:200]!r}")
    return Clients(folder=Path(program).parent, major=int(version[1]), version=said)


_CONNECT_SECONDS = 10
_FIELD, _ROW = "\x1f", "\x1e"
# A COPY of hours shows nothing of a network that forgets idle connections, or of a server whose
# node is gone: after two minutes of silence it is asked whether it is there.
_KEEPALIVE = "keepalives=1 keepalives_idle=60 keepalives_interval=15 keepalives_count=4"

# Texts of libpq, the tools and the server for which trying again cannot help. Texts, not SQLSTATEs:
# pg_dump, pg_restore and libpq's own connection errors never print one, and psql prints one only
# instead of the message (VERBOSITY=sqlstate) or together with the failed rows (verbose). A server
# may speak another language; an unknown text counts as passing, which costs a retry.
_REFUSALS = re.compile(
    r"password authentication failed|no password supplied|no pg_hba\.conf entry"
    r"|role \".*\" does not exist|database \".*\" does not exist|is not permitted to log in"
    r"|permission denied|does not accept connections to database|server version mismatch"
    r"|no matching (?:tables|schemas|extensions) were found|unrecognized option"
    r"|invalid option|row-level security policy|root certificate file"
    r"|certificate verify failed|does not match host name|server does not support SSL"
    r"|invalid sslmode value"
    r"|sslmode value .* invalid when SSL support is not compiled in"
    # Of a restore only.
    r"|already exists|must be owner of|must be superuser|unrecognized configuration parameter"
    r"|extension \".*\" is not available|syntax error|unsupported version|invalid command",
    re.IGNORECASE,
)

_LOGIN = re.compile(r"authentication failed|role \".*\" does not exist", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Clients of one major version, in `folder`, at one database."""

    connection: Connection
    folder: Path
    errors: ErrorClasses = DUMP_ERRORS

    def at(self, database: str) -> "Session":
        """A session at another database of the same server."""
        return replace(self, connection=replace(self.connection, database=database))

    def command(self, program: str, arguments: Sequence[str]) -> Command:
        """The command that runs one client, with the login in its environment."""
        connection = self.connection
        # By environment, never by argument: PGDATABASE is taken as a name, where an argument could
        # be read as a connection string, and arguments are there for every process to see.
        env = {
            "LC_ALL": "C",
            "PGAPPNAME": "ksnapshot",
            "PGCONNECT_TIMEOUT": str(_CONNECT_SECONDS),
            "PGHOST": connection.host,
            "PGPORT": str(connection.port),
            "PGUSER": connection.username,
            "PGPASSWORD": connection.password,
            "PGDATABASE": connection.database,
        }
        if connection.tls:
            env["PGSSLMODE"] = connection.tls
        if connection.ca_file:
            env["PGSSLROOTCERT"] = connection.ca_file

        def failure(status: int, said: str) -> KsnapshotError:
            where = f"{connection.database!r} at {connection.host}:{connection.port}"
            text = f"{program} of {where} ended with status {status}: {said or 'no explanation'}"
            if _LOGIN.search(said):
                text += login_hint(connection)
            return self.errors.refused(text) if _REFUSALS.search(said) else self.errors.failed(text)

        return Command(
            argv=[
                str(self.folder / program),
                "--no-password",
                f"--dbname={_KEEPALIVE}",
                *arguments,
            ],
            env=env,
            secrets=(connection.password,),
            known=(connection.username, connection.database, connection.host),
            failure=failure,
            errors=self.errors,
        )

    def ask(self, sql: str, interrupt: Interrupt) -> list[list[str]]:
        """The rows of a query, as texts; neither names nor texts may hold control characters."""
        format_ = [
            "--no-psqlrc",
            "-At",
            f"--field-separator={_FIELD}",
            f"--record-separator={_ROW}",
        ]
        text = run_for_output(
            self.command("psql", [*format_, f"--command={sql}"]), interrupt=interrupt
        )
        return [row.split(_FIELD) for row in text.split(_ROW)] if text else []
