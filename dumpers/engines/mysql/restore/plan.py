"""Checking everything that can be known of a restore before its first byte, and saying it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dumpers.contract.connection import Connection
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.restore.counts import held_in
from dumpers.engines.mysql.restore.exchange import table_names
from dumpers.engines.mysql.restore.moves import (
    REPLACING,
    Move,
    lives,
    plan_moves,
    table_of,
    views_across,
)
from dumpers.engines.mysql.restore.swap import LOADED, LOADING, obstacles
from dumpers.engines.mysql.restore.target import (
    Target,
    check_versions,
    check_writable,
    look_at_target,
    notes_on_target,
)
from dumpers.engines.names import abbreviate
from dumpers.engines.protocol import RestorePlan, StoredDump
from dumpers.runtime.errors import TargetRefusedError
from dumpers.runtime.interrupt import Interrupt

_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A restore that was checked: its target and what goes where.

    `across` are views over several databases, which load last. `reloaded` are the live names of
    databases that cannot be swapped, and are emptied and loaded once more.
    """

    target: Target
    moves: tuple[Move, ...]
    across: tuple[StoredDump, ...]
    reloaded: frozenset[str]
    plan: RestorePlan


def plan_restore(
    target: Connection,
    pieces: Sequence[StoredDump],
    interrupt: Interrupt,
    request: RestoreRequest,
) -> RestorePlan:
    """See Engine.plan_restore; no piece is opened."""
    return prepare(target, pieces, interrupt, request).plan


def prepare(
    connection: Connection,
    pieces: Sequence[StoredDump],
    interrupt: Interrupt,
    request: RestoreRequest,
) -> Prepared:
    """Look at the target and decide what is done; changes nothing.

    Raises TargetRefusedError where something stands against it, and TargetFailedError.
    """
    if request.partitions:
        raise TargetRefusedError("MySQL's backups are not restored by partitions: leave it")
    if request.globals:
        raise TargetRefusedError(
            "backups of MySQL and MariaDB hold no accounts and settings of the server: leave "
            "--globals away"
        )
    target = look_at_target(connection, interrupt)
    database, server = connection.database, target.server
    filled = _filled(target, pieces, request, database, interrupt)
    moves = plan_moves(pieces, request, database=database, present=target.present, filled=filled)
    for move in moves:
        is_only = len(moves) == 1
        _check_names(target, move, is_only=is_only, mode=request.mode, interrupt=interrupt)
    check_versions(server, moves)
    check_writable(target, moves)
    against: dict[str, list[str]] = {}
    for move in moves:
        if not move.is_made:
            _check_empty(server, move, interrupt)
        elif move.kept:
            against[move.live] = obstacles(target.loader, move, loaded=False, interrupt=interrupt)
    if request.mode is RestoreMode.SWAP:
        refuse_swap({live: found for live, found in against.items() if found})
    across, notes = _across(pieces, moves, request)
    return Prepared(
        target=target,
        moves=moves,
        across=across,
        reloaded=frozenset(live for live, found in against.items() if found),
        plan=RestorePlan(
            server_version=f"{server.flavour} {server.version}",
            actions=tuple(_actions(moves, request, against)),
            creates=tuple((move.name, move.live) for move in moves),
            size=_size(moves, across, twice=against),
            notes=(*notes, *_notes(target, moves)),
        ),
    )


def refuse_swap(against: dict[str, list[str]]) -> None:
    """Raise TargetRefusedError where anything stands against one RENAME TABLE."""
    for live, found in against.items():
        raise TargetRefusedError(
            f"{live!r} cannot be swapped, as RENAME TABLE moves tables only, and none with "
            f"triggers: {', '.join(found[:_SHOWN])}{' …' if found[_SHOWN:] else ''} stand against "
            "it: --overwrite works, and --beside"
        )


def _filled(
    target: Target,
    pieces: Sequence[StoredDump],
    request: RestoreRequest,
    database: str,
    interrupt: Interrupt,
) -> list[str]:
    """The databases that hold what a restore would replace."""
    if request.mode not in REPLACING:
        return []
    server, found = target.server, []
    for live in lives(pieces, request, database):
        if live not in target.present:
            continue
        if not request.tables:
            held = bool(held_in(server, live, interrupt=interrupt))
        else:
            wanted = {server.fold(table_of(text, live)) for text in request.tables}
            names = table_names(server, live, interrupt=interrupt)
            held = any(server.fold(name) in wanted for name in names)
        if held:
            found.append(live)
    return found


