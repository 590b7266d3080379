"""Loading the dump of one database through the stock client, in one transaction."""

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.heads import TRANSACTION_TIMEOUT_SINCE, ChangedHead, head_changes
from dumpers.engines.postgresql.options import CUSTOM_ENDING
from dumpers.engines.postgresql.restore.script.archive import as_script
from dumpers.engines.postgresql.restore.script.heads import guard
from dumpers.engines.postgresql.restore.script.transaction import in_one_transaction
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import TargetRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader
from dumpers.streams.tools.tool import run_for_output, run_with_stdin

# Without a failed statement's details and context, which show the rows.
_PSQL = (
    *("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"),
    *("--set=VERBOSITY=terse", "--file=-"),
)
_ANY_BYTES, _DEFAULT_ENCODING = "SQL_ASCII", "UTF8"
_VERSION = re.compile(r"\s(\d+)(?:\.(\d+))?")
# The first minor of each major whose psql has the restricted mode; of newer majors all have it.
_RESTRICTED_SINCE = {13: 22, 14: 19, 15: 14, 16: 10, 17: 6}


def load(
    session: Session,
    piece: StoredDump,
    interrupt: Interrupt,
    *,
    server: int,
    cut: Callable[[Reader], Reader] | None = None,
) -> None:
    """Load a piece into the session's database, of a server of this major version.

    `cut` takes a part out of plain SQL. All is in one transaction, which only the proven end of the
    piece commits: whoever is killed before leaves nothing. Raises TargetRefusedError,
    TargetFailedError and what the piece's reader raises.
    """
    with open_script(session, piece, interrupt, server=server) as reader:
        plain = in_one_transaction(cut(reader) if cut else reader)
        feed(session, plain, interrupt, server=server, token=make_token(session, interrupt))


@contextmanager
def open_script(
    session: Session, piece: StoredDump, interrupt: Interrupt, *, server: int
) -> Iterator[Reader]:
    """Read a piece as the plain dump that it is, or stands for."""
    with ExitStack() as opened:
        reader = opened.enter_context(piece.open())
        if piece.ending == CUSTOM_ENDING:
            script = opened.enter_context(as_script(session, reader, interrupt))
            reader = ChangedHead(script, _changes(piece, server))
        yield reader


def feed(
    session: Session, script: Reader, interrupt: Interrupt, *, server: int, token: str
) -> None:
    """Run a part of a dump with the stock client; `token` is as make_token gives it."""
    source = guard(script, server=server, token=token)
    run_with_stdin(session.command("psql", _PSQL), source, interrupt=interrupt)


def make_token(session: Session, interrupt: Interrupt) -> str:
    """A new key of psql's restricted mode; empty where this psql does not have it."""
    return secrets.token_hex(16) if is_restricting(session, interrupt) else ""


def _changes(piece: StoredDump, server: int) -> Mapping[bytes, bytes]:
    """What a plain dump of the same database has otherwise since it was made."""
    known = piece.metadata
    encoding = str(known.get("encoding") or _DEFAULT_ENCODING)
    return head_changes(
        unknown_setting=server < TRANSACTION_TIMEOUT_SINCE,
        path=known.get("search_path") or (),
        encoding=encoding,
    )


def run_script(session: Session, script: Reader, interrupt: Interrupt, *options: str) -> None:
    """Run SQL of our own making, statement by statement, up to the first that fails."""
    arguments = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse")
    command = session.command("psql", [*arguments, *options, "--file=-"])
    run_with_stdin(command, script, interrupt=interrupt)


def is_restricting(session: Session, interrupt: Interrupt) -> bool:
    """Whether this psql has a mode in which a script cannot run psql's own commands."""
    said = run_for_output(session.command("psql", ["--version"]), interrupt=interrupt)
    version = _VERSION.search(said)
    if version is None:
        return False
    major, minor = int(version[1]), int(version[2] or 0)
    return minor >= _RESTRICTED_SINCE.get(major, 0) and major >= min(_RESTRICTED_SINCE)


def compare_encodings(piece: StoredDump, session: Session, interrupt: Interrupt) -> tuple[str, ...]:
    """Return a note where the target has another encoding than the dumped database.

    Raises TargetRefusedError where the target takes any bytes: texts would be there, and wrong.
    """
    dumped = piece.metadata.get("encoding")
    [[found]] = session.ask("SHOW server_encoding", interrupt)
    if dumped in {None, found}:
        return ()
    if found == _ANY_BYTES:
        raise TargetRefusedError(
            f"the dump is of encoding {dumped}, and the database {session.connection.database!r} "
            f"of {found}, which takes any bytes for text: make another one, by CREATE DATABASE "
            f"NAME {piece.metadata.get('create_options', '')}"
        )
    return (f"the dump is of encoding {dumped}, the database that it was loaded into of {found}",)
