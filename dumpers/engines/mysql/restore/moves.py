"""Which database of a backup goes into which of the target, and under which names; pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.mysql.parallel.parts import in_order, is_part
from dumpers.engines.mysql.plan import ACROSS
from dumpers.engines.protocol import StoredDump
from dumpers.engines.restored_names import beside_name, kept_name, live_names
from dumpers.runtime.errors import TargetRefusedError

# Characters of a name.
NAME_LENGTH = 64
REPLACING = frozenset((RestoreMode.OVERWRITE, RestoreMode.SWAP))


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One database on its way: loaded as `loaded`, it is called `live` in the end.

    `pieces` are its objects, `tables` the chosen ones, empty for all. `is_made` says whether the
    restore creates the database that it loads into. `kept` is the database for what is replaced;
    empty where nothing gives way.
    """

    name: str
    pieces: tuple[StoredDump, ...]
    tables: tuple[str, ...]
    live: str
    loaded: str
    is_made: bool
    kept: str = ""


def plan_moves(
    pieces: Sequence[StoredDump],
    request: RestoreRequest,
    *,
    database: str,
    present: Collection[str],
    filled: Collection[str],
    now: float | None = None,
) -> tuple[Move, ...]:
    """Where each chosen database goes.

    `database` is the target's own, `present` are all there, `filled` those of them that hold what
    is to be replaced. A backup of one database goes into the target's own, one of several each into
    its own name, unless the request has others. TargetRefusedError where a choice fits nothing, and
    where a name is given twice.
    """
    moves = tuple(
        _move(name, own, live, request, present=present, filled=filled, now=now)
        for name, own, live in _choose(pieces, request, database)
    )
    names = [move.loaded for move in moves]
    if double := next((name for name in names if names.count(name) > 1), None):
        raise TargetRefusedError(f"two databases would both be restored as {double!r}: rename one")
    for move in moves:
        if len(move.live) > NAME_LENGTH:
            raise TargetRefusedError(
                f"the name {move.live!r} has more than {NAME_LENGTH} letters: choose a shorter one"
            )
    return moves


def views_across(pieces: Sequence[StoredDump]) -> tuple[StoredDump, ...]:
    """The objects that hold views over several databases, and say themselves where each belongs."""
    return tuple(piece for piece in pieces if piece.part == ACROSS)


def lives(pieces: Sequence[StoredDump], request: RestoreRequest, database: str) -> tuple[str, ...]:
    """The names that the chosen databases have in the end, before anything is asked."""
    return tuple(live for _, _, live in _choose(pieces, request, database))


def _choose(
    pieces: Sequence[StoredDump], request: RestoreRequest, database: str
) -> list[tuple[str, tuple[StoredDump, ...], str]]:
    found: dict[str, tuple[StoredDump, ...]] = {}
    for piece in pieces:
        if piece.part != ACROSS:
            found[piece.name] = (*found.get(piece.name, ()), piece)
    return [
        (name, _of_tables(name, in_order(found[name]), request.tables), live)
        for name, live in live_names(found, request, database, limit=NAME_LENGTH).items()
    ]


def _of_tables(
    database: str, pieces: tuple[StoredDump, ...], tables: Sequence[str]
) -> tuple[StoredDump, ...]:
    """The objects in which chosen tables may be: their own, and the one of all others.

    Of a database that was read by several streams, all.
    """
    if not tables or any(is_part(piece) for piece in pieces):
        return pieces
    wanted = {table_of(text, database) for text in tables}
    own = tuple(piece for piece in pieces if piece.part and piece.part[0] in wanted)
    if len(own) == len(wanted):
        return own
    return (*own, *(piece for piece in pieces if not piece.part))


def table_of(text: str, database: str) -> str:
    """The table that `table` or `database.table` means."""
    return text.removeprefix(f"{database}.")


def _move(
    name: str,
    pieces: tuple[StoredDump, ...],
    live: str,
    request: RestoreRequest,
    *,
    present: Collection[str],
    filled: Collection[str],
    now: float | None,
) -> Move:
    loaded, kept = live, ""
    if request.mode in REPLACING and live in filled:
        loaded = beside_name(live, request.suffix, limit=NAME_LENGTH)
        kept = kept_name(live, limit=NAME_LENGTH, now=now)
    made = request.mode is RestoreMode.BESIDE or loaded not in present or bool(kept)
    return Move(
        name=name,
        pieces=pieces,
        tables=tuple(dict.fromkeys(table_of(text, name) for text in request.tables)),
        live=live,
        loaded=loaded,
        is_made=made,
        kept=kept,
    )
