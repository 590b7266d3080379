"""Restoring databases of a backup in the way that was asked for."""

from collections.abc import Iterator, Sequence

from dumpers.contract.connection import Connection
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.mysql.client import identifier
from dumpers.engines.mysql.restore.clearing import clear
from dumpers.engines.mysql.restore.definers import lacking_definers
from dumpers.engines.mysql.restore.exchange import table_names
from dumpers.engines.mysql.restore.load import Loader
from dumpers.engines.mysql.restore.moves import Move
from dumpers.engines.mysql.restore.plan import Prepared, prepare, refuse_swap
from dumpers.engines.mysql.restore.swap import (
    KEPT,
    LOADED,
    LOADING,
    drop_databases,
    make_database,
    obstacles,
    put_in_place,
)
from dumpers.engines.mysql.restore.tables import TableCut
from dumpers.engines.protocol import WHOLE, Restored, StoredDump
from dumpers.runtime.errors import KsnapshotError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt

_CLEANUP_SECONDS = 60.0


def restore_backup(
    target: Connection,
    pieces: Sequence[StoredDump],
    interrupt: Interrupt,
    request: RestoreRequest = WHOLE,
) -> Restored:
    """See Engine.restore.

    MySQL has no transaction around a schema: a load that fails leaves its database partly filled;
    one that was made for it is dropped then, of another the error says so.
    """
    prepared = prepare(target, pieces, interrupt, request)
    loader = prepared.target.loader
    _load_all(loader, prepared, interrupt, by=request.by)
    notes = [*prepared.plan.notes]
    kept: list[tuple[str, str]] = []
    for move in prepared.moves:
        if move.kept:
            notes += _replace(loader, move, prepared, request, interrupt)
            if request.mode is RestoreMode.SWAP:
                kept.append((move.live, move.kept))
    for piece in prepared.across:
        try:
            # Where all are of one database, older dumps did not say which.
            loader.load(piece.name, piece, interrupt=interrupt)
        except KsnapshotError as error:
            raise type(error)(
                f"{error}; all databases are restored, only views that need several of them are "
                "missing"
            ) from error
    for move in prepared.moves:
        notes += lacking_definers(loader.server, move.live, interrupt=interrupt)
    return Restored(
        notes=tuple(dict.fromkeys(notes)), creates=prepared.plan.creates, kept=tuple(kept)
    )


def _load_all(loader: Loader, prepared: Prepared, interrupt: Interrupt, *, by: str) -> None:
    """Load all databases; where one fails, those that were made for it are dropped."""
    begun: list[Move] = []
    done: list[Move] = []
    try:
        for move in prepared.moves:
            if move.is_made:
                like = move.live if move.live in prepared.target.present else ""
                make_database(loader, move.loaded, like, mark=LOADING, by=by, interrupt=interrupt)
            begun.append(move)
            _load(loader, move, move.loaded, interrupt)
            if move.is_made:
                loader.run([_whole(move)], interrupt=interrupt)
            done.append(move)
    except KsnapshotError as error:
        raise type(error)(f"{error}; {'; '.join(_clean_up(loader, begun, done))}") from error


def _whole(move: Move) -> str:
    """The statement that marks a database as loaded; one that is in its place needs no mark."""
    mark = f"{identifier(move.loaded)}.{identifier(LOADING)}"
    if not move.kept:
        return f"DROP TABLE {mark}"
    return f"RENAME TABLE {mark} TO {identifier(move.loaded)}.{identifier(LOADED)}"


def _load(loader: Loader, move: Move, database: str, interrupt: Interrupt) -> None:
    is_live = not move.is_made or database != move.loaded
    fold = loader.server.fold
    cut = TableCut(move.tables, fold=fold, is_live=is_live) if move.tables else None
    if not move.tables and move.pieces[1:]:
        # Triggers keep the character set of their database as it is when they are made, and only
        # the last of several objects sets that.
        defaults = {str(piece.metadata.get("defaults") or "") for piece in move.pieces}
        statements = [text.strip().removesuffix(";") for text in sorted(defaults) if text]
        if statements:
            loader.run(statements, database=database, interrupt=interrupt)
    for piece in move.pieces:
        loader.load(database, piece, cut=cut.reader if cut else None, interrupt=interrupt)
    if cut and (lacking := cut.lacking()):
        raise TargetRefusedError(f"the backup of {move.name!r} holds no table {lacking[0]!r}")


