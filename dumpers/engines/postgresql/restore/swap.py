"""Putting restored databases in the place of others, taking that back, dropping what is left."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from dumpers.contract.connection import Connection
from dumpers.engines.leftovers import Left
from dumpers.engines.postgresql.catalog.create_database import properties_script
from dumpers.engines.postgresql.catalog.patterns import literal
from dumpers.engines.postgresql.clients import Session, quote_identifier
from dumpers.engines.postgresql.restore import marks
from dumpers.engines.postgresql.restore.counts import first_object
from dumpers.engines.postgresql.restore.exchange import Renames, rename
from dumpers.engines.postgresql.restore.load import run_script
from dumpers.engines.postgresql.restore.moves import NAME_BYTES, Move, name_bytes
from dumpers.engines.postgresql.restore.target import Target, away_from, look_at_target
from dumpers.engines.restored_names import beside_name, live_name
from dumpers.runtime.errors import TargetRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import IterReader

_EXCHANGED = "_exchanged"
_IS_TEMPLATE = "SELECT 1 FROM pg_database WHERE datistemplate AND datname = {}"


def put_in_place(
    session: Session, target: Target, moves: Sequence[Move], interrupt: Interrupt, *, by: str = ""
) -> None:
    """Rename what was loaded beside to what it replaces, and that to its kept name, in one step.

    What belongs to the replaced database itself (owner, rights, settings, limits, comment) is given
    to the new one first. The session is at another database. `by` is as in RestoreRequest.
    """
    databases = target.server.databases
    for move in moves:
        if move.kept:
            script = IterReader(iter([properties_script(databases[move.live])]))
            run_script(session, script, interrupt, f"--set=database={move.loaded}")
    steps: list[tuple[str, str]] = []
    comments: dict[str, str] = {}
    for move in moves:
        live = databases.get(move.live)
        if move.kept and live is not None:
            steps.append((move.live, move.kept))
            comments[move.kept] = marks.mark(marks.REPLACED, live.comment, by=by)
        steps.append((move.loaded, move.live))
        comments[move.live] = marks.unmarked(live.comment) if live else ""
    oids = numbers_of(session, [name for name, _ in steps], interrupt)
    rename(session, Renames(steps=tuple(steps), comments=comments), oids, interrupt)


def undo_swap(target: Connection, kept: Sequence[tuple[str, str]], interrupt: Interrupt) -> None:
    """See Engine.undo: both databases keep owner, rights and settings of their own."""
    found = look_at_target(target, interrupt)
    databases = found.server.databases
    steps: list[tuple[str, str]] = []
    comments: dict[str, str] = {}
    for live, name in kept:
        for wanted in (live, name):
            if wanted not in databases:
                raise TargetRefusedError(
                    f"there is no database {wanted!r} any more: nothing was exchanged"
                )
        between = beside_name(live, _EXCHANGED, limit=NAME_BYTES, size=name_bytes)
        steps += [(live, between), (name, live), (between, name)]
        comments[live] = marks.unmarked(databases[name].comment)
        comments[name] = marks.mark(
            marks.REPLACED,
            marks.unmarked(databases[live].comment),
            by=marks.by_of(databases[name].comment),
        )
    if not steps:
        return
    session = away_from(found.session, [name for pair in kept for name in pair], interrupt)
    rename(session, Renames(steps=tuple(steps), comments=comments), found.oids, interrupt)


def find_left(target: Connection, interrupt: Interrupt) -> Mapping[str, Left]:
    """See MarkingEngine.find_left."""
    databases = look_at_target(target, interrupt).server.databases
    kept: dict[str, list[tuple[str, str]]] = defaultdict(list)
    beside: dict[str, list[str]] = defaultdict(list)
    for name, database in databases.items():
        by = marks.by_of(database.comment)
        live = live_name(name, databases, limit=NAME_BYTES, size=name_bytes)
        if by and live and marks.is_kept(database.comment):
            kept[by].append((live, name))
        elif by:
            beside[by].append(name)
    return {by: Left(kept=tuple(kept[by]), beside=tuple(beside[by])) for by in (*kept, *beside)}


def forget_restored(target: Connection, names: Sequence[str], interrupt: Interrupt) -> None:
    """See Engine.forget; refuses, before it drops any, what no restore has made or kept.

    An empty database is dropped, too: a restore that was killed may have just made it.
    """
    found = look_at_target(target, interrupt)
    present = {
        name: found.server.databases[name] for name in names if name in found.server.databases
    }
    for name, database in present.items():
        is_ours = marks.is_marked(database.comment) or not first_object(
            found.session.at(name), interrupt
        )
        if name == target.database or not is_ours:
            raise TargetRefusedError(
                f"{name!r} is no database that a restore has left beside or kept: nothing was "
                "dropped; if it is to go, DROP DATABASE it by hand"
            )
    if present:
        drop(away_from(found.session, list(present), interrupt), list(present), interrupt)


def drop(session: Session, names: Sequence[str], interrupt: Interrupt) -> None:
    """Drop databases, with their sessions; those that are gone already are fine."""
    for name in names:
        quoted = quote_identifier(name)
        rows = session.ask(_IS_TEMPLATE.format(literal(name)), interrupt)
        if rows:
            session.ask(f"ALTER DATABASE {quoted} IS_TEMPLATE false", interrupt)
        session.ask(f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)", interrupt)


def numbers_of(session: Session, names: Sequence[str], interrupt: Interrupt) -> Mapping[str, int]:
    """The databases' own numbers by their names."""
    rows = session.ask("SELECT datname, oid FROM pg_database", interrupt)
    return {name: int(number) for name, number in rows if name in names}
