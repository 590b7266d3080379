"""What a database holds, and what this account may dump of it.

The dump tools are silent about what they cannot see: routines, triggers and tables that an account
may not read are left out with status 0, others end the dump. So what is missing is found out
beforehand, left out on purpose, and told.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dumpers.engines.mysql.client import Flavour, Server
from dumpers.engines.mysql.grants import Grants, parse
from dumpers.engines.names import abbreviate
from dumpers.runtime.errors import SourceRefusedError
from dumpers.runtime.interrupt import Interrupt

SYSTEM_DATABASES = frozenset(("information_schema", "performance_schema", "mysql", "sys"))
# Storage engines of whose tables the tools write no rows, by their sources.
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
class Table:
    """A table, view or sequence; `size` is in bytes, as the server estimates it."""

    name: str
    kind: str
    engine: str
    transactional: bool
    size: int

    @property
    def is_view(self) -> bool:
        """Whether it has no rows of its own."""
        return self.kind.endswith("VIEW")

    @property
    def is_sequence(self) -> bool:
        """Whether it is one of MariaDB's sequences."""
        return self.kind == "SEQUENCE"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFilter:
    """The tables that were asked for; without any, all but the excluded ones.

    A name may stand alone or behind its database and a dot.
    """

    tables: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    def within(self, database: str, databases: Sequence[str]) -> "TableFilter":
        """What of it concerns one of the databases: names behind another one do not.

        SourceRefusedError where tables were asked for, and none of this one.
        """
        others = tuple(f"{name}." for name in databases if name != database)
        tables = tuple(name for name in self.tables if not name.startswith(others))
        if self.tables and not tables:
            raise SourceRefusedError(
                f"none of the tables that were asked for is one of the database {database!r}: name "
                "some, or leave the database out"
            )
        excluded = tuple(name for name in self.excluded if not name.startswith(others))
        return TableFilter(tables=tables, excluded=excluded)


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


def databases(server: Server, *, interrupt: Interrupt) -> tuple[str, ...]:
    """List the databases that the account sees, without the server's own."""
    found = server.rows(
        "schema_name", "FROM information_schema.schemata ORDER BY schema_name", interrupt=interrupt
    )
    return tuple(name for (name,) in found if name.lower() not in SYSTEM_DATABASES)


def grants(server: Server, *, interrupt: Interrupt) -> Grants:
    """Ask what the account may."""
    return parse(row[0] for row in server.raw("SHOW GRANTS", interrupt=interrupt))


def tables(server: Server, database: str, *, interrupt: Interrupt) -> list[Table]:
    """List all tables and views of a database that the account sees."""
    rows = server.rows(
        "t.table_name, t.table_type, IFNULL(t.engine, ''), IFNULL(e.transactions, ''), "
        "IFNULL(t.data_length, 0)",
        "FROM information_schema.tables t LEFT JOIN information_schema.engines e "
        "ON e.engine = t.engine WHERE t.table_schema = DATABASE() ORDER BY t.table_name",
        database=database,
        interrupt=interrupt,
    )
    return [
        Table(
            name=name,
            kind=kind,
            engine=engine,
            transactional=transactional == "YES",
            size=int(size),
        )
        for name, kind, engine, transactional, size in rows
    ]


def survey(
    server: Server, database: str, *, choice: TableFilter, rights: Grants, interrupt: Interrupt
) -> Survey:
    """Find out what can be dumped of a database.

    Raises the side's refusal when it has not the tables that were asked for.
    """
    found = tables(server, database, interrupt=interrupt)
    chosen, notes = _choose(server, database, choice, found)
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
    if choice.tables and not chosen:
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
        all_tables=not choice.tables,
        notes=tuple(notes),
    )


def _choose(
    server: Server, database: str, choice: TableFilter, found: Sequence[Table]
) -> tuple[list[Table], list[str]]:
    """Pick the tables that were asked for, with notes on exclusions that exclude nothing."""

    def matches(name: str) -> Callable[[Table], bool]:
        wanted = server.fold(name)
        return lambda table: (
            wanted in {server.fold(table.name), server.fold(f"{database}.{table.name}")}
        )

    chosen = list(found)
    if choice.tables:
        missing = [name for name in choice.tables if not any(map(matches(name), found))]
        if missing:
            raise server.errors.refused(
                f"the database {database!r} has not these tables that were asked for, or this "
                f"account may not see them: {abbreviate(missing)}"
            )
        chosen = [table for table in found if any(matches(name)(table) for name in choice.tables)]
    notes = []
    for name in choice.excluded:
        excludes = matches(name)
        if not any(map(excludes, found)):
            notes.append(f"the table {name!r} was to be left out, but there is none")
        chosen = [table for table in chosen if not excludes(table)]
    return chosen, notes


def _routines(
    server: Server, database: str, rights: Grants, *, interrupt: Interrupt
) -> tuple[bool, list[str]]:
    """Tell whether routines can be dumped, and what of them is missing."""
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
