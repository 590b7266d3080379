"""What the objects of a database refer to: tables, views and functions, its own and others'."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from dumpers.engines.mysql.client import Server, identifier, literal
from dumpers.engines.mysql.programs import Flavour
from dumpers.engines.mysql.survey.schema import Table
from dumpers.runtime.interrupt import Interrupt

# A server keeps the text of a view with every name quoted, and with the database before a table's.
_NAME = re.compile(r"`((?:[^`]|``)+)`\.`((?:[^`]|``)+)`")

# Views that one call of the client shows: their names travel as an argument, which has a limit.
_SHOWN_AT_ONCE = 100

# Tables whose foreign keys are asked for by their names.
_KEYED_AT_ONCE = 100
# Storage engines that pass foreign keys over.
_KEYLESS = frozenset(("MYISAM", "ARIA", "MEMORY", "CSV", "ARCHIVE", "BLACKHOLE", "MRG_MYISAM", ""))

# A database's name and a name in it.
Reference = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """A foreign key of a table, and the table that it refers to.

    `standard` says whether what it refers to is a unique key, as MySQL 8.4 demands.
    """

    table: str
    name: str
    refers_to: Reference
    standard: bool


def view_references(
    server: Server, database: str, views: Collection[str], *, interrupt: Interrupt
) -> Mapping[str, frozenset[Reference]]:
    """What each of these views refers to; this account may show them.

    Aliases of tables are among it with their columns, as a text tells them from databases only by
    their names.
    """
    rows = server.rows(
        "table_name, IFNULL(view_definition, '')",
        "FROM information_schema.views WHERE table_schema = DATABASE()",
        database=database,
        interrupt=interrupt,
    )
    texts = {view: text for view, text in rows if view in views}
    # Some servers of 8.0 show accounts with the right SHOW VIEW the text by this statement only.
    silent = [view for view, text in texts.items() if not text]
    for start in range(0, len(silent), _SHOWN_AT_ONCE):
        # Without a database of its own, so that the server writes it before the names.
        shown = server.script(
            ";".join(
                f"SHOW CREATE VIEW {identifier(database)}.{identifier(view)}"
                for view in silent[start : start + _SHOWN_AT_ONCE]
            ),
            options=("--force",),
            interrupt=interrupt,
        )
        texts |= {row[0]: row[1] for row in shown if len(row) > 1}
    return {
        view: frozenset(
            (found[1].replace("``", "`"), found[2].replace("``", "`"))
            for found in _NAME.finditer(text)
        )
        for view, text in texts.items()
    }


def keyed_tables(
    database: str,
    tables: Sequence[Table],
    known: Mapping[Reference, frozenset[Reference]] | None,
    databases: Collection[str],
) -> list[str]:
    """The tables of a dump whose foreign keys may refer to what is not in it.

    `known` is what InnoDB's tables refer to; without it that may be any table. `databases` are
    those of the dump.
    """
    bases = [table for table in tables if not table.is_view]
    if known is None:
        return [table.name for table in bases]
    kept = {table.name for table in bases}

    def is_met(reference: Reference) -> bool:
        schema, name = reference
        return schema in databases and (schema != database or name in kept)

    return [
        table.name
        for table in bases
        if not (table.engine == "InnoDB" or table.engine.upper() in _KEYLESS)
        or not all(map(is_met, known.get((database, table.name), ())))
    ]


def foreign_keys(
    server: Server, database: str, tables: Collection[str], *, interrupt: Interrupt
) -> list[ForeignKey]:
    """The foreign keys of these tables; before MySQL 8 a server opens tables to tell them."""
    if not tables:
        return []
    source = (
        "FROM information_schema.key_column_usage WHERE table_schema = DATABASE() "
        "AND referenced_table_name IS NOT NULL"
    )
    sources = [source]
    if len(tables) <= _KEYED_AT_ONCE:
        # By a name alone the server finds a table without opening the others.
        sources = [f"{source} AND table_name = {literal(name)}" for name in tables]
    listed = " UNION ALL ".join(f"SELECT * {one}" for one in sources)
    rows = server.rows(
        "table_name, constraint_name, referenced_table_schema, referenced_table_name, "
        "referenced_column_name",
        f"FROM ({listed}) AS used ORDER BY table_name, constraint_name, ordinal_position",
        database=database,
        interrupt=interrupt,
    )
    columns: dict[tuple[str, str, Reference], list[str]] = {}
    for table, name, schema, referenced, column in rows:
        if table in tables:
            columns.setdefault((table, name, (schema, referenced)), []).append(column)
    unique: Collection[tuple[Reference, frozenset[str]]] = ()
    if columns and server.flavour is Flavour.MYSQL:
        schemas = sorted({schema for _, _, (schema, _) in columns})
        unique = _unique_keys(server, schemas, interrupt=interrupt)
    return [
        ForeignKey(
            table=table,
            name=name,
            refers_to=reference,
            standard=server.flavour is Flavour.MARIADB or (reference, frozenset(listed)) in unique,
        )
        for (table, name, reference), listed in columns.items()
    ]


def needing(
    lacking: Collection[Reference],
    references: Mapping[Reference, Collection[Reference]],
) -> dict[Reference, Reference]:
    """The views that cannot be made without what is lacking, each with the first such thing.

    A view on such a view is one, too.
    """
    gone = set(lacking)
    found: dict[Reference, Reference] = {}
    while True:
        more = {
            view: min(set(needs) & gone)
            for view, needs in references.items()
            if view not in gone and set(needs) & gone
        }
        if not more:
            return found
        found |= more
        gone |= set(more)


def _unique_keys(
    server: Server, schemas: Sequence[str], *, interrupt: Interrupt
) -> frozenset[tuple[Reference, frozenset[str]]]:
    """The columns of each unique key, but for those that hold a part of a column only."""
    keys: dict[tuple[str, str, str], set[str]] = {}
    partial = set()
    for schema in schemas:
        rows = server.rows(
            "table_name, index_name, IFNULL(column_name, ''), IFNULL(sub_part, '')",
            "FROM information_schema.statistics WHERE table_schema = DATABASE() AND non_unique = 0",
            database=schema,
            interrupt=interrupt,
        )
        for table, index, column, part in rows:
            key = (schema, table, index)
            keys.setdefault(key, set()).add(column)
            if part:
                partial.add(key)
    return frozenset(
        ((schema, table), frozenset(columns))
        for (schema, table, index), columns in keys.items()
        if (schema, table, index) not in partial
    )
