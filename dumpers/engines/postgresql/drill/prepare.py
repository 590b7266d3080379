"""Making a throwaway server what a backup needs to load as it does into its own server."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial

from dumpers.contract.connection import Connection
from dumpers.contract.restore.request import RestoreRequest
from dumpers.engines.drilling.own_server import check_loopback, check_mark
from dumpers.engines.drilling.protocol import DrilledObject
from dumpers.engines.postgresql.catalog.patterns import literal
from dumpers.engines.postgresql.clients import Session, quote_identifier
from dumpers.engines.postgresql.drill.server import FIRST_ROLE, LOGIN
from dumpers.engines.postgresql.options import CUSTOM_ENDING, GLOBALS_ENDING
from dumpers.engines.postgresql.parallel.parts import join_parts
from dumpers.engines.postgresql.restore.load import run_script
from dumpers.engines.postgresql.restore.roles import read_globals
from dumpers.engines.postgresql.restore.script.archive import as_script
from dumpers.engines.postgresql.restore.target import Target, look_at_target, open_session
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import KsnapshotError, TargetFailedError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import IterReader, Reader

# Of older backups, which do not say.
DEFAULT_FIRST_ROLE = "postgres"
_POSTGRES = "postgres"
_TRIAL = "ksnapshot_trial"
_NAME = rb'("(?:[^"\n]|"")+"|[\w$]+)'
_TABLESPACE = re.compile(rb"\ACREATE TABLESPACE " + _NAME)
# What names a role in a dump, in the first line of a statement. Rows may look so, too: a role too
# many does no harm.
_NAMING = re.compile(
    rb"^(?:ALTER |GRANT |REVOKE |CREATE POLICY |CREATE USER MAPPING )[^\n]*$", re.MULTILINE
)
_PLACING = re.compile(rb"^SET default_tablespace = " + _NAME + rb";$", re.MULTILINE)
_ROLES = re.compile(rb"(?:\b(?:TO|FROM|FOR ROLE|MAPPING FOR|GRANTED BY) |, )" + _NAME)
_KEYWORDS = frozenset(("PUBLIC", "CURRENT_USER", "CURRENT_ROLE", "SESSION_USER", LOGIN))
_LONGEST_LINE = 1 << 16


def prepare_drill(
    server: Connection, objects: Sequence[DrilledObject], interrupt: Interrupt
) -> RestoreRequest:
    """See DrilledEngine: the whole backup under its own names, with its roles.

    The superuser that the server was made with takes the name of the dumped server's one, who owns
    what is built in: dumps name it. Folders stand in for tablespaces. Where the backup holds no
    roles and tablespaces, those that it names are made.
    """
    check_loopback(server)
    target = look_at_target(server, interrupt)
    check_mark(server, has=target.login.name == LOGIN, mark=f"the login {LOGIN}")
    databases, globals_ = split(objects)
    _check_major(target, databases)
    _name_first_role(target.session, databases, interrupt)
    if globals_ is not None:
        for number, statement in enumerate(read_globals(globals_, target).tablespaces):
            if found := _TABLESPACE.match(statement):
                _make_tablespace(target.session, found[1], number, interrupt)
    else:
        _make_what_is_named(target, databases, interrupt)
    _set_session(target.session, databases, interrupt)
    _try_options(target.session, databases, interrupt)
    if any(piece.name == _POSTGRES for piece in databases):
        # The restore makes it as the dumped one was.
        target.session.ask(f"DROP DATABASE IF EXISTS {_POSTGRES}", interrupt)
    return RestoreRequest(
        names={piece.name: piece.name for piece in databases}, globals=globals_ is not None
    )


def split(objects: Sequence[DrilledObject]) -> tuple[list[StoredDump], StoredDump | None]:
    """The databases, each as one object, and the one with the server's roles, if there is one."""
    pieces = join_parts([item.stored for item in objects])
    globals_ = next((piece for piece in pieces if piece.ending == GLOBALS_ENDING), None)
    return [piece for piece in pieces if piece is not globals_], globals_


def first_role(databases: Sequence[StoredDump]) -> str:
    """The superuser that the dumped server was made with."""
    named = (piece.metadata.get("first_role") for piece in databases)
    return next((str(name) for name in named if name), DEFAULT_FIRST_ROLE)


def settings_of(piece: StoredDump) -> Mapping[str, str]:
    """The settings of the session that dumped a database; none where that was not recorded."""
    found = piece.metadata.get("session")
    return {str(name): str(value) for name, value in found.items()} if found else {}


def set_session(session: Session, settings: Mapping[str, str], interrupt: Interrupt) -> None:
    """Give the account of the drill these settings in all sessions to come."""
    login = quote_identifier(LOGIN)
    lines = [f"ALTER ROLE {login} RESET ALL;\n"] + [
        f"ALTER ROLE {login} SET {quote_identifier(name)} TO {literal(value)};\n"
        for name, value in settings.items()
    ]
    run_script(session, IterReader(iter(["".join(lines).encode()])), interrupt)


def _check_major(target: Target, databases: Sequence[StoredDump]) -> None:
    for piece in databases:
        major = piece.metadata.get("server_major")
        if isinstance(major, int) and major != target.server.major:
            raise TargetRefusedError(
                f"the backup is of PostgreSQL {major}, and the throwaway server is "
                f"{target.server.version}"
            )


