"""Dumping PostgreSQL with its own pg_dump."""

import re
from collections.abc import Sequence

from dumpers.contract import DumpJob
from dumpers.engines.base import Engine, Source, Stream
from dumpers.engines.postgresql import options
from dumpers.errors import (
    KsnapshotError,
    SourceFailedError,
    SourceRefusedError,
)
from dumpers.interrupt import Interrupt
from dumpers.process import Command, ToolReader, output

_CONNECT_SECONDS = 10

# One row: version number, version text, size of the database in bytes.
_LOOK = (
    "SELECT current_setting('server_version_num'), current_setting('server_version'), "
    "pg_database_size(current_database())"
)

# What libpq and the server say when trying again cannot help. Servers may speak another language;
# what is not recognised counts as passing, which costs a retry and nothing else.
_REFUSALS = re.compile(
    r"password authentication failed|no password supplied|no pg_hba\.conf entry"
    r"|role \".*\" does not exist|database \".*\" does not exist|is not permitted to log in"
    r"|permission denied|does not accept connections to database|server version mismatch"
    r"|no matching (?:tables|schemas|extensions) were found|unrecognized option"
    r"|invalid option|row-level security policy"
    r"|certificate verify failed|server does not support SSL",
    re.IGNORECASE,
)

_HEAD = b"--\n-- PostgreSQL database dump\n--\n"
_END = b"-- PostgreSQL database dump complete\n"


class _PostgreSQL:
    def preflight(self, job: DumpJob, interrupt: Interrupt) -> Source:
        _options(job)
        tool = output(_command(job, ["pg_dump", "--version"]), interrupt=interrupt)
        row = output(
            _command(job, ["psql", "--no-psqlrc", "--no-password", "-AtF|", "-c", _LOOK]),
            interrupt=interrupt,
        )
        look = re.fullmatch(r"(\d+)\|(.*)\|(\d+)", row)
        if look is None:
            raise SourceFailedError(f"the server does not answer as PostgreSQL does: {row[:200]!r}")
        number, version, size = look.groups()
        _check_versions(server=int(number) // 10_000, server_text=version, tool=tool)
        return Source(server_version=version, tool_version=tool, estimate=int(size))

    def streams(self, job: DumpJob, source: Source) -> tuple[Stream, ...]:
        command = _command(job, ["pg_dump", "--no-password", *_options(job)])

        def open_dump(interrupt: Interrupt) -> ToolReader:
            return ToolReader(command, proof=prove, interrupt=interrupt)

        return (
            Stream(
                name=job.connection.database,
                ending=".sql",
                estimate=source.estimate,
                open=open_dump,
            ),
        )


ENGINE: Engine = _PostgreSQL()


def prove(head: bytes, tail: bytes) -> str | None:
    r"""Tell what is wrong with a plain dump, of which first and last bytes are given.

    Current minors put `\unrestrict <token>` behind the end marker.
    """
    if not head.startswith(_HEAD):
        return "it does not start as pg_dump's plain output does"
    if _END not in tail:
        return "pg_dump's end marker is missing"
    rest = tail.rpartition(_END)[2].replace(b"--", b"").split()
    if rest and rest[0] != rb"\unrestrict":
        return "something follows pg_dump's end marker"
    return None


def _options(job: DumpJob) -> list[str]:
    return options.parse(job.options.get(options.VARIABLE, ""))


def _command(job: DumpJob, argv: Sequence[str]) -> Command:
    connection = job.connection
    # By environment, never by argument: PGDATABASE is taken as a name, where an argument could be
    # read as a connection string, and arguments are there for every process to see.
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

    def failure(status: int, said: str) -> KsnapshotError:
        where = f"{connection.database!r} at {connection.host}:{connection.port}"
        text = f"{argv[0]} of {where} ended with status {status}: {said or 'no explanation'}"
        return SourceRefusedError(text) if _REFUSALS.search(said) else SourceFailedError(text)

    return Command(argv=argv, env=env, secrets=(connection.password,), failure=failure)


def _check_versions(*, server: int, server_text: str, tool: str) -> None:
    found = re.search(r"\s(\d+)", tool)
    if found is None:
        raise SourceFailedError(f"pg_dump does not say its version: {tool!r}")
    if int(found[1]) < server:
        raise SourceRefusedError(
            f"the server is PostgreSQL {server_text}, newer than this image's {tool}: use a newer "
            "dumper image"
        )
