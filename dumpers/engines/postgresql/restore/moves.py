"""Which database of a backup goes into which of the target, and under which names; pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.postgresql.options import CUSTOM_ENDING, PLAIN_ENDING
from dumpers.engines.protocol import StoredDump
from dumpers.engines.restored_names import beside_name, kept_name, live_names
from dumpers.runtime.errors import TargetRefusedError

# Bytes of an identifier, NAMEDATALEN - 1.
NAME_BYTES = 63
REPLACING = frozenset((RestoreMode.OVERWRITE, RestoreMode.SWAP))


def name_bytes(name: str) -> int:
    """How long a name is to the server."""
    return len(name.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One database on its way: it is loaded as `loaded` and is called `live` in the end.

    `is_made` says whether the restore creates the database that it loads into. `kept` is the name
    that what is called `live` now gets; empty where nothing gives way.
    """

    piece: StoredDump
    live: str
    loaded: str
    is_made: bool
    kept: str = ""

    def by_sessions(self, request: RestoreRequest) -> int:
        """How many sessions may load it at a time: several where nobody can use it meanwhile."""
        is_aside = self.is_made and request.mode is not RestoreMode.EMPTY
        return request.parallelism if is_aside and not request.tables else 1


def plan_moves(
    pieces: Sequence[StoredDump],
    request: RestoreRequest,
    *,
    database: str,
    present: Collection[str],
    now: float | None = None,
) -> tuple[Move, ...]:
    """Where each chosen database goes; `database` is the target's own, `present` are all there.

    A backup of one database goes into the target's own, one of several each into its own name,
    unless the request has others. TargetRefusedError where a choice fits nothing, and where a name
    is taken or given twice.
    """
    moves = tuple(
        _move(piece, live, request, present, now)
        for piece, live in _choose(pieces, request, database)
    )
    names = [move.loaded for move in moves]
    if double := next((name for name in names if names.count(name) > 1), None):
        raise TargetRefusedError(f"two databases would both be restored as {double!r}: rename one")
    for move in moves:
        if name_bytes(move.live) > NAME_BYTES:
            raise TargetRefusedError(
                f"the name {move.live!r} has more than {NAME_BYTES} bytes: choose a shorter one"
            )
    return moves


def _choose(
    pieces: Sequence[StoredDump], request: RestoreRequest, database: str
) -> list[tuple[StoredDump, str]]:
    found = {piece.name: piece for piece in pieces if piece.ending in {PLAIN_ENDING, CUSTOM_ENDING}}
    lives = live_names(found, request, database, limit=NAME_BYTES, size=name_bytes)
    return [(found[name], live) for name, live in lives.items()]


def _move(
    piece: StoredDump,
    live: str,
    request: RestoreRequest,
    present: Collection[str],
    now: float | None,
) -> Move:
    if request.mode is RestoreMode.EMPTY:
        return Move(piece=piece, live=live, loaded=live, is_made=live not in present)
    if request.mode is RestoreMode.BESIDE:
        return Move(piece=piece, live=live, loaded=live, is_made=True)
    if request.tables:
        return Move(piece=piece, live=live, loaded=live, is_made=False)
    kept = kept_name(live, limit=NAME_BYTES, size=name_bytes, now=now) if live in present else ""
    return Move(
        piece=piece,
        live=live,
        loaded=beside_name(live, request.suffix, limit=NAME_BYTES, size=name_bytes),
        is_made=True,
        kept=kept,
    )
