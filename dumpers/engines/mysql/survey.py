"""Finding what of a database this account can dump, and noting what is missing.

The dump tools are silent about objects that they cannot see: routines, triggers and tables that an
account may not read are left out with status 0, others end the dump. So missing objects are found
before the dump, left out on purpose, and noted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.filters import TableFilter, choose
from dumpers.engines.mysql.grants import Grants, parse
from dumpers.engines.mysql.programs import Flavour
from dumpers.engines.mysql.schema import Table, tables
from dumpers.engines.names import abbreviate
from dumpers.runtime.interrupt import Interrupt

# Storage engines that keep rows elsewhere: the tools' sources write no rows of their tables.
_ELSEWHERE: Mapping[Flavour, frozenset[str]] = {
    Flavour.MYSQL: frozenset(("FEDERATED", "MRG_MYISAM", "MRG_ISAM")),
    Flavour.MARIADB: frozenset(
        (
            *("FEDERATED", "CONNECT", "SPIDER", "OQGRAPH", "VP", "S3"),
            *("MRG_MYISAM", "MRG_ISAM", "MRG_ARIA"),
        )
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """One database as it will be dumped, and the tool's options for it.

    `tables` are those that are dumped, `left_out` the names of the others; they are `all_tables`
    unless some were asked for by name.
    """

    database: str
    options: tuple[str, ...]
    tables: tuple[Table, ...]
    left_out: tuple[str, ...]
    all_tables: bool
    notes: tuple[str, ...]

    @property
    def estimate(self) -> int:
        """Expected size in bytes, before compression."""
        return sum(table.size for table in self.tables)


def grants(server: Server, *, interrupt: Interrupt) -> Grants:
    """Read the account's rights."""
    return parse(row[0] for row in server.raw("SHOW GRANTS", interrupt=interrupt))


def survey(
    server: Server,
    database: str,
    *,
    table_filter: TableFilter,
    rights: Grants,
    interrupt: Interrupt,
) -> Survey:
    """Find what can be dumped of a database.

    Raises the server's refusal if the database lacks a table that was asked for.
    """
    found = tables(server, database, interrupt=interrupt)
    chosen, notes = choose(server, database, table_filter, found)
    missing = [
        table.name
        for table in chosen
        if table.is_view and not rights.may("SHOW VIEW", database, table.name)
    ]
    if missing:
        notes.append(
            f"views that this account may not show are NOT in this dump: {abbreviate(missing)}; "
            f"grant it SHOW VIEW on {database!r}"
        )
    chosen = [table for table in chosen if table.name not in missing]
    if table_filter.tables and not chosen:
        # Without any name the tool would take all tables.
        raise server.errors.refused(
            f"nothing is left of the tables that were asked for in the database {database!r}"
        )
    kept = {table.name for table in chosen}
    routines, said = _routines(server, database, rights, interrupt=interrupt)
    notes += said
    events = rights.may("EVENT", database)
    if not events:
        notes.append(
            "events are NOT in this dump, if there are any: this account may not see them; grant "
            f"it EVENT on {database!r}"
        )
    notes += _notes_on_rights(rights, database)
    notes += _notes_on_engines(server.flavour, chosen)
    options = ["--triggers"]
    options.append("--routines" if routines else "--skip-routines")
    options.append("--events" if events else "--skip-events")
    return Survey(
        database=database,
        options=tuple(options),
        tables=tuple(chosen),
        left_out=tuple(table.name for table in found if table.name not in kept),
        all_tables=not table_filter.tables,
        notes=tuple(notes),
    )


def _routines(
    server: Server, database: str, rights: Grants, *, interrupt: Interrupt
) -> tuple[bool, list[str]]:
    """Return whether routines can be dumped, and notes on missing ones."""
    rows = server.rows(
        "routine_name",
        "FROM information_schema.routines WHERE routine_schema = DATABASE() "
        "AND routine_definition IS NULL ORDER BY 2",
        database=database,
        interrupt=interrupt,
    )
    cure = "SHOW_ROUTINE on *.*" if server.number >= (8, 0) else "SELECT on mysql.proc"
    if server.flavour is Flavour.MARIADB:
        cure = "SHOW CREATE ROUTINE, or SELECT on mysql.proc"
    hidden = [name for (name,) in rows]
    if hidden:
        # The tool would end at the first of them.
        note = (
            "NO procedure or function is in this dump: this account may not show the text of "
            f"{abbreviate(hidden)}; grant it {cure}"
        )
        return False, [note]
    sees = ("EXECUTE", "CREATE ROUTINE", "ALTER ROUTINE", "SHOW CREATE ROUTINE", "SHOW_ROUTINE")
    if any(rights.may(privilege, database) for privilege in sees):
        return True, []
    if rights.may("SELECT", "mysql", "proc"):
        return True, []
    note = (
        "procedures and functions that this account may not see are NOT in this dump, if there are "
        f"any; grant it {cure}"
    )
    return True, [note]


def _notes_on_rights(rights: Grants, database: str) -> list[str]:
    notes = []
    if not rights.may("SELECT", database):
        notes.append(
            "tables that this account may not see are NOT in this dump, if there are any; grant it "
            f"SELECT on all of {database!r}"
        )
    if not rights.may("TRIGGER", database):
        notes.append(
            "triggers of tables on which this account has not the right TRIGGER are NOT in this "
            f"dump, if there are any; grant it TRIGGER on {database!r}"
        )
    return notes


def _notes_on_engines(flavour: Flavour, chosen: Sequence[Table]) -> list[str]:
    elsewhere = [table for table in chosen if table.engine.upper() in _ELSEWHERE[flavour]]
    loose = [
        f"{table.name} ({table.engine})"
        for table in chosen
        if not table.is_view and table.engine and not table.transactional and table not in elsewhere
    ]
    notes = []
    if elsewhere:
        notes.append(
            "the rows of these tables are NOT in this dump, as they lie elsewhere: "
            + abbreviate([f"{table.name} ({table.engine})" for table in elsewhere])
        )
    if loose:
        notes.append(
            "these tables are NOT consistent with the others, as their storage engine has no "
            "transactions: rows written while the dump ran may or may not be in it: "
            f"{abbreviate(loose)}"
        )
    versioned = [table.name for table in chosen if table.kind == "SYSTEM VERSIONED"]
    if versioned:
        notes.append(
            "the history of these tables is in this dump only where MYSQLDUMP_OPTIONS says "
            f"--dump-history: {abbreviate(versioned)}"
        )
    return notes