def _name_first_role(
    session: Session, databases: Sequence[StoredDump], interrupt: Interrupt
) -> None:
    wanted = first_role(databases)
    [[is_first]] = session.ask(
        f"SELECT count(*) FROM pg_roles WHERE rolname = {literal(FIRST_ROLE)}",  # noqa: S608  ours
        interrupt,
    )
    if is_first == "1" and wanted not in {FIRST_ROLE, LOGIN}:
        session.ask(
            f"ALTER ROLE {quote_identifier(FIRST_ROLE)} RENAME TO {quote_identifier(wanted)}",
            interrupt,
        )


def _make_tablespace(session: Session, name: bytes, number: int, interrupt: Interrupt) -> None:
    """Make a folder beside the server's data, and a tablespace there; its name is as SQL has it."""
    [[known]] = session.ask("SHOW data_directory", interrupt)
    folder = f"{known}/../tablespace-{number}"
    quoted = name.decode("utf-8", "surrogateescape")
    made = f"COPY (SELECT 1) TO PROGRAM {literal(f'mkdir -p {folder} && cat >/dev/null')};\n"
    script = f"{made}CREATE TABLESPACE {quoted} LOCATION {literal(folder)};\n"
    run_script(session, IterReader(iter([script.encode("utf-8", "surrogateescape")])), interrupt)


def _make_what_is_named(
    target: Target, databases: Sequence[StoredDump], interrupt: Interrupt
) -> None:
    """Make roles and tablespaces that the dumps of databases name."""
    roles: set[str] = set()
    spaces: set[bytes] = set()
    for piece in databases:
        for lines in _lines_of(target.session, piece, interrupt):
            roles.update(roles_named(lines))
            spaces.update(tablespaces_named(lines))
        roles.add(str(piece.metadata.get("owner") or ""))
    present = {*target.roles, first_role(databases), "", *_KEYWORDS}
    # What only looks like a name cannot be one, as a word of SQL.
    for name in sorted(roles - present):
        with suppress(TargetFailedError, TargetRefusedError):
            target.session.ask(f"CREATE ROLE {quote_identifier(name)}", interrupt)
    for number, space in enumerate(sorted(spaces)):
        with suppress(TargetFailedError, TargetRefusedError):
            _make_tablespace(target.session, space, number, interrupt)


def _lines_of(session: Session, piece: StoredDump, interrupt: Interrupt) -> Iterator[bytes]:
    """A dump as plain SQL, cut between lines."""
    with ExitStack() as opened:
        reader = opened.enter_context(piece.open())
        if piece.ending == CUSTOM_ENDING:
            reader = opened.enter_context(as_script(session, reader, interrupt))
        held = b""
        while block := reader.read(1 << 20):
            whole, _, held = (held + block).rpartition(b"\n")
            yield whole
            held = held[-_LONGEST_LINE:]
        yield held


def tablespaces_named(lines: bytes) -> Iterator[bytes]:
    """The tablespaces that lines of a dump lead to, as SQL has them."""
    return (name for name in _PLACING.findall(lines) if not name.startswith(b"pg_"))


def roles_named(lines: bytes) -> Iterator[str]:
    """The roles that lines of a dump name."""
    for line in _NAMING.findall(lines):
        for name in _ROLES.findall(line):
            text = name.decode("utf-8", "replace")
            yield text[1:-1].replace('""', '"') if text.startswith('"') else text


def objects_to_load(
    server: Connection, objects: Sequence[DrilledObject], interrupt: Interrupt
) -> Sequence[StoredDump]:
    """See LoadingEngine: each database is loaded by the settings that it was dumped by."""
    databases, globals_ = split(objects)
    if all(_loading(piece) == _loading(databases[0]) for piece in databases):
        return [*databases, *([globals_] if globals_ else [])]
    session = open_session(server, interrupt)

    @contextmanager
    def opened(piece: StoredDump) -> Iterator[Reader]:
        set_session(session, _loading(piece), interrupt)
        with piece.open() as reader:
            yield reader

    return [
        *(replace(piece, open=partial(opened, piece)) for piece in databases),
        *([globals_] if globals_ else []),
    ]


def _loading(piece: StoredDump) -> Mapping[str, str]:
    """The settings to load by: amounts of money are read by one."""
    known = settings_of(piece)
    return {name: text for name, text in known.items() if name != "client_encoding"}


def _set_session(session: Session, databases: Sequence[StoredDump], interrupt: Interrupt) -> None:
    """Load as it was dumped; settings of other databases than the first are only tried."""
    for piece in reversed(databases):
        if settings := _loading(piece):
            try:
                set_session(session, settings, interrupt)
            except (TargetFailedError, TargetRefusedError) as error:
                raise _lacking(error) from error


def _try_options(session: Session, databases: Sequence[StoredDump], interrupt: Interrupt) -> None:
    """Make a database of each kind, and drop it: an image may lack a locale."""
    for options in dict.fromkeys(piece.metadata.get("create_options") for piece in databases):
        if not options:
            continue
        try:
            if session.ask(f"SELECT 1 FROM pg_database WHERE datname = '{_TRIAL}'", interrupt):  # noqa: S608  ours
                session.ask(f"DROP DATABASE {_TRIAL}", interrupt)
            session.ask(f"CREATE DATABASE {_TRIAL} {options}", interrupt)
            session.ask(f"DROP DATABASE {_TRIAL}", interrupt)
        except (TargetFailedError, TargetRefusedError) as error:
            raise _lacking(error) from error


def _lacking(error: KsnapshotError) -> TargetRefusedError:
    return TargetRefusedError(
        f"the throwaway server cannot have what the dumped one had, such as its locale: {error}"
    )
