"""Putting restored tables in the place of others, taking that back, and dropping what is left."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from dumpers.contract.connection import Connection
from dumpers.engines.leftovers import Left
from dumpers.engines.mysql.client import Server, identifier, literal
from dumpers.engines.mysql.restore.exchange import Step, rename, stands_against, table_names
from dumpers.engines.mysql.restore.load import Loader
from dumpers.engines.mysql.restore.moves import NAME_LENGTH, Move
from dumpers.engines.mysql.restore.target import look_at_target
from dumpers.engines.mysql.survey.schema import SYSTEM_DATABASES, databases
from dumpers.engines.restored_names import beside_name, live_name
from dumpers.runtime.errors import TargetRefusedError
from dumpers.runtime.interrupt import Interrupt

# A table in the database that keeps what was replaced: the names of all that a swap moves.
KEPT = "ksnapshot_replaced"
# A table in a database that a restore is loading, until it is whole.
LOADING = "ksnapshot_loading"
# The same one, once it is whole and until a swap has taken its tables.
LOADED = "ksnapshot_loaded"
_EXCHANGED = "_exchanged"


def make_database(
    loader: Loader, name: str, like: str, *, mark: str, by: str, interrupt: Interrupt
) -> None:
    """Create a database with the defaults of the one that it is `like`, and a table as its mark.

    The table's comment says by which restore, see RestoreRequest.
    """
    words = ""
    if like:
        [(characters, collation)] = loader.server.rows(
            "default_character_set_name, default_collation_name",
            "FROM information_schema.schemata WHERE schema_name = DATABASE()",
            database=like,
            interrupt=interrupt,
        )
        words = f" CHARACTER SET {characters} COLLATE {collation}"
    quoted = identifier(name)
    statements = [f"CREATE DATABASE {quoted}{words}"]
    if mark:
        statements.append(
            f"CREATE TABLE {quoted}.{identifier(mark)} (name VARCHAR(64) PRIMARY KEY) "
            f"CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT {literal(by)}"
        )
    loader.run(statements, interrupt=interrupt)


def drop_databases(loader: Loader, names: Sequence[str], *, interrupt: Interrupt) -> None:
    """Drop databases, whatever refers to them; those that are gone are fine."""
    statements = [f"DROP DATABASE IF EXISTS {identifier(name)}" for name in names]
    loader.run(["SET foreign_key_checks = 0", *statements], interrupt=interrupt)


def put_in_place(loader: Loader, move: Move, *, by: str, interrupt: Interrupt) -> None:
    """Move what is replaced to the kept database, and what was loaded to its place, in one step."""
    server = loader.server
    loaded = table_names(server, move.loaded, interrupt=interrupt)
    new = [name for name in loaded if name != LOADED]
    there = table_names(server, move.live, interrupt=interrupt)
    old = _same(server, there, move.tables) if move.tables else there
    make_database(loader, move.kept, move.live, mark=KEPT, by=by, interrupt=interrupt)
    _remember(loader, move.kept, sorted({*new, *old}), interrupt)
    steps = [Step(table=name, source=move.live, target=move.kept) for name in old]
    steps += [Step(table=name, source=move.loaded, target=move.live) for name in new]
    rename(loader, steps, databases=(move.live, move.kept), interrupt=interrupt)


def obstacles(loader: Loader, move: Move, *, loaded: bool, interrupt: Interrupt) -> list[str]:
    """What stands against a swap: of the live database, or of the one that was `loaded`."""
    server = loader.server
    database = move.loaded if loaded else move.live
    names = table_names(server, database, interrupt=interrupt)
    if move.tables and not loaded:
        names = tuple(_same(server, names, move.tables))
    is_whole = not move.tables
    return stands_against(server, database, names, is_whole=is_whole, interrupt=interrupt)


def undo_swap(target: Connection, kept: Sequence[tuple[str, str]], interrupt: Interrupt) -> None:
    """See Engine.undo."""
    found = look_at_target(target, interrupt)
    for pair in kept:
        for name in pair:
            if name not in found.present:
                raise TargetRefusedError(
                    f"there is no database {name!r} any more: nothing was exchanged"
                )
    for live, name in kept:
        _exchange(found.loader, live, name, interrupt)


def _exchange(loader: Loader, live: str, kept: str, interrupt: Interrupt) -> None:
    """Exchange in one step, by way of a third database, from which no application reads."""
    server = loader.server
    between = beside_name(kept, _EXCHANGED, limit=NAME_LENGTH)
    if between in databases(server, interrupt=interrupt):
        # An undo that has exchanged them was killed before it had cleared up.
        _finish(loader, between, kept, interrupt)
        return
    inside = table_names(server, kept, interrupt=interrupt)
    if KEPT not in inside:
        raise TargetRefusedError(f"{kept!r} is no database that a swap has kept")
    # In hexadecimal digits, as names may hold any letter.
    moved = server.rows("HEX(name)", f"FROM {identifier(KEPT)}", database=kept, interrupt=interrupt)
    names = [bytes.fromhex(digits).decode() for (digits,) in moved]
    out = _same(server, table_names(server, live, interrupt=interrupt), names)
    back = [name for name in inside if name != KEPT]
    if not back:
        raise TargetRefusedError(f"nothing of {kept!r} is left, and nothing was exchanged")
    make_database(loader, between, kept, mark="", by="", interrupt=interrupt)
    steps = [Step(table=name, source=live, target=between) for name in out]
    steps += [Step(table=name, source=kept, target=live) for name in back]
    try:
        rename(loader, steps, databases=(live, kept), interrupt=interrupt)
    finally:
        _finish(loader, between, kept, interrupt)


def _finish(loader: Loader, between: str, kept: str, interrupt: Interrupt) -> None:
    """Move what an undo has taken out of the live database to where it is kept."""
    names = table_names(loader.server, between, interrupt=interrupt)
    if names:
        steps = [Step(table=name, source=between, target=kept) for name in names]
        rename(loader, steps, databases=(between, kept), interrupt=interrupt)
    drop_databases(loader, [between], interrupt=interrupt)


def find_left(target: Connection, interrupt: Interrupt) -> Mapping[str, Left]:
    """See MarkingEngine.find_left."""
    found = look_at_target(target, interrupt)
    server = found.server
    kept: dict[str, list[tuple[str, str]]] = defaultdict(list)
    beside: dict[str, list[str]] = defaultdict(list)
    marks = ", ".join(map(literal, (KEPT, LOADING, LOADED)))
    rows = server.rows(
        "table_schema, table_name, table_comment",
        f"FROM information_schema.tables WHERE table_name IN ({marks}) AND table_comment <> ''",
        interrupt=interrupt,
    )
    for name, mark, by in rows:
        live = live_name(name, found.present, limit=NAME_LENGTH) if mark == KEPT else ""
        # A swap that was killed before it moved anything has kept nothing.
        if live and set(table_names(server, name, interrupt=interrupt)) > {KEPT}:
            kept[by].append((live, name))
        else:
            beside[by].append(name)
    return {by: Left(kept=tuple(kept[by]), beside=tuple(beside[by])) for by in (*kept, *beside)}


def forget_restored(target: Connection, names: Sequence[str], interrupt: Interrupt) -> None:
    """See Engine.forget; refuses the target's own database and the server's."""
    found = look_at_target(target, interrupt)
    for name in names:
        if name == target.database or name.lower() in SYSTEM_DATABASES:
            raise TargetRefusedError(
                f"{name!r} is no copy that a restore has left: nothing was dropped"
            )
    drop_databases(found.loader, names, interrupt=interrupt)


def _remember(loader: Loader, kept: str, names: Sequence[str], interrupt: Interrupt) -> None:
    rows = ", ".join(f"({literal(name)})" for name in names)
    table = f"{identifier(kept)}.{identifier(KEPT)}"
    loader.run(
        ["SET SESSION sql_mode = ''", f"INSERT INTO {table} VALUES {rows}"],  # noqa: S608  quoted
        interrupt=interrupt,
    )


def _same(server: Server, present: Collection[str], names: Collection[str]) -> list[str]:
    """Those that are present of some names, as this server compares names."""
    folded = frozenset(map(server.fold, names))
    return [name for name in present if server.fold(name) in folded]
