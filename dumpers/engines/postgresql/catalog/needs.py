"""What the chosen objects need and the choice leaves out, as common table expressions."""

# ruff: noqa: S608  constants, and texts that `patterns.literal` has quoted

from collections.abc import Iterable

from dumpers.engines.postgresql.catalog.scope import FIRST_OWN_OID
from dumpers.engines.postgresql.choice import Choice

# Catalogs whose objects lie in a schema, with the column that says in which.
_IN_SCHEMAS = (
    *(("pg_proc", "pronamespace"), ("pg_type", "typnamespace"), ("pg_operator", "oprnamespace")),
    *(("pg_opclass", "opcnamespace"), ("pg_opfamily", "opfnamespace")),
    *(("pg_collation", "collnamespace"), ("pg_conversion", "connamespace")),
    *(("pg_ts_config", "cfgnamespace"), ("pg_ts_dict", "dictnamespace")),
    *(("pg_ts_parser", "prsnamespace"), ("pg_ts_template", "tmplnamespace")),
)
# Not the types of rows, which go with their relation, nor those of arrays.
_OWN_TYPES = (
    "AND (p.typrelid = 0 OR EXISTS "
    "(SELECT FROM pg_class c WHERE c.oid = p.typrelid AND c.relkind = 'c')) "
    "AND NOT EXISTS (SELECT FROM pg_type b WHERE b.typarray = p.oid)"
)
# Parts of a relation, with the column that says of which.
_PARTS = (
    *(("pg_rewrite", "ev_class"), ("pg_attrdef", "adrelid"), ("pg_constraint", "conrelid")),
    *(("pg_policy", "polrelid"), ("pg_statistic_ext", "stxrelid")),
)
# Objects in no schema, dumped where nothing is chosen.
_ELSEWHERE = (
    *("pg_extension", "pg_cast", "pg_event_trigger", "pg_language", "pg_foreign_data_wrapper"),
    *("pg_foreign_server", "pg_transform", "pg_am", "pg_publication"),
)


