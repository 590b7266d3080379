"""Checking everything that can be known of a restore before its first byte, and saying it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dumpers.contract.connection import Connection
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.names import abbreviate
from dumpers.engines.postgresql.options import GLOBALS_ENDING
from dumpers.engines.postgresql.parallel.parts import join_parts, parts_of
from dumpers.engines.postgresql.restore import marks
from dumpers.engines.postgresql.restore.counts import first_object
from dumpers.engines.postgresql.restore.load import compare_encodings
from dumpers.engines.postgresql.restore.moves import REPLACING, Move, plan_moves
from dumpers.engines.postgresql.restore.script.heads import check_version
from dumpers.engines.postgresql.restore.target import Target, look_at_target
from dumpers.engines.protocol import RestorePlan, StoredDump
from dumpers.runtime.errors import TargetRefusedError
from dumpers.runtime.interrupt import Interrupt


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A restore that was checked: its target, what goes where, `globals` if they are asked for.

    `parts` are the objects of databases that are in several, in the order of a load.
    """

    target: Target
    moves: tuple[Move, ...]
    globals: StoredDump | None
    plan: RestorePlan
    parts: Mapping[str, Sequence[StoredDump]]


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
        raise TargetRefusedError("PostgreSQL's backups are not restored by partitions: leave it")
    parts = parts_of(pieces)
    pieces = join_parts(pieces)
    target = look_at_target(connection, interrupt)
    present = target.server.databases
    database = connection.database
    moves = plan_moves(pieces, request, database=database, present=present)
    if request.tables and request.mode is RestoreMode.SWAP:
        raise TargetRefusedError(
            "PostgreSQL swaps whole databases: replace tables by --overwrite, or restore beside"
        )
    _check_server(target, moves)
    for move in moves:
        if not move.is_made and move.loaded not in present:
            raise TargetRefusedError(f"there is no database {move.loaded!r} to restore tables into")
        # As it was asked for by its name: a slip in it must not make a database.
        if len(moves) == 1 and move.is_made and move.loaded == database:
            raise TargetRefusedError(
                f'database "{database}" does not exist there: create it, or restore beside'
            )
        _check_database(target, move, request, interrupt)
    _check_rights(target, moves)
    globals_ = next((piece for piece in pieces if piece.ending == GLOBALS_ENDING), None)
    if request.globals and globals_ is None:
        raise TargetRefusedError("the backup holds no roles: it was made with globals: false")
    if request.globals and not target.login.superuser:
        raise TargetRefusedError(
            f"roles are restored by a superuser only, and {target.login.name!r} is none"
        )
    wanted = globals_ if request.globals else None
    read = [move.piece for move in moves] + ([wanted] if wanted else [])
    return Prepared(
        target=target,
        moves=moves,
        globals=wanted,
        parts=parts,
        plan=RestorePlan(
            server_version=target.server.version,
            actions=tuple(_actions(moves, request)),
            creates=tuple((move.piece.name, move.live) for move in moves),
            size=sum(piece.size for piece in read),
            notes=tuple(_notes(target, moves, request, is_left_out=globals_ is not wanted)),
        ),
    )


def _check_server(target: Target, moves: Sequence[Move]) -> None:
    if target.server.in_recovery:
        raise TargetRefusedError("the target is a standby, which takes no writes: name its primary")
    for move in moves:
        if isinstance(major := move.piece.metadata.get("server_major"), int):
            check_version(major, server=target.server.major)
        extensions = move.piece.metadata.get("extensions") or {}
        if lacking := sorted(set(extensions) - target.extensions):
            raise TargetRefusedError(
                f"the dump of {move.piece.name!r} needs extensions that the target's server does "
                f"not have: {', '.join(lacking)}: install their packages there"
            )


def _check_database(
    target: Target, move: Move, request: RestoreRequest, interrupt: Interrupt
) -> None:
    """Raise TargetRefusedError where something is in the way, or cannot be put out of it."""
    databases = target.server.databases
    if move.is_made and move.loaded in databases:
        raise TargetRefusedError(marks.describe(move.loaded, databases[move.loaded].comment))
    if move.kept:
        _check_live(target, move)
    if not move.is_made:
        session = target.session.at(move.loaded)
        there = None if request.tables else first_object(session, interrupt)
        if there is not None:
            raise TargetRefusedError(
                f"the database {move.loaded!r} is not empty, it has {there}: restore into a new "
                "one, or --beside it, or --overwrite it"
            )
        compare_encodings(move.piece, session, interrupt)


