"""Real MySQL and MariaDB servers, one of each per session, started when first asked for."""

import contextlib
import io
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

import pytest

from dumpers.contract.connection import Connection
from dumpers.contract.jobs import DumpJob
from dumpers.contract.notes import NoteCode
from dumpers.engines.mysql.engine import ENGINE
from dumpers.engines.protocol import DumpStream, NotedStream, SourceInfo, StoredDump
from dumpers.engines.registry import ENGINES
from dumpers.runtime.errors import SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader
from tests.testbed.databases import mysql as mysql_testbed
from tests.testbed.databases.mysql import MySQLServer
from tests.testbed.toolchain.require import require, require_linux
from tests.unit.dumpers.contract.test_jobs import ENV

Servers = Callable[[str], MySQLServer]
PATH = "/usr/bin:/bin"


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Starts a server by its name, once."""
    require_linux()
    running: dict[str, MySQLServer] = {}
    with contextlib.ExitStack() as ending:

        def start(name: str) -> MySQLServer:
            problem = mysql_testbed.problem(name)
            require(not problem, problem)
            if name not in running:
                running[name] = ending.enter_context(mysql_testbed.start(name))
            return running[name]

        yield start


@pytest.fixture
def clients() -> Iterator[None]:
    """The stock clients of both flavours in PATH, as in the image."""
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{mysql_testbed.clients()}:{PATH}"
    yield
    os.environ["PATH"] = before


@dataclass(kw_only=True)
class Case:
    """A server and databases of this test's own, named as they would be in no good test."""

    server: MySQLServer
    made: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)

    def database(self, name: str = "test") -> str:
        made = self.server.create_database(f"{name}_{secrets.token_hex(3)}")
        self.made.append(made)
        return made

    def user(self, *grants: str) -> str:
        """An account with these grants and the password `pw`."""
        name = f"u_{secrets.token_hex(4)}"
        self.server.sql(
            f"CREATE USER {name}@'%' IDENTIFIED BY 'pw';"
            + "".join(f"GRANT {grant} TO {name}@'%';" for grant in grants)
        )
        self.users.append(name)
        return name

    def job(self, database: str, **changes: str) -> DumpJob:
        return DumpJob.from_env(ENV | self.env(database) | changes, ENGINES)

    def env(self, database: str) -> dict[str, str]:
        return {
            "KSNAPSHOT_ENGINE": "mysql",
            "MYSQL_HOST": self.server.host,
            "MYSQL_PORT": str(self.server.port),
            "MYSQL_USERNAME": self.server.user,
            "MYSQL_PASSWORD": self.server.password,
            "MYSQL_DATABASE": database,
        }

    def connection(self, database: str, *, user: str = "", password: str = "") -> Connection:
        return Connection(
            host=self.server.host,
            port=self.server.port,
            username=user or self.server.user,
            password=password or self.server.password,
            database=database,
        )

    def load(self, dump: bytes) -> str:
        """A new database filled by the stock client."""
        copy = self.database("copy")
        self.server.sql(dump, copy)
        return copy

    def end(self) -> None:
        for name in self.made:
            self.server.drop_database(name)
        for name in self.users:
            self.server.sql(f"DROP USER {name}@'%'")


@pytest.fixture(params=["mysql-5.7", "mysql-8.0", mysql_testbed.NEWEST, "mariadb-11.4"])
def case(request: pytest.FixtureRequest, servers: Servers, clients: None) -> Iterator[Case]:
    made = Case(server=servers(request.param))
    yield made
    made.end()


def piece(name: str, data: bytes, part: tuple[str, ...] = ()) -> StoredDump:
    """What a restore is given of a stored object."""

    def open_() -> AbstractContextManager[Reader]:
        return contextlib.nullcontext(io.BytesIO(data))

    return StoredDump(name=name, part=part, ending=".sql", size=len(data), open=open_)


def noted(source: SourceInfo) -> dict[NoteCode, tuple[str, ...]]:
    """The objects that the notes of a dump name, by the notes' codes."""
    found: dict[NoteCode, tuple[str, ...]] = {}
    for note in source.notes:
        found[note.code] = (*found.get(note.code, ()), *note.objects)
    return found


def dump(job: DumpJob) -> tuple[SourceInfo, Sequence[tuple[str, bytes]]]:
    """All that a dump says and gives, by the names of its streams."""
    source, found = dump_parts(job)
    return source, [(name, data) for name, _, data in found]


def dump_parts(job: DumpJob) -> tuple[SourceInfo, Sequence[tuple[str, tuple[str, ...], bytes]]]:
    """All that a dump says and gives, by the names and parts of its streams."""
    found = []
    with ENGINE.open(job, Interrupt()) as opened:
        for stream in opened.streams:
            try:
                data = _read(stream)
            except SourceFailedError as error:
                # As the pipeline does.
                if not stream.can_retry(error):
                    raise
                data = _read(stream)
            found.append((stream.name, stream.part, data))
        told = [stream.notes() for stream in opened.streams if isinstance(stream, NotedStream)]
    notes = (*opened.info.notes, *(note for notes in told for note in notes))
    return replace(opened.info, notes=notes), found


def dump_pieces(job: DumpJob) -> list[StoredDump]:
    """What a restore is given of a dump, with the metadata of its objects."""
    with ENGINE.open(job, Interrupt()) as opened:
        read = [(stream, _read(stream)) for stream in opened.streams]
        return [as_piece(stream, data) for stream, data in read]


def as_piece(stream: DumpStream, data: bytes) -> StoredDump:
    """What a restore is given of a stream once all streams were read."""
    made = piece(stream.name, data, stream.part)
    return replace(made, metadata=stream.metadata())


def _read(stream: DumpStream) -> bytes:
    with stream.open(Interrupt()) as reader:
        return b"".join(iter(reader.read, b""))