def needs(choice: Choice) -> str:
    """Common table expressions, to follow those of a scope: `lacking` and `wanting`.

    `lacking` are the objects that dumped ones depend on and that are in no extension; `wanting`
    are the extensions that dumped objects depend on, and those in a schema that is chosen, with
    the extensions that they require.
    """
    elsewhere = () if choice.is_partial else _ELSEWHERE
    return f"""
own AS MATERIALIZED (SELECT * FROM scope WHERE extension IS NULL),
dumped AS MATERIALIZED (
  SELECT 'pg_class'::regclass::oid AS classid, oid AS objid FROM own
  UNION ALL SELECT 'pg_class'::regclass, x.indexrelid
  FROM pg_index x JOIN own ON own.oid = x.indrelid
  UNION ALL SELECT 'pg_trigger'::regclass, t.oid
  FROM pg_trigger t JOIN own ON own.oid = t.tgrelid WHERE NOT t.tgisinternal
  {_union(_part(catalog, column) for catalog, column in _PARTS)}
  UNION ALL SELECT 'pg_type'::regclass, t.oid
  FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid JOIN own ON own.oid = c.oid
  UNION ALL SELECT 'pg_namespace'::regclass, oid FROM kept
  UNION ALL SELECT 'pg_class'::regclass, c.oid
  FROM pg_class c JOIN kept ON kept.oid = c.relnamespace WHERE c.relkind = 'c'
  {_union(_in_schema(catalog, column) for catalog, column in _IN_SCHEMAS)}
  {_union(f"SELECT '{catalog}'::regclass, oid FROM {catalog}" for catalog in elsewhere)}
),
edge AS (
  SELECT d.refclassid AS classid, d.refobjid AS objid
  FROM pg_depend d JOIN dumped s ON s.classid = d.classid AND s.objid = d.objid
  WHERE d.deptype <> 'e' AND d.refobjid >= {FIRST_OWN_OID}
  -- Most of all dependencies are those of a default and a constraint on their own table.
  AND NOT (d.deptype = 'a' AND d.classid IN ('pg_attrdef'::regclass, 'pg_constraint'::regclass))
  -- A sequence does without the column that owns it.
  AND NOT (d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
    AND d.objid IN (SELECT oid FROM own WHERE relkind = 'S'))
  -- No joins here: the planner takes these for a few rows, and would compare each with each.
  EXCEPT SELECT classid, objid FROM dumped
),
-- An array's type, a row's type and a rule belong to something that has a name. A partitioned
-- table belongs to the columns of its own key.
inner_of AS MATERIALIZED (
  SELECT classid, objid, refclassid, refobjid FROM pg_depend
  WHERE deptype = 'i' AND objid >= {FIRST_OWN_OID}
  AND NOT (classid = refclassid AND objid = refobjid)
),
upward AS (
  SELECT classid, objid FROM edge
  UNION SELECT i.refclassid, i.refobjid FROM upward u
  JOIN inner_of i ON i.classid = u.classid AND i.objid = u.objid
),
needed AS (
  SELECT DISTINCT
    CASE WHEN coalesce(x.indrelid, nullif(k.conrelid, 0), t.tgrelid) IS NULL
      THEN u.classid ELSE 'pg_class'::regclass::oid END AS classid,
    coalesce(x.indrelid, nullif(k.conrelid, 0), t.tgrelid, u.objid) AS objid
  FROM upward u
  LEFT JOIN pg_index x ON u.classid = 'pg_class'::regclass AND x.indexrelid = u.objid
  LEFT JOIN pg_constraint k ON u.classid = 'pg_constraint'::regclass AND k.oid = u.objid
  LEFT JOIN pg_trigger t ON u.classid = 'pg_trigger'::regclass AND t.oid = u.objid
  WHERE x.indexrelid IS NOT NULL OR NOT EXISTS (
    SELECT FROM inner_of i WHERE i.classid = u.classid AND i.objid = u.objid)
),
missing AS MATERIALIZED (
  SELECT n.classid, n.objid, m.extension FROM needed n
  LEFT JOIN dumped s ON s.classid = n.classid AND s.objid = n.objid
  LEFT JOIN member m ON m.classid = n.classid AND m.objid = n.objid
  WHERE s.objid IS NULL
),
wanting AS (
  SELECT extension AS oid FROM missing WHERE extension IS NOT NULL
  UNION SELECT objid FROM missing WHERE classid = 'pg_extension'::regclass
  UNION SELECT e.oid FROM pg_extension e JOIN kept ON kept.oid = e.extnamespace
  UNION SELECT d.refobjid FROM wanting w JOIN pg_depend d ON d.objid = w.oid
  AND d.classid = 'pg_extension'::regclass AND d.refclassid = 'pg_extension'::regclass
),
lacking AS (
  SELECT classid, objid FROM missing
  WHERE extension IS NULL AND classid <> 'pg_extension'::regclass
  UNION SELECT 'pg_namespace'::regclass, e.extnamespace
  FROM pg_extension e JOIN wanting ON wanting.oid = e.oid
  WHERE e.extnamespace >= {FIRST_OWN_OID} AND e.extnamespace NOT IN (SELECT oid FROM kept)
)"""


def _union(selects: Iterable[str]) -> str:
    return "".join(f"UNION ALL {select}\n" for select in selects)


def _part(catalog: str, column: str) -> str:
    return f"SELECT '{catalog}'::regclass, p.oid FROM {catalog} p JOIN own ON own.oid = p.{column}"


def _in_schema(catalog: str, column: str) -> str:
    return (
        f"SELECT '{catalog}'::regclass, p.oid FROM {catalog} p JOIN kept ON kept.oid = p.{column} "
        f"LEFT JOIN member m ON m.classid = '{catalog}'::regclass AND m.objid = p.oid "
        f"WHERE m.objid IS NULL {_OWN_TYPES if catalog == 'pg_type' else ''}"
    )