def _check_live(target: Target, move: Move) -> None:
    live, login = target.server.databases[move.live], target.login
    if move.live in {"template0", "template1"}:
        raise TargetRefusedError(f"{move.live!r} is the server's own: it is not replaced")
    if prepared := [gid for database, gid in target.prepared if database == move.live]:
        raise TargetRefusedError(
            f"prepared transactions keep {move.live!r} from changing its name: COMMIT PREPARED or "
            f"ROLLBACK PREPARED {abbreviate(prepared)}"
        )
    if live.owner not in login.member_of:
        raise TargetRefusedError(
            f"{move.live!r} belongs to {live.owner!r}: restore as that role, a member of it, or a "
            "superuser"
        )
    if not login.signals:
        raise TargetRefusedError(
            f"to replace {move.live!r}, others' sessions have to be ended: GRANT pg_signal_backend "
            f"TO the role {login.name!r}, or restore as a superuser"
        )


def _check_rights(target: Target, moves: Sequence[Move]) -> None:
    login = target.login
    if any(move.is_made for move in moves) and not login.creates_databases:
        raise TargetRefusedError(
            f"the role {login.name!r} may not create databases: ALTER ROLE … CREATEDB, or restore "
            "as a superuser"
        )
    at = target.session.connection.database
    if any(not move.is_made and move.loaded == at for move in moves) and not login.creates_schemas:
        raise TargetRefusedError(f"the role {login.name!r} may not CREATE in the database {at!r}")


def _actions(moves: Sequence[Move], request: RestoreRequest) -> Iterator[str]:
    if request.globals:
        yield "create the roles and tablespaces that are missing; those that exist stay as they are"
    what = f"the tables {abbreviate(request.tables)}" if request.tables else "the backup"
    for move in moves:
        of = f"{what} of {move.piece.name!r}"
        if move.is_made:
            yield f"create the database {move.loaded!r}"
        elif request.tables and request.mode is RestoreMode.OVERWRITE:
            yield f"drop the tables {abbreviate(request.tables)} in {move.loaded!r}"
        sessions = move.by_sessions(request)
        by = f", by {sessions} sessions" if sessions > 1 else ""
        yield f"load {of} into {move.loaded!r}, all or nothing{by}"
    if request.mode in REPLACING and not request.tables:
        yield from _replacements(moves, request)


def _replacements(moves: Sequence[Move], request: RestoreRequest) -> Iterator[str]:
    for move in moves:
        if move.kept:
            yield f"end all sessions of {move.live!r}, and rename it to {move.kept!r}"
        yield f"rename {move.loaded!r} to {move.live!r}"
    for move in moves:
        if move.kept and request.mode is RestoreMode.OVERWRITE:
            yield f"drop {move.kept!r}"
        elif move.kept:
            yield f"keep {move.kept!r}, for --undo, until --forget"


def _notes(
    target: Target, moves: Sequence[Move], request: RestoreRequest, *, is_left_out: bool
) -> Iterator[str]:
    if is_left_out:
        # They would change the passwords of roles that exist, the one that restores among them.
        yield (
            "roles, tablespaces, and the database's own settings and rights are not restored: ask "
            "for --globals, or load their file by hand"
        )
    if request.parallelism > max(move.by_sessions(request) for move in moves):
        yield (
            "it is loaded by one session, in one transaction: several load whole databases that "
            "nobody uses meanwhile, with --beside, --overwrite and --swap"
        )
    for move in moves:
        owner = move.piece.metadata.get("owner")
        if owner and owner not in target.roles and not request.globals:
            yield (
                f"there is no role {owner!r}, the owner of {move.piece.name!r}: what belongs to it "
                "in the dump does not load; create it first, or ask for --globals"
            )
        slots = [name for database, name in target.slots if database == move.live]
        if slots and move.kept:
            yield (
                f"the replication slots {abbreviate(slots)} of {move.live!r} stay with what is "
                "replaced: whoever reads from them has to begin anew"
            )
