"""PostgreSQL through its own clients: pg_dump, pg_dumpall, psql, pg_restore."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from dumpers.contract.jobs import DumpJob
from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.postgresql import clients, options
from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.options import (
    CUSTOM_ENDING,
    GLOBALS_ENDING,
    PLAIN_ENDING,
    DumpOptions,
)
from dumpers.engines.postgresql.restore import count_rows, load_backup
from dumpers.engines.protocol import Dump, DumpStream, Engine, OpenedDump, SourceInfo
from dumpers.engines.simple_stream import SimpleStream
from dumpers.runtime.errors import ConfigurationError, SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import BLOCK_BYTES, BufferedReader, Reader
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


@contextmanager
def open_dump(job: DumpJob, interrupt: Interrupt) -> Iterator[Dump]:
    """Look at the server and its databases; streams share nothing."""
    wanted = options.read_options(job)
    installed = clients.find(interrupt)
    # Any psql talks to any server.
    session = Session(connection=job.connection, folder=installed[max(installed)].folder)
    number, version, superuser = _row(session, _LOOK, interrupt)
    major = int(number) // 10_000
    chosen = clients.choose(installed, server=major, text=version)
    session = Session(connection=job.connection, folder=chosen.folder)
    sizes = _sizes(session, wanted, interrupt)
    notes = []
    if chosen.major != major:
        notes.append(f"dumped by pg_dump {chosen.major}, as there is none of {major} here")
    if wanted.globals and superuser != "t":
        notes.append("roles without their passwords: only a superuser may read those")
    # pg_restore leaves such settings out by itself.
    unknown_setting = not wanted.custom and chosen.major >= _TRANSACTION_TIMEOUT_SINCE > major
    streams = [
        _database(session.at(name), wanted, estimate=size, unknown_setting=unknown_setting)
        for name, size in sizes.items()
    ]
    if wanted.globals:
        streams.append(_globals(session, passwords=superuser == "t"))
    info = SourceInfo(
        server_version=version,
        tool_version=chosen.version,
        estimate=sum(sizes.values()),
        notes=tuple(Note(code=NoteCode.NOT_DUMPED, text=text) for text in notes),
    )
    yield OpenedDump(info=info, streams=streams)


class _PostgreSQL:
    """Dumps and restores of PostgreSQL."""

    open = staticmethod(open_dump)
    restore = staticmethod(load_backup)
    inspect = staticmethod(count_rows)


ENGINE: Engine = _PostgreSQL()


def prove_plain(head: bytes, tail: bytes) -> str | None:
    """Return what is wrong with a plain dump, by its first and last bytes; None if nothing is."""
    return _prove(head, tail, _PLAIN_HEAD, _PLAIN_END)


def prove_globals(head: bytes, tail: bytes) -> str | None:
    """Return what is wrong with pg_dumpall's roles and tablespaces; None if nothing."""
    return _prove(head, tail, _GLOBALS_HEAD, _GLOBALS_END)


def prove_custom(head: bytes, _tail: bytes) -> str | None:
    """Return what is wrong with a dump in the custom format; None if nothing.

    The format has no end marker: the tool's exit status alone stands for its end.
    """
    return None if head.startswith(_CUSTOM_HEAD) else "it does not start as the custom format does"


class WithoutLine(BufferedReader):
    """A reader without one line, which stands in the first kilobytes or nowhere."""

    def __init__(self, source: Reader, line: bytes) -> None:
        super().__init__()
        self._source = source
        self._line = line
        self._begun = False

    def next_block(self) -> bytes:
        """Return the source's next block, the first one without the line; its errors propagate."""
        if self._begun:
            return self._source.read(BLOCK_BYTES)
        self._begun = True
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


def _database(
    session: Session, wanted: DumpOptions, *, estimate: int, unknown_setting: bool
) -> DumpStream:
    """The stream of the session's database, without a setting that the server does not know."""
    command = session.command("pg_dump", wanted.arguments)
    proof: EndProof = prove_custom if wanted.custom else prove_plain

    @contextmanager
    def opener(interrupt: Interrupt) -> Iterator[Reader]:
        with ToolReader(command, proof=proof, interrupt=interrupt) as reader:
            yield WithoutLine(reader, _TRANSACTION_TIMEOUT) if unknown_setting else reader

    return SimpleStream(
        name=session.connection.database,
        ending=CUSTOM_ENDING if wanted.custom else PLAIN_ENDING,
        estimate=estimate,
        opener=opener,
    )


def _globals(session: Session, *, passwords: bool) -> DumpStream:
    """The stream of roles, with `passwords` only if the account may read them, and tablespaces."""
    name = session.connection.database
    without = [] if passwords else ["--no-role-passwords"]
    command = session.command("pg_dumpall", ["--globals-only", f"--database={name}", *without])

    def opener(interrupt: Interrupt) -> AbstractContextManager[Reader]:
        return ToolReader(command, proof=prove_globals, interrupt=interrupt)

    return SimpleStream(name=name, ending=GLOBALS_ENDING, estimate=0, opener=opener)


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
