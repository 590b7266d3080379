"""Restoring databases of a backup in the way that was asked for."""

from collections.abc import Sequence

from dumpers.contract.connection import Connection
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.postgresql.catalog.create_database import database_options
from dumpers.engines.postgresql.catalog.patterns import literal
from dumpers.engines.postgresql.clients import Session, quote_identifier
from dumpers.engines.postgresql.restore import marks
from dumpers.engines.postgresql.restore.load import compare_encodings, load, run_script
from dumpers.engines.postgresql.restore.moves import REPLACING, Move
from dumpers.engines.postgresql.restore.plan import Prepared, prepare
from dumpers.engines.postgresql.restore.roles import Globals, read_globals
from dumpers.engines.postgresql.restore.script.tables import TableCut
from dumpers.engines.postgresql.restore.sessions import load_by_sessions
from dumpers.engines.postgresql.restore.swap import drop, put_in_place
from dumpers.engines.postgresql.restore.target import away_from
from dumpers.engines.protocol import WHOLE, Restored, StoredDump
from dumpers.runtime.errors import KsnapshotError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import IterReader

_CLEANUP_SECONDS = 60.0
_DEFAULT_OPTIONS, _DEFAULT_TABLESPACE = "TEMPLATE template0", "pg_default"


def restore_backup(
    target: Connection,
    pieces: Sequence[StoredDump],
    interrupt: Interrupt,
    request: RestoreRequest = WHOLE,
) -> Restored:
    """See Engine.restore: each database is loaded whole, or nothing of it is left."""
    prepared = prepare(target, pieces, interrupt, request)
    moves = prepared.moves
    session = prepared.target.session
    if any(move.is_made for move in moves):
        session = away_from(session, [move.live for move in moves], interrupt)
    notes = [*prepared.plan.notes]
    globals_ = None
    if prepared.globals is not None:
        globals_ = read_globals(prepared.globals, prepared.target)
        notes += globals_.load(session, interrupt)
    notes += _load_all(session, prepared, interrupt, request)
    for move in moves:
        if move.is_made:
            try:
                is_lasting = request.mode is RestoreMode.EMPTY
                comment = "" if is_lasting else marks.mark(marks.RESTORED, by=request.by)
                notes += _finish(
                    session, move, prepared, globals_, comment=comment, interrupt=interrupt
                )
            except KsnapshotError as error:
                raise type(error)(f"{error}; {move.loaded!r} is loaded, whole") from error
    if request.mode in REPLACING and not request.tables:
        notes += _replace(session, prepared, interrupt, request)
    return Restored(
        notes=tuple(dict.fromkeys(notes)),
        creates=prepared.plan.creates,
        kept=tuple(
            (move.live, move.kept)
            for move in moves
            if move.kept and request.mode is RestoreMode.SWAP
        ),
    )


def _load_all(
    session: Session, prepared: Prepared, interrupt: Interrupt, request: RestoreRequest
) -> list[str]:
    """Load all databases; where one fails, those that were made for it are dropped."""
    notes: list[str] = []
    begun: list[Move] = []
    done: list[Move] = []
    try:
        for move in prepared.moves:
            if move.is_made:
                _make(session, move, prepared, interrupt, by=request.by)
            begun.append(move)
            notes += _load_one(session, move, prepared, interrupt, request)
            done.append(move)
    except KsnapshotError as error:
        raise type(error)(f"{error}; {_clean_up(session, begun, done)}") from error
    return notes


def _load_one(
    session: Session,
    move: Move,
    prepared: Prepared,
    interrupt: Interrupt,
    request: RestoreRequest,
) -> tuple[str, ...]:
    inside = session.at(move.loaded)
    notes = compare_encodings(move.piece, inside, interrupt)
    server = prepared.target.server.major
    if move.by_sessions(request) > 1:
        parts = prepared.parts.get(move.piece.name, (move.piece,))
        load_by_sessions(
            inside, parts, interrupt, server=server, sessions=move.by_sessions(request)
        )
        return notes
    if not request.tables:
        load(inside, move.piece, interrupt, server=server)
        return notes
    cut = TableCut(
        wanted=request.tables, is_bare=move.is_made, replaces=request.mode is RestoreMode.OVERWRITE
    )
    load(inside, move.piece, interrupt, server=server, cut=cut.reader)
    return (*notes, *cut.notes)


