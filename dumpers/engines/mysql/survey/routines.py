"""Routines, and what programs of any kind need of a restore."""

from collections.abc import Iterable, Sequence

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.mysql.client import Server, identifier
from dumpers.engines.mysql.errors import NO_SUCH_ROUTINE
from dumpers.engines.mysql.programs import Flavour
from dumpers.engines.mysql.survey.probes import attempt
from dumpers.engines.mysql.survey.programs import Programs, ask_for, damaged
from dumpers.engines.mysql.survey.server.grants import Grants
from dumpers.runtime.interrupt import Interrupt

_SEES = ("EXECUTE", "CREATE ROUTINE", "ALTER ROUTINE", "SHOW CREATE ROUTINE", "SHOW_ROUTINE")


def routines(server: Server, database: str, rights: Grants, *, interrupt: Interrupt) -> Programs:
    """Find whether a database's routines can be dumped, with notes on those that are missing."""
    rows, words = ask_for(
        server,
        lambda: server.rows(
            "routine_name, routine_type, routine_definition IS NULL",
            "FROM information_schema.routines WHERE routine_schema = DATABASE() "
            "ORDER BY routine_name",
            database=database,
            interrupt=interrupt,
        ),
    )
    if words:
        return damaged("procedures and functions", database, words)
    cure = "SHOW_ROUTINE on *.*" if server.number >= (8, 0) else "SELECT on mysql.proc"
    if server.flavour is Flavour.MARIADB:
        cure = "SHOW CREATE ROUTINE, or SELECT on mysql.proc"
    if hidden := [name for name, _, is_hidden in rows if is_hidden == "1"]:
        # The tool would end at the first of them.
        note = Note(
            code=NoteCode.UNREADABLE,
            text="NO procedure or function of the database is in this dump, as this account may "
            f"not show the text of some: grant it {cure}",
            objects=_full_names(database, hidden),
        )
        return Programs(are_dumped=False, notes=(note,))
    shown = [(name, kind) for name, kind, _ in rows]
    if broken := _broken(server, database, shown, interrupt=interrupt):
        note = Note(
            code=NoteCode.UNREADABLE,
            text="NO procedure or function of the database is in this dump, as the server itself "
            "cannot show some: drop them, or make them anew",
            objects=_full_names(database, broken),
        )
        return Programs(are_dumped=False, notes=(note,))
    if any(rights.may(privilege, database) for privilege in _SEES):
        return Programs(are_dumped=True)
    if rights.may("SELECT", "mysql", "proc"):
        return Programs(are_dumped=True)
    note = Note(
        code=NoteCode.UNREADABLE,
        text="procedures and functions that this account may not see are NOT in this dump, if "
        f"there are any; grant it {cure}, to see those of these databases",
        objects=(database,),
    )
    return Programs(are_dumped=True, notes=(note,))


def other_collations(
    server: Server, database: str, kinds: Iterable[str], *, interrupt: Interrupt
) -> tuple[str, ...]:
    """The programs of these kinds that were made under another default collation.

    The dump tools set the database's default for each of them, by the database's name.
    """
    default = (
        "(SELECT default_collation_name FROM information_schema.schemata "
        "WHERE schema_name = DATABASE())"
    )
    listed = " UNION ALL ".join(
        f"SELECT {kind}_name AS name FROM information_schema.{kind}s "  # noqa: S608  constants
        f"WHERE {kind}_schema = DATABASE() AND database_collation <> {default}"
        for kind in kinds
    )
    rows = server.rows(
        "name", f"FROM ({listed}) AS made ORDER BY name", database=database, interrupt=interrupt
    )
    return tuple(dict.fromkeys(f"{database}.{name}" for (name,) in rows))


def _broken(
    server: Server, database: str, routines_: Sequence[tuple[str, str]], *, interrupt: Interrupt
) -> list[str]:
    """The routines at which the tool would end, as the server cannot read their own text."""
    statements = [f"SHOW CREATE {kind} {identifier(name)}" for name, kind in routines_]
    answers = attempt(server, statements, database=database, interrupt=interrupt)
    # With nothing but that number it was dropped meanwhile.
    return [
        name
        for (name, _), refusal in zip(routines_, answers, strict=True)
        if refusal is not None and refusal.numbers != {NO_SUCH_ROUTINE}
    ]


def _full_names(database: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{database}.{name}" for name in names)