def _clean_up(loader: Loader, begun: Sequence[Move], done: Sequence[Move]) -> Iterator[str]:
    """Drop what was made for a restore that failed; says what the target holds now."""
    for move in begun:
        if move.is_made:
            continue
        if move in done:
            yield f"the database {move.loaded!r} is loaded, whole"
        elif move.tables:
            yield (
                f"of the tables {', '.join(move.tables)}, {move.loaded!r} may hold some, or a part "
                "of one, now: drop them before the next try"
            )
        else:
            yield (
                f"the database {move.loaded!r} may be partly filled now, as there is no "
                "transaction around a schema: drop it and create it anew before the next try"
            )
    made = [move.loaded for move in begun if move.is_made]
    try:
        drop_databases(loader, made, interrupt=_clean_up_time())
    except KsnapshotError as error:
        yield (
            "nothing that was there before has changed; what was made for this restore is left, "
            f"partly filled, and may be dropped, by --forget: {', '.join(made)} ({error})"
        )
        return
    if len(made) == len(begun):
        yield "nothing in the target has changed, and nothing of this restore is left"


def _replace(
    loader: Loader,
    move: Move,
    prepared: Prepared,
    request: RestoreRequest,
    interrupt: Interrupt,
) -> list[str]:
    """Put what was loaded beside in the place of the live one."""
    beside = f"the backup is loaded beside, whole, as {move.loaded!r}"
    try:
        # Of the backup's own triggers and views nothing was known before.
        against = obstacles(loader, move, loaded=True, interrupt=interrupt)
        if request.mode is RestoreMode.SWAP:
            refuse_swap({move.live: against} if against else {})
        if against or move.live in prepared.reloaded:
            _load_again(loader, move, interrupt)
            return _drop(loader, [move.loaded], interrupt)
        put_in_place(loader, move, by=request.by, interrupt=interrupt)
    except KsnapshotError as error:
        if "once more" in str(error):
            raise type(error)(f"{error}; {beside}") from error
        drop = _drop_empty_kept(loader, move)
        raise type(error)(
            f"{error}; {move.live!r} is as it was before, and {beside}: --forget it before another "
            f"try{drop}"
        ) from error
    if request.mode is RestoreMode.SWAP:
        return _drop(loader, [move.loaded], interrupt)
    return _drop(loader, [move.loaded, move.kept], interrupt)


def _load_again(loader: Loader, move: Move, interrupt: Interrupt) -> None:
    """Empty the live database, and load there what has been loaded once, so that it does load."""
    try:
        clear(loader, move.live, move.tables, interrupt=interrupt)
        _load(loader, move, move.live, interrupt)
    except KsnapshotError as error:
        raise type(error)(
            f"{error}; this was while the backup was loaded once more, in place of what "
            f"{move.live!r} held: that is gone, and {move.live!r} is partly filled now"
        ) from error


def _drop(loader: Loader, names: Sequence[str], interrupt: Interrupt) -> list[str]:
    try:
        drop_databases(loader, names, interrupt=interrupt)
    except KsnapshotError as error:
        left = ", ".join(map(repr, names))
        return [f"the backup is in place; {left} could not be dropped, `--forget` does: {error}"]
    return []


def _drop_empty_kept(loader: Loader, move: Move) -> str:
    """Drop the database that was made for what is replaced, if nothing has moved there."""
    interrupt = _clean_up_time()
    try:
        left = set(table_names(loader.server, move.kept, interrupt=interrupt))
        if left <= {KEPT}:
            drop_databases(loader, [move.kept], interrupt=interrupt)
    except KsnapshotError:
        return f", and {move.kept!r}, if it is there"
    return ""


def _clean_up_time() -> Interrupt:
    """Time of its own: a run that has to stop cleans up, too."""
    return Interrupt(_CLEANUP_SECONDS, work="clean-up", is_part=True)
