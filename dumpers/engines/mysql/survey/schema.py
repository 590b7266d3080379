"""Reading a server's databases, and a database's tables and views."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.mysql.client import Server, identifier, literal
from dumpers.engines.mysql.programs import Flavour
from dumpers.runtime.interrupt import Interrupt

SYSTEM_DATABASES = frozenset(("information_schema", "performance_schema", "mysql", "sys"))

# Storage engines that keep rows elsewhere: the tools' sources write no rows of their tables.
ELSEWHERE: Mapping[Flavour, frozenset[str]] = {
    Flavour.MYSQL: frozenset(("FEDERATED",)),
    Flavour.MARIADB: frozenset(("FEDERATED", "CONNECT", "SPIDER", "OQGRAPH", "VP", "S3")),
}
# Those whose tables are made of other tables of this server.
MERGED = frozenset(("MRG_MYISAM", "MRG_ISAM", "MRG_ARIA"))

# Tables whose sizes are asked for by one statement: it travels as an argument, which has a limit.
_SIZES_AT_ONCE = 250
# As SHOW CREATE DATABASE has them.
_LOST = ("ENCRYPTION='Y'", "READ ONLY = 1")
_LOST_TEXT = (
    "what these databases have by themselves is not in the dump: give it to them after a load "
    "(ALTER DATABASE)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table, view or sequence.

    `engine` is empty for views, and for tables that the server cannot open. `loaded` says whether
    the server has that storage engine.
    """

    name: str
    kind: str
    engine: str = ""
    loaded: bool = True
    transactional: bool = False

    @property
    def is_view(self) -> bool:
        """Whether this is a view, which has no rows of its own."""
        return self.kind.endswith("VIEW")

    @property
    def is_sequence(self) -> bool:
        """Whether this is a sequence of MariaDB."""
        return self.kind == "SEQUENCE"

    @property
    def is_versioned(self) -> bool:
        """Whether MariaDB keeps the history of this table's rows."""
        return self.kind == "SYSTEM VERSIONED"


def databases(server: Server, *, interrupt: Interrupt) -> tuple[str, ...]:
    """List the databases that the account sees, without the server's own."""
    found = server.rows(
        "schema_name", "FROM information_schema.schemata ORDER BY schema_name", interrupt=interrupt
    )
    return tuple(name for (name,) in found if name.lower() not in SYSTEM_DATABASES)


def tables(server: Server, database: str, *, interrupt: Interrupt) -> list[Table]:
    """List all tables and views of a database that the account sees.

    None of them is opened for that, so that a table whose rows another server holds connects to
    nobody.
    """
    rows = server.rows(
        "t.table_name, t.table_type, IFNULL(t.engine, ''), IFNULL(e.support, 'NO'), "
        "IFNULL(e.transactions, '')",
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
            loaded=support not in {"NO", "DISABLED"},
            transactional=transactional == "YES",
        )
        for name, kind, engine, support, transactional in rows
    ]


def sizes(
    server: Server,
    database: str,
    found: Sequence[Table],
    chosen: Sequence[Table],
    *,
    known: Mapping[str, int],
    interrupt: Interrupt,
) -> Mapping[str, int]:
    """Estimated bytes of the chosen ones of the tables that were found in a database.

    Those that the server cannot open are missing, and those whose rows another server holds. The
    server opens each table whose size is not `known`.
    """
    near = {
        table.name
        for table in chosen
        if not table.is_view and table.engine.upper() not in ELSEWHERE[server.flavour]
    }
    sized = {name: size for name, size in known.items() if name in near}
    names = sorted(near - sized.keys())
    if not names:
        return sized
    columns = "table_name AS name, IFNULL(data_length, -1) AS bytes"
    source = "FROM information_schema.tables WHERE table_schema = DATABASE()"
    selects = [f"SELECT {columns} {source}"]
    # By their names, unless it is nearly all of them: it would open the others, too.
    others = sum(not table.is_view for table in found) - len(names)
    if others and (others > len(names) or len(near) < others + len(names)):
        selects = [f"{selects[0]} AND table_name = {literal(name)}" for name in names]
    rows: list[tuple[str, ...]] = []
    for start in range(0, len(selects), _SIZES_AT_ONCE):
        asked = " UNION ALL ".join(selects[start : start + _SIZES_AT_ONCE])
        rows += server.rows(
            "name, bytes", f"FROM ({asked}) AS sizes", database=database, interrupt=interrupt
        )
    wanted = frozenset(names)
    return sized | {name: int(size) for name, size in rows if name in wanted and int(size) >= 0}


def default_settings(
    server: Server, database: str, *, interrupt: Interrupt
) -> tuple[str, list[Note]]:
    """Write what a database has by itself, as SQL for whichever database it is loaded into.

    Older servers, which may not know the collation, pass the statement over. With notes on what no
    load may simply set: encryption takes rights and a keyring, and nothing can be loaded into what
    is read-only.
    """
    comment = server.flavour is Flavour.MARIADB and server.number >= (10, 5)
    [(characters, collation, said)] = server.rows(
        "default_character_set_name, default_collation_name, "
        + ("schema_comment" if comment else "''"),
        "FROM information_schema.schemata WHERE schema_name = DATABASE()",
        database=database,
        interrupt=interrupt,
    )
    mark = "!80000" if server.number >= (8, 0) else "!40100"
    if server.flavour is Flavour.MARIADB:
        mark = "M!100500" if comment else "M!100000"
    words = f"CHARACTER SET {characters} COLLATE {collation}"
    # What ends a comment would end the statement in it.
    if said and "*/" not in said:
        words += f" COMMENT = {literal(said)}"
    lost = _lost_settings(server, database, interrupt=interrupt)
    return f"/*{mark} ALTER DATABASE {words} */;\n", lost


def _lost_settings(server: Server, database: str, *, interrupt: Interrupt) -> list[Note]:
    if server.flavour is Flavour.MARIADB or server.number < (8, 0):
        return []
    [(_, made)] = server.raw(f"SHOW CREATE DATABASE {identifier(database)}", interrupt=interrupt)
    text = made.rpartition("`")[2]
    lost = tuple(f"{database}: {words}" for words in _LOST if words in text)
    return [Note(code=NoteCode.RESTORE_NEEDS, text=_LOST_TEXT, objects=lost)] if lost else []
