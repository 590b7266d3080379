"""The relations that a choice stands for, as common table expressions for the survey's queries.

The rules are pg_dump's own: `selectDumpableNamespace`, `selectDumpableTable` and
`expand_table_name_patterns` in src/bin/pg_dump/pg_dump.c.
"""

# ruff: noqa: S608  constants, and texts that `patterns.literal` has quoted

from collections.abc import Sequence

from dumpers.engines.postgresql.catalog.patterns import Pattern, fits, literal, plain
from dumpers.engines.postgresql.choice import Choice, Tables

# What the first query of a session made by a user can be.
FIRST_OWN_OID = 16384
_SYSTEM = "({} LIKE 'pg\\_%' OR {} = 'information_schema')"


_VISIBLE = """LEFT JOIN (
    SELECT p.oid, row_number() OVER (PARTITION BY p.relname ORDER BY path.place) = 1 AS visible
    FROM pg_class p JOIN pg_namespace s ON s.oid = p.relnamespace JOIN path USING (nspname)
  ) v ON v.oid = c.oid"""


def full_name(alias: str) -> str:
    """The SQL expression of a relation's name with its schema, each quoted where it needs it."""
    return f"format('%I.%I', {alias}.nspname, {alias}.relname)"


def system(column: str) -> str:
    """The SQL condition that a schema is one of the server's own."""
    return _SYSTEM.format(column, column)


def scope(choice: Choice) -> str:
    """Common table expressions, to follow WITH RECURSIVE, of which the last is `scope`.

    `relation` holds all that can hold rows or be selected from; `member` what belongs to an
    extension; `unwanted` the relations that are left out by name, with their children; `kept` the
    schemas of which everything is dumped; `scope` the relations that are dumped, those of
    extensions among them, which pg_dump leaves to the extension. `path` are the schemas in which
    names without a schema are found.
    """
    tables = (choice.tables, choice.exclude_tables, choice.exclude_rows)
    patterns = [pattern for one in tables for pattern in one.with_children + one.alone]
    by_name = any(pattern.schema is None for pattern in patterns)
    return f"""
path AS (
  SELECT value::name AS nspname, place FROM json_array_elements_text(
    current_setting('ksnapshot.path')::json) WITH ORDINALITY AS p(value, place)
),
relation AS MATERIALIZED (
  SELECT c.oid, c.relkind, c.relpersistence, c.relispopulated, c.relnamespace, n.nspname,
    c.relname,
    {"coalesce(v.visible, false)" if by_name else "false"} AS visible
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  {_VISIBLE if by_name else ""}
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT {system("n.nspname")}
),
member AS MATERIALIZED (
  SELECT d.classid, d.objid, d.refobjid AS extension FROM pg_depend d
  WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
),
{_tree("named", choice.tables)},
{_tree("unwanted", choice.exclude_tables)},
{_tree("rowless", choice.exclude_rows)},
kept AS MATERIALIZED (
  SELECT n.oid, n.nspname FROM pg_namespace n
  WHERE NOT {system("n.nspname")} AND {"false" if choice.tables else "true"}
  AND ({_schemas(choice.schemas) if choice.schemas else "true"})
  AND NOT ({_schemas(choice.exclude_schemas)})
),
scope AS MATERIALIZED (
  SELECT r.*, m.extension FROM relation r
  LEFT JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = r.oid
  WHERE {_chosen(choice)} AND r.oid NOT IN (SELECT oid FROM unwanted)
)"""


def matches(choice: Choice) -> tuple[tuple[Pattern, ...], str]:
    """Return the annotations' and options' patterns, and a JSON list of whether each fits."""
    relations = [
        *(choice.tables.with_children + choice.tables.alone),
        *(choice.exclude_tables.with_children + choice.exclude_tables.alone),
    ]
    schemas = [*choice.schemas, *choice.exclude_schemas]
    conditions = [
        *(f"EXISTS (SELECT FROM relation WHERE {_relation(pattern)})" for pattern in relations),
        *(
            f"EXISTS (SELECT FROM pg_namespace n WHERE {_schemas((pattern,))})"
            for pattern in schemas
        ),
    ]
    # No list of arguments: a function has a hundred at most.
    return (*relations, *schemas), f"to_json(ARRAY[{', '.join(conditions)}]::boolean[])"


def servers(patterns: Sequence[Pattern], column: str) -> str:
    """The SQL condition that a foreign server is one of these."""
    return " OR ".join(fits(column, pattern.name) for pattern in patterns) or "false"


def _chosen(choice: Choice) -> str:
    if not choice.tables:
        return "r.relnamespace IN (SELECT oid FROM kept)"
    left_out = _schemas(choice.exclude_schemas).replace("n.nspname", "r.nspname")
    owned = (
        "SELECT d.objid FROM pg_depend d JOIN named ON named.oid = d.refobjid "
        "JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' "
        "WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass "
        "AND d.deptype IN ('a', 'i')"
    )
    return f"(r.oid IN (SELECT oid FROM named) OR r.oid IN ({owned})) AND NOT ({left_out})"


def _tree(name: str, tables: Tables) -> str:
    """The relations that fit, and the children of those that count with their children."""
    return f"""
{name}_roots AS (SELECT oid FROM relation WHERE {_any(tables.with_children)}),
{name}_all AS (
  SELECT oid FROM {name}_roots
  UNION SELECT i.inhrelid FROM pg_inherits i JOIN {name}_all a ON a.oid = i.inhparent
),
{name} AS MATERIALIZED (
  SELECT oid FROM {name}_all UNION SELECT oid FROM relation WHERE {_any(tables.alone)}
)"""


def _any(patterns: Sequence[Pattern]) -> str:
    """The condition that a relation fits one of these: all plain names of a schema are one list."""
    listed: dict[str | None, list[str]] = {}
    others = []
    for pattern in patterns:
        name = plain(pattern.name)
        if name is None:
            others.append(_relation(pattern))
        else:
            listed.setdefault(pattern.schema, []).append(literal(name))
    return (
        " OR ".join(
            [
                *(
                    f"(relname::text IN ({', '.join(names)}) AND {_where(schema)})"
                    for schema, names in listed.items()
                ),
                *others,
            ]
        )
        or "false"
    )


def _relation(pattern: Pattern) -> str:
    return f"({fits('relname', pattern.name)} AND {_where(pattern.schema)})"


def _where(schema: str | None) -> str:
    return "visible" if schema is None else fits("nspname", schema)


def _schemas(patterns: Sequence[Pattern]) -> str:
    return " OR ".join(fits("n.nspname", pattern.name) for pattern in patterns) or "false"
