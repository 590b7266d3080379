"""Loading dumps into an empty database, each in one transaction."""

from collections.abc import Sequence

from dumpers.engines.postgresql import inspection
from dumpers.engines.postgresql.endings import CUSTOM, GLOBALS, PLAIN
from dumpers.engines.postgresql.session import Session
from dumpers.engines.protocol import Piece
from dumpers.runtime.errors import TargetRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.tool import feed

# Without a failed statement's details and context, which show the rows.
_PSQL = (
    *("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"),
    *("--set=VERBOSITY=terse", "--file=-"),
)
_PG_RESTORE = ("--single-transaction", "--exit-on-error")


def restore(target: Session, pieces: Sequence[Piece], interrupt: Interrupt) -> tuple[str, ...]:
    """Load the one database among the pieces into the target's database."""
    notes = []
    databases = [piece for piece in pieces if piece.ending in {PLAIN, CUSTOM}]
    if len(databases) != 1:
        names = ", ".join(piece.name for piece in databases) or "none"
        raise TargetRefusedError(f"one database goes into one, the backup has {names}: choose one")
    if any(piece.ending == GLOBALS for piece in pieces):
        # They would change the passwords of roles that exist, the one that restores among them.
        notes.append("roles and tablespaces are not restored: load their file by hand")
    there = inspection.first_object(target, interrupt)
    if there is not None:
        raise TargetRefusedError(
            f"the database {target.connection.database!r} is not empty, it has {there}: restore "
            "into a new one"
        )
    [piece] = databases
    program, arguments = ("pg_restore", _PG_RESTORE) if piece.ending == CUSTOM else ("psql", _PSQL)
    with piece.open() as reader:
        feed(target.command(program, arguments), reader, interrupt=interrupt)
    return tuple(notes)
