"""PostgreSQL's clients: which of the image's talk to which server, and running them."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dumpers.contract.connection import Connection
from dumpers.engines.postgresql.errors import cure, is_final
from dumpers.runtime.errors import (
    DUMP_ERRORS,
    ErrorClasses,
    KsnapshotError,
    SourceFailedError,
    SourceRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.tools.tool import Command, run_for_output

_NAME = "pg_dump"
_WRAPPER = "pg_wrapper"
_VERSION = re.compile(r"\s(\d+)(?:\.\d+|devel|beta\d+|rc\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """The clients of one version in one folder; `version` is pg_dump's `--version` line."""

    folder: Path
    major: int
    version: str


def find(interrupt: Interrupt) -> Mapping[int, Clients]:
    """The clients along PATH by their major version; of several the first counts.

    Debian's wrapper, which only finds one of those that are there, is asked where it stands alone.
    """
    found: dict[int, Clients] = {}
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        program = shutil.which(_NAME, path=folder) if folder else None
        if program and not (found and Path(program).resolve().name == _WRAPPER):
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
# No row comes of it. From a database of no encoding the server gives bytes as they are, or nothing.
_AS_TEXT = (
    "SELECT 1 WHERE pg_catalog.set_config('client_encoding', CASE pg_catalog.getdatabaseencoding() "
    "WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, true) IS NULL"
)
_KEEP_PATH = (
    "SELECT 1 WHERE pg_catalog.set_config('ksnapshot.path', "
    "pg_catalog.to_json(pg_catalog.current_schemas(true))::pg_catalog.text, true) IS NULL"
)
# A COPY of hours shows nothing of a network that forgets idle connections, or of a server whose
# node is gone: after two minutes of silence it is asked whether it is there.
_KEEPALIVE = "keepalives=1 keepalives_idle=60 keepalives_interval=15 keepalives_count=4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Clients of one major version, in `folder`, at one database.

    The server's list of sessions calls them `application`.
    """

    connection: Connection
    folder: Path
    errors: ErrorClasses = DUMP_ERRORS
    application: str = "ksnapshot"

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
            "PGAPPNAME": self.application,
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
            reason = said or "no explanation"
            helps = cure(said, connection)
            text = f"{program} of {where} ended with status {status}: {reason}{helps}"
            return self.errors.refused(text) if is_final(said) else self.errors.failed(text)

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

    def ask_text(self, sql: str, interrupt: Interrupt, *, role: str = "") -> str:
        """Return the only field of a query's only row, read in one transaction and as UTF-8.

        Nothing of the database can stand in for what the query calls: the schemas of the session's
        own search path are in the setting `ksnapshot.path`, as a JSON list. No setting of the role
        or the database ends the query. `role` is the one to ask as, empty for the login's own. What
        is no UTF-8, as there may be in a database of no encoding, is surrogates.
        """
        arguments = ["--no-psqlrc", "--quiet", "-At", "--single-transaction"]
        arguments += ["--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse"]
        arguments += [f"--command={statement}" for statement in (*text_settings(role), sql)]
        command = self.command("psql", arguments)
        return run_for_output(command, interrupt=interrupt, errors="surrogateescape")


def text_settings(role: str) -> list[str]:
    """The statements that give a transaction the settings which Session.ask_text promises."""
    return [
        *([f"SET LOCAL ROLE {quote_identifier(role)}"] if role else []),
        _KEEP_PATH,
        "SET LOCAL search_path = pg_catalog, pg_temp",
        "SET LOCAL statement_timeout = 0",
        # Of common table expressions the planner knows no sizes: it would join thousands of
        # rows to thousands by looping, and compile for that.
        "SET LOCAL enable_nestloop = off",
        "SET LOCAL jit = off",
        # Nor does it know that they are small: with more it clears as much memory for each.
        "SET LOCAL work_mem = '4MB'",
        # A worker costs more to start than it saves.
        "SET LOCAL max_parallel_workers_per_gather = 0",
        _AS_TEXT,
    ]


def quote_identifier(name: str) -> str:
    """A name as SQL takes it, whatever letters it holds."""
    return '"{}"'.format(name.replace('"', '""'))
