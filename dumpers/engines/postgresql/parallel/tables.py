"""Asking which tables may be read by COPY of our own, which ones to lock, and what they are."""

# ruff: noqa: S608  constants, and texts that `patterns.literal` has quoted

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dumpers.engines.postgresql.catalog.scope import scope
from dumpers.engines.postgresql.catalog.server import Server
from dumpers.engines.postgresql.choice import Choice
from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.names import shown
from dumpers.engines.postgresql.parallel.plan import TableSize
from dumpers.runtime.interrupt import Interrupt

# Before it, a range of pages is found by reading all of them.
_RANGES_SINCE = 14
# All of the others are left to pg_dump, which has to be told the names of those that are taken.
_MOST_TABLES, _LEAST_BYTES = 2000, 1 << 16
# Of a statement.
_AT_A_TIME = 500
# Of a table whose statistics were never gathered.
_ROW_BYTES = 100
# pg_dump loads the partitions of these through their parent: where the numbers of an enumeration's
# values are others, so is a row's partition.
_UNSAFE = """
SELECT p.partrelid FROM pg_partitioned_table p WHERE EXISTS (
  SELECT FROM pg_opclass o JOIN pg_am a ON a.oid = o.opcmethod AND a.amname = 'hash'
  WHERE o.oid = ANY (p.partclass::oid[]) AND o.opcname = 'enum_ops')"""
_PAGES = """
SELECT r.relpages + coalesce(t.relpages, 0) AS pages,
  CASE WHEN r.relpages > 0 THEN 0 ELSE pg_stat_get_live_tuples(r.oid) END AS rows"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as it is in the snapshot: names as they are, and as SQL has them.

    `copied` are its columns that COPY reads, as SQL has them; `pages` are those of its own rows.
    """

    oid: int
    schema: str
    name: str
    owner: str
    quoted: str
    copied: str
    pages: int


def ask_sizes(
    session: Session, choice: Choice, server: Server, interrupt: Interrupt
) -> list[TableSize]:
    """The tables of the session's database that may be read by COPY, the largest; no lock waits."""
    can_cut = "a.amname = 'heap'" if server.major >= _RANGES_SINCE else "false"
    text = session.ask_text(
        f"""WITH RECURSIVE {_readable(choice, server)}
SELECT coalesce(json_agg(json_build_array(oid::bigint, size, can_cut)), '[]') FROM (
  SELECT r.oid, {can_cut} AS can_cut,
    p.pages * current_setting('block_size')::bigint + p.rows * {_ROW_BYTES} AS size
  FROM readable s JOIN pg_class r ON r.oid = s.oid LEFT JOIN pg_class t ON t.oid = r.reltoastrelid
  LEFT JOIN pg_am a ON a.oid = r.relam, LATERAL ({_PAGES}) AS p) AS q
WHERE size >= {_LEAST_BYTES}""",
        interrupt,
        role=choice.role,
    )
    found = [TableSize(oid=oid, size=size, can_cut=cut) for oid, size, cut in json.loads(text)]
    return sorted(found, key=lambda table: (-table.size, table.oid))[:_MOST_TABLES]


def lockable_query(choice: Choice, *, snapshot: str) -> str:
    """The query of the tables to lock, as SQL has them, and of the session that is asked, as JSON.

    As pg_dump does it: nobody can change or drop a locked table. `snapshot` is the SQL expression
    of what is to stand there as its name.
    """
    return f"""WITH RECURSIVE {scope(choice)}
SELECT json_build_object('pid', pg_backend_pid(), 'encoding', getdatabaseencoding(),
  'snapshot', {snapshot}, 'tables', (
    SELECT coalesce(json_agg(format('%I.%I', nspname, relname) ORDER BY oid), '[]') FROM scope
    WHERE relkind IN ('r', 'p') AND extension IS NULL))"""


def lock_statements(tables: Sequence[str]) -> list[str]:
    """The statements that lock tables, as SQL has them, many by each."""
    return [
        f"LOCK TABLE {', '.join(f'ONLY {table}' for table in tables[at : at + _AT_A_TIME])} "
        "IN ACCESS SHARE MODE"
        for at in range(0, len(tables), _AT_A_TIME)
    ]


def readable_query(choice: Choice, server: Server, oids: Collection[int]) -> str:
    """The query of those tables with these numbers that may be read by COPY, as JSON."""
    numbers = ", ".join(map(str, sorted(oids))) or "NULL"
    condition = f"c.oid IN ({numbers}) AND c.oid IN (SELECT oid FROM readable)"
    return f"WITH RECURSIVE {_readable(choice, server)} {tables_query(condition)}"


def tables_query(condition: str) -> str:
    """The query of those of pg_class, by its alias `c`, that a condition is true of, as JSON."""
    return f"""SELECT coalesce(json_agg(json_build_array(c.oid::bigint, n.nspname, c.relname,
  pg_get_userbyid(c.relowner), quote_ident(n.nspname) || '.' || quote_ident(c.relname),
  (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''),
  pg_relation_size(c.oid) / current_setting('block_size')::bigint)), '[]')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {condition}"""


def read_tables(text: str) -> list[Table]:
    """The tables in an answer to `tables_query`."""
    return [
        Table(
            oid=oid,
            schema=schema,
            name=name,
            owner=shown(owner),
            quoted=quoted,
            copied=copied,
            pages=pages,
        )
        for oid, schema, name, owner, quoted, copied, pages in json.loads(text)
    ]


def _readable(choice: Choice, server: Server) -> str:
    """Common table expressions as `scope`, and last `readable`: of what rows may be read by COPY.

    All else is pg_dump's.
    """
    kept = "('p', 'u')" if choice.unlogged_rows and not server.in_recovery else "('p')"
    return f"""{scope(choice)},
unsafe AS MATERIALIZED ({_UNSAFE}),
readable AS MATERIALIZED (
  SELECT s.oid FROM scope s JOIN pg_class r ON r.oid = s.oid
  WHERE s.relkind = 'r' AND s.extension IS NULL AND s.relpersistence IN {kept}
  AND s.oid NOT IN (SELECT oid FROM rowless)
  AND EXISTS (SELECT FROM pg_attribute c WHERE c.attrelid = s.oid AND c.attnum > 0
    AND NOT c.attisdropped AND c.attgenerated = '')
  AND NOT (r.relispartition AND EXISTS (
    SELECT FROM pg_partition_ancestors(s.oid) AS above(oid) JOIN unsafe u ON u.partrelid = above.oid
  ))
)"""
