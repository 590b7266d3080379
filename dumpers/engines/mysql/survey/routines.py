"""Routines, triggers and events: what an account may see of them, and what their restore needs."""

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.programs import Flavour
from dumpers.engines.mysql.survey.server.grants import Grants
from dumpers.runtime.interrupt import Interrupt

_SEES = ("EXECUTE", "CREATE ROUTINE", "ALTER ROUTINE", "SHOW CREATE ROUTINE", "SHOW_ROUTINE")


def routines(
    server: Server, database: str, rights: Grants, *, interrupt: Interrupt
) -> tuple[bool, tuple[Note, ...]]:
    """Return whether routines can be dumped, and notes on those that are missing."""
    rows = server.rows(
        "routine_name",
        "FROM information_schema.routines WHERE routine_schema = DATABASE() "
        "AND routine_definition IS NULL ORDER BY routine_name",
        database=database,
        interrupt=interrupt,
    )
    cure = "SHOW_ROUTINE on *.*" if server.number >= (8, 0) else "SELECT on mysql.proc"
    if server.flavour is Flavour.MARIADB:
        cure = "SHOW CREATE ROUTINE, or SELECT on mysql.proc"
    if rows:
        # The tool would end at the first of them.
        note = Note(
            code=NoteCode.UNREADABLE,
            text="NO procedure or function of the database is in this dump, as this account may "
            f"not show the text of some: grant it {cure}",
            objects=tuple(f"{database}.{name}" for (name,) in rows),
        )
        return False, (note,)
    if any(rights.may(privilege, database) for privilege in _SEES):
        return True, ()
    if rights.may("SELECT", "mysql", "proc"):
        return True, ()
    note = Note(
        code=NoteCode.UNREADABLE,
        text="procedures and functions that this account may not see are NOT in this dump, if "
        f"there are any; grant it {cure}, to see those of these databases",
        objects=(database,),
    )
    return True, (note,)


def other_collations(server: Server, database: str, *, interrupt: Interrupt) -> tuple[str, ...]:
    """The routines, triggers and events that were made under another default collation.

    The dump tools set the database's default for each of them, by the database's name.
    """
    default = (
        "(SELECT default_collation_name FROM information_schema.schemata "
        "WHERE schema_name = DATABASE())"
    )
    listed = " UNION ALL ".join(
        f"SELECT {column}_name AS name FROM information_schema.{kind} "  # noqa: S608  constants
        f"WHERE {column}_schema = DATABASE() AND database_collation <> {default}"
        for kind, column in (("routines", "routine"), ("triggers", "trigger"), ("events", "event"))
    )
    rows = server.rows(
        "name", f"FROM ({listed}) AS made ORDER BY name", database=database, interrupt=interrupt
    )
    return tuple(dict.fromkeys(f"{database}.{name}" for (name,) in rows))
