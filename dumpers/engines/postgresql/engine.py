"""PostgreSQL through its own clients: pg_dump, pg_dumpall, psql, pg_restore."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from dumpers.contract.connection import Connection
from dumpers.contract.jobs import DumpJob
from dumpers.engines.postgresql import clients, options, restore
from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.options import (
    CUSTOM_ENDING,
    GLOBALS_ENDING,
    PLAIN_ENDING,
    DumpOptions,
)
from dumpers.engines.protocol import DumpStream, Engine, SourceInfo, StoredDump
from dumpers.runtime.errors import RESTORE_ERRORS, ConfigurationError, SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader
from dumpers.streams.tool import EndProof, ToolReader

_LOOK = (
    "SELECT current_setting('server_version_num'), current_setting('server_version'), "
    "(SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
)
# The size of a database that the role may not connect to is not for it to know.
_SIZES = (
    "SELECT datname, CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) "
    "ELSE 0 END FROM pg_database WHERE datallowconn"
)
_ALL = f"{_SIZES} AND NOT datistemplate ORDER BY datname"
_CONNECTED = f"{_SIZES} AND datname = current_database()"

# Servers below this major do not know a setting that newer clients write into every dump.
_TRANSACTION_TIMEOUT_SINCE = 17
_TRANSACTION_TIMEOUT = b"SET transaction_timeout = 0;\n"
# The settings stand in the first lines of a dump.
_HEAD_BYTES = 4096

_PLAIN_HEAD = b"--\n-- PostgreSQL database dump\n--\n"
_PLAIN_END = b"-- PostgreSQL database dump complete\n"
_GLOBALS_HEAD = b"--\n-- PostgreSQL database cluster dump\n--\n"
_GLOBALS_END = b"-- PostgreSQL database cluster dump complete\n"
_CUSTOM_HEAD = b"PGDMP"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look(SourceInfo):
    """What was found: `sizes` in bytes by database, in the order to dump them."""

    session: Session
    major: int
    client: int
    sizes: Mapping[str, int]
    superuser: bool
    wanted: DumpOptions


class _PostgreSQL:
    def preflight(self, job: DumpJob, interrupt: Interrupt) -> SourceInfo:
        wanted = options.read_options(job)
        found = clients.find(interrupt)
        # Any psql talks to any server.
        session = Session(connection=job.connection, folder=found[max(found)].folder)
        number, version, superuser = _row(session, _LOOK, interrupt)
        major = int(number) // 10_000
        chosen = clients.choose(found, server=major, text=version)
        session = Session(connection=job.connection, folder=chosen.folder)
        sizes = _sizes(session, wanted, interrupt)
        notes = []
        if chosen.major != major:
            notes.append(f"dumped by pg_dump {chosen.major}, as there is none of {major} here")
        if wanted.globals and superuser != "t":
            notes.append("roles without their passwords: only a superuser may read those")
        return _Look(
            server_version=version,
            tool_version=chosen.version,
            estimate=sum(sizes.values()),
            notes=tuple(notes),
            session=session,
            major=major,
            client=chosen.major,
            sizes=sizes,
            superuser=superuser == "t",
            wanted=wanted,
        )

    def streams(self, source: SourceInfo) -> AbstractContextManager[Sequence[DumpStream]]:
        assert isinstance(source, _Look)
        streams = [_database(source, name) for name in source.sizes]
        if source.wanted.globals:
            streams.append(_globals(source))
        return nullcontext(streams)

    def restore(
        self, target: Connection, pieces: Sequence[StoredDump], interrupt: Interrupt
    ) -> tuple[str, ...]:
        return restore.restore(_target(target, interrupt), pieces, interrupt)

    def inspect(self, target: Connection, interrupt: Interrupt) -> Mapping[str, int]:
        return restore.count_rows(_target(target, interrupt), interrupt)


ENGINE: Engine = _PostgreSQL()


def prove_plain(head: bytes, tail: bytes) -> str | None:
    """Tell what is wrong with a plain dump, of which first and last bytes are given."""
    return _prove(head, tail, _PLAIN_HEAD, _PLAIN_END)


def prove_globals(head: bytes, tail: bytes) -> str | None:
    """The same of pg_dumpall's roles and tablespaces."""
    return _prove(head, tail, _GLOBALS_HEAD, _GLOBALS_END)


