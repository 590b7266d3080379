"""Counting what is in a database: whether it is empty, and its tables' rows."""

from collections.abc import Mapping

from dumpers.contract.connection import Connection
from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.restore.target import open_session
from dumpers.runtime.interrupt import Interrupt

# One argument holds at most 128 KiB, a quoted name with its schema at most 260 bytes twice.
_TABLES_PER_QUERY = 100
# Partitions hold the rows of their table.
_TABLES = (
    "SELECT n.nspname, c.relname, "
    "format('SELECT %L, %L, count(*) FROM ONLY %I.%I', n.nspname, c.relname, n.nspname, c.relname) "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' "
    "AND n.nspname <> 'information_schema' ORDER BY 1, 2"
)
# What an extension brought belongs to it; an empty database of a provider may well have some.
_FIRST = (
    "SELECT c.relkind, n.nspname, c.relname FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname NOT LIKE 'pg\\_%' "
    "AND n.nspname <> 'information_schema' AND NOT EXISTS "
    "(SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') LIMIT 1"
)


def first_object(session: Session, interrupt: Interrupt) -> str | None:
    """The name of a table, view or sequence that is there already; None in an empty database."""
    rows = session.ask(_FIRST, interrupt)
    return ".".join(rows[0][1:]) if rows else None


def count_rows(target: Connection, interrupt: Interrupt) -> Mapping[str, int]:
    """Count the rows of every table, by `database.schema.table`."""
    session = open_session(target, interrupt)
    queries = [query for _, _, query in session.ask(_TABLES, interrupt)]
    database = target.database
    return {
        f"{database}.{schema}.{table}": int(count)
        for start in range(0, len(queries), _TABLES_PER_QUERY)
        for schema, table, count in session.ask(
            " UNION ALL ".join(queries[start : start + _TABLES_PER_QUERY]), interrupt
        )
    }