def _check_names(
    target: Target, move: Move, *, is_only: bool, mode: RestoreMode, interrupt: Interrupt
) -> None:
    if not move.is_made:
        return
    if move.loaded in target.present:
        server = target.server
        inside = table_names(server, move.loaded, interrupt=interrupt)
        if LOADED in inside:
            raise TargetRefusedError(
                f"there is a database {move.loaded!r} that an earlier restore has loaded, whole: "
                "use it, or `--forget` it and try again"
            )
        if LOADING in inside:
            raise TargetRefusedError(
                f"there is a database {move.loaded!r} that an earlier restore began to load, or is "
                "loading now: `--forget` it and try again"
            )
        raise TargetRefusedError(
            f"there is a database {move.loaded!r} already: choose another name, or, if an earlier "
            "restore made it, `--forget` it"
        )
    # As it was asked for by its name: a slip in it must not make a database.
    if is_only and mode is RestoreMode.EMPTY:
        raise TargetRefusedError(
            f"there is no database {move.loaded!r}, or this account may not see it: create it, or "
            "restore beside"
        )


def _check_empty(server: Server, move: Move, interrupt: Interrupt) -> None:
    held = held_in(server, move.loaded, only=move.tables, interrupt=interrupt)
    if held:
        raise TargetRefusedError(
            f"the database {move.loaded!r} is not empty, it holds {held}: restore into a new one, "
            "or --beside it, or --overwrite it"
        )


def _across(
    pieces: Sequence[StoredDump], moves: Sequence[Move], request: RestoreRequest
) -> tuple[tuple[StoredDump, ...], tuple[str, ...]]:
    """The views over several databases, where each of these keeps its name; else a note."""
    found = views_across(pieces)
    if not found or request.tables:
        return (), ()
    names = {piece.name for piece in pieces}
    if request.mode is not RestoreMode.SWAP and names == {
        move.name for move in moves if move.live == move.name
    }:
        return found, ()
    note = (
        "views that need several databases are left out: they name those databases, and load only "
        "where all of them have been restored under their own names"
    )
    return (), (note,)


def _size(
    moves: Sequence[Move], across: Sequence[StoredDump], *, twice: dict[str, list[str]]
) -> int:
    return sum(
        piece.size * (2 if twice.get(move.live) else 1) for move in moves for piece in move.pieces
    ) + sum(piece.size for piece in across)


def _actions(
    moves: Sequence[Move], request: RestoreRequest, against: dict[str, list[str]]
) -> Iterator[str]:
    for move in moves:
        what = f"the tables {abbreviate(move.tables)}" if move.tables else "the backup"
        if move.is_made:
            yield f"create the database {move.loaded!r}"
        yield f"load {what} of {move.name!r} into {move.loaded!r}"
        if not move.kept:
            continue
        which = f"the tables {abbreviate(move.tables)}" if move.tables else "all tables"
        if against[move.live]:
            everything = which if move.tables else "everything"
            yield (
                f"then drop {everything} in {move.live!r} and load {what} there once more, as "
                f"{', '.join(against[move.live][:3])} stand against a swap"
            )
            yield f"drop {move.loaded!r}"
            continue
        yield (
            f"exchange {which} of {move.live!r} for those of {move.loaded!r} by one RENAME TABLE, "
            f"and keep the old ones in {move.kept!r}"
        )
        yield (
            f"drop {move.loaded!r}, which is empty then"
            if request.mode is RestoreMode.SWAP
            else f"drop {move.loaded!r} and {move.kept!r}"
        )


def _notes(target: Target, moves: Sequence[Move]) -> Iterator[str]:
    yield from notes_on_target(target, moves)
    for move in moves:
        flavours = {piece.metadata.get("flavour") for piece in move.pieces} - {None}
        if flavours - {target.server.flavour}:
            yield (
                f"the backup is of {flavours.pop()}, and the target is {target.server.flavour}: "
                "what only the one knows does not load"
            )