def _make(
    session: Session, move: Move, prepared: Prepared, interrupt: Interrupt, *, by: str
) -> None:
    """Create the database that is loaded into: as the dumped one was, else as the replaced one."""
    live = prepared.target.server.databases.get(move.live)
    options = move.piece.metadata.get("create_options")
    if not options:
        options = database_options(live) if live else _DEFAULT_OPTIONS
    # To name the default one takes a right that nobody needs to have.
    if live is not None and live.tablespace not in {"", _DEFAULT_TABLESPACE}:
        options += f" TABLESPACE {quote_identifier(live.tablespace)}"
    name, comment = quote_identifier(move.loaded), literal(marks.mark(marks.LOADING, by=by))
    script = (
        f"CREATE DATABASE {name} {options};\nCOMMENT ON DATABASE {name} IS {comment};\n".encode()
    )
    try:
        # By one client, so that a restore that is killed leaves hardly ever one without a mark.
        run_script(session, IterReader(iter([script])), interrupt)
    except TargetRefusedError as error:
        if "already exists" in str(error):
            raise TargetRefusedError(f"{error}: is another restore going on?") from error
        raise


def _clean_up(session: Session, begun: Sequence[Move], done: Sequence[Move]) -> str:
    """Drop what was made for a restore that failed; returns what the target holds now."""
    # Each load is one transaction: one that was begun and not done has left nothing.
    filled = [move.loaded for move in done if not move.is_made]
    made = [move.loaded for move in begun if move.is_made]
    whole = f"{', '.join(map(repr, filled))} were loaded and are whole, " if filled else ""
    try:
        drop(session, made, Interrupt(_CLEANUP_SECONDS, work="clean-up", is_part=True))
    except KsnapshotError as error:
        left = ", ".join(map(repr, made))
        return (
            f"{whole}nothing that was there before has changed; what was made for this restore is "
            f"left and may be dropped, by --forget: {left} ({error})"
        )
    return f"{whole}nothing else in the target has changed, and nothing of this restore is left"


def _finish(
    session: Session,
    move: Move,
    prepared: Prepared,
    globals_: Globals | None,
    *,
    comment: str,
    interrupt: Interrupt,
) -> list[str]:
    """Give a database that was made and loaded its owner and its comment.

    Without a comment it stays as it is, and is no copy to be forgotten some day.
    """
    notes: list[str] = []
    login = prepared.target.login
    if not comment:
        # That of the load goes before the dumped one comes, which may be none.
        _comment(session, move.loaded, comment, interrupt)
    if globals_ is not None and not move.kept:
        globals_.load_database(session, move.piece.name, move.loaded, interrupt)
    elif not move.kept and (owner := move.piece.metadata.get("owner")):
        if owner in login.member_of:
            session.ask(
                f"ALTER DATABASE {quote_identifier(move.loaded)} OWNER TO "
                f"{quote_identifier(owner)}",
                interrupt,
            )
        else:
            notes.append(f"the database {move.loaded!r} belongs to {login.name!r}, not {owner!r}")
    if comment:
        _comment(session, move.loaded, comment, interrupt)
    return notes


def _replace(
    session: Session, prepared: Prepared, interrupt: Interrupt, request: RestoreRequest
) -> list[str]:
    moves = prepared.moves
    try:
        put_in_place(session, prepared.target, moves, interrupt, by=request.by)
    except KsnapshotError as error:
        beside = ", ".join(repr(move.loaded) for move in moves)
        raise type(error)(
            f"{error}; the target is as it was before, and the backup is loaded beside, whole: "
            f"{beside}. Rename it by hand, or --forget it before another try"
        ) from error
    kept = [move.kept for move in moves if move.kept]
    if request.mode is RestoreMode.SWAP or not kept:
        return []
    try:
        drop(session, kept, interrupt)
    except KsnapshotError as error:
        names = ", ".join(map(repr, kept))
        return [f"the backup is in place; what it replaced is still there as {names}: {error}"]
    return []


def _comment(session: Session, name: str, comment: str, interrupt: Interrupt) -> None:
    text = literal(comment) if comment else "NULL"
    session.ask(f"COMMENT ON DATABASE {quote_identifier(name)} IS {text}", interrupt)