def prove_custom(head: bytes, _tail: bytes) -> str | None:
    """The custom format has no end marker: the tool's exit status alone stands for its end."""
    return None if head.startswith(_CUSTOM_HEAD) else "it does not start as the custom format does"


class WithoutLine:
    """A reader without one line, which stands in the first kilobytes or nowhere."""

    def __init__(self, source: Reader, line: bytes) -> None:
        self._source = source
        self._line = line
        self._head: bytes | None = None

    def read(self, size: int = -1, /) -> bytes:
        """Read from the source; its errors pass through."""
        if self._head is None:
            self._head = self._first()
        if self._head:
            end = len(self._head) if size < 0 else size
            data, self._head = self._head[:end], self._head[end:]
            return data
        return self._source.read(size)

    def _first(self) -> bytes:
        head = b""
        while len(head) < _HEAD_BYTES and (data := self._source.read(_HEAD_BYTES)):
            head += data
        before, line, after = head.partition(b"\n" + self._line)
        return before + b"\n" + after if line else head


def _prove(head: bytes, tail: bytes, start: bytes, end: bytes) -> str | None:
    r"""Current minors put `\unrestrict <token>` behind the end marker."""
    if not head.startswith(start):
        return "it does not start as plain output does"
    if end not in tail:
        return "the end marker is missing"
    rest = tail.rpartition(end)[2].replace(b"--", b"").split()
    if rest and rest[0] != rb"\unrestrict":
        return "something follows the end marker"
    return None


def _database(look: _Look, name: str) -> DumpStream:
    custom = look.wanted.custom
    command = look.session.at(name).command("pg_dump", look.wanted.arguments)
    proof: EndProof = prove_custom if custom else prove_plain
    # pg_restore leaves such settings out by itself.
    newer = not custom and look.client >= _TRANSACTION_TIMEOUT_SINCE > look.major

    @contextmanager
    def open_(interrupt: Interrupt) -> Iterator[Reader]:
        with ToolReader(command, proof=proof, interrupt=interrupt) as reader:
            yield WithoutLine(reader, _TRANSACTION_TIMEOUT) if newer else reader

    return DumpStream(
        name=name,
        ending=CUSTOM_ENDING if custom else PLAIN_ENDING,
        estimate=look.sizes[name],
        open=open_,
    )


def _globals(look: _Look) -> DumpStream:
    name = look.session.connection.database
    passwords = [] if look.superuser else ["--no-role-passwords"]
    command = look.session.command(
        "pg_dumpall", ["--globals-only", f"--database={name}", *passwords]
    )

    def open_(interrupt: Interrupt) -> AbstractContextManager[Reader]:
        return ToolReader(command, proof=prove_globals, interrupt=interrupt)

    return DumpStream(name=name, ending=GLOBALS_ENDING, estimate=0, open=open_)


def _row(session: Session, sql: str, interrupt: Interrupt) -> list[str]:
    rows = session.ask(sql, interrupt)
    if len(rows) != 1 or not rows[0][0].isdigit():
        raise SourceFailedError(f"the server does not answer as PostgreSQL does: {rows!r}"[:300])
    return rows[0]


def _sizes(session: Session, wanted: DumpOptions, interrupt: Interrupt) -> Mapping[str, int]:
    if wanted.databases == (options.ALL,):
        return {name: int(size) for name, size in session.ask(_ALL, interrupt)}
    if not wanted.databases:
        return {name: int(size) for name, size in session.ask(_CONNECTED, interrupt)}
    sizes = {name: int(size) for name, size in session.ask(_SIZES, interrupt)}
    missing = [name for name in wanted.databases if name not in sizes]
    if missing:
        known = ", ".join(sorted(sizes))
        raise ConfigurationError(f"there is no database {missing[0]!r}: the server has {known}")
    return {name: sizes[name] for name in wanted.databases}


def _target(connection: Connection, interrupt: Interrupt) -> Session:
    found = clients.find(interrupt)
    return Session(connection=connection, folder=found[max(found)].folder, errors=RESTORE_ERRORS)
