"""What the chosen objects need and the choice leaves out, as common table expressions."""

# ruff: noqa: S608  constants, and texts that `patterns.literal` has quoted

from collections.abc import Sequence

from dumpers.engines.postgresql.catalog.scope import FIRST_OWN_OID
from dumpers.engines.postgresql.choice import Choice

# Not the types of rows, which go with their relation, nor those of arrays.
_OWN_TYPES = (
    "(p.typrelid = 0 OR EXISTS "
    "(SELECT FROM pg_class c WHERE c.oid = p.typrelid AND c.relkind = 'c')) "
    "AND NOT EXISTS (SELECT FROM pg_type b WHERE b.oid = p.typelem AND b.typarray = p.oid)"
)
# Catalogs whose objects lie in a schema, with the column that says in which, and those that do.
_IN_SCHEMAS = (
    ("pg_class", "relnamespace", "p.relkind = 'c'"),
    ("pg_type", "typnamespace", _OWN_TYPES),
    *(
        (catalog, column, "true")
        for catalog, column in (
            *(("pg_proc", "pronamespace"), ("pg_operator", "oprnamespace")),
            *(("pg_opclass", "opcnamespace"), ("pg_opfamily", "opfnamespace")),
            *(("pg_collation", "collnamespace"), ("pg_conversion", "connamespace")),
            *(("pg_ts_config", "cfgnamespace"), ("pg_ts_dict", "dictnamespace")),
            *(("pg_ts_parser", "prsnamespace"), ("pg_ts_template", "tmplnamespace")),
        )
    ),
)
# Parts of a relation, with the column that says of which, and those that are dumped.
_PARTS = (
    ("pg_trigger", "tgrelid", "NOT p.tgisinternal"),
    *(
        (catalog, column, "true")
        for catalog, column in (
            *(("pg_rewrite", "ev_class"), ("pg_attrdef", "adrelid"), ("pg_type", "typrelid")),
            *(("pg_constraint", "conrelid"), ("pg_policy", "polrelid")),
            ("pg_statistic_ext", "stxrelid"),
        )
    ),
)
# Objects in no schema, dumped where nothing is chosen.
_ELSEWHERE = (
    *("pg_extension", "pg_cast", "pg_event_trigger", "pg_language", "pg_foreign_data_wrapper"),
    *("pg_foreign_server", "pg_transform", "pg_am", "pg_publication"),
)

# What the object `u` is an inner part of, found by an index: there may be very many that are.
_INNER_OF = f"""CROSS JOIN LATERAL (
  SELECT d.refclassid, d.refobjid FROM pg_depend d
  WHERE d.classid = u.classid AND d.objid = u.objid AND d.deptype = 'i'
  AND d.objid >= {FIRST_OWN_OID} AND NOT (d.classid = d.refclassid AND d.objid = d.refobjid)
  OFFSET 0
) AS i"""


def needs(choice: Choice) -> str:
    """Common table expressions, to follow those of a scope: `lacking` and `wanting`.

    `lacking` are the objects that dumped ones depend on and that are in no extension; `wanting`
    are the extensions that dumped objects depend on, and those in a schema that is chosen, with
    the extensions that they require.
    """
    elsewhere = () if choice.is_partial else _ELSEWHERE
    return f"""
own AS MATERIALIZED (SELECT * FROM scope WHERE extension IS NULL),
-- Nearly all dependencies are those of a part on its own whole, or on something that is dumped:
-- without them few are left, of which the rest may be asked one by one.
link AS MATERIALIZED (
  SELECT d.classid, d.objid, d.refclassid, d.refobjid FROM pg_depend d
  WHERE d.refobjid >= {FIRST_OWN_OID} AND d.deptype <> 'e'
  AND NOT (d.deptype = 'a' AND d.classid IN ('pg_attrdef'::regclass, 'pg_constraint'::regclass))
  -- Of all inner parts, only a multirange may lie in another schema than its whole.
  AND (d.deptype <> 'i' OR d.classid = 'pg_type'::regclass
    AND d.refclassid = 'pg_type'::regclass AND d.refobjid IN (SELECT rngtypid FROM pg_range))
  -- An equation, of which the planner expects few rows: by many it would clear much memory.
  AND (CASE
    WHEN d.refclassid = 'pg_namespace'::regclass THEN d.classid <> 'pg_class'::regclass
    WHEN d.refclassid = 'pg_class'::regclass THEN d.refobjid NOT IN (SELECT oid FROM own)
      -- An index depends on its own table, and a sequence does without the column that owns it.
      AND (d.classid <> 'pg_class'::regclass
        OR d.objid IN (SELECT oid FROM own WHERE relkind <> 'S'))
    ELSE true END)::int = 1
),
-- An array's type, a row's type and a rule belong to something that has a name. A partitioned
-- table belongs to the columns of its own key.
above AS (
  SELECT refclassid AS classid, refobjid AS objid FROM link
  UNION SELECT i.refclassid, i.refobjid FROM above u {_INNER_OF}
),
inner_of AS MATERIALIZED (
  SELECT u.classid, u.objid, i.refclassid, i.refobjid FROM above u {_INNER_OF}
),
place AS MATERIALIZED (
  SELECT t.classid, t.objid,
    CASE t.classid
      WHEN 'pg_class'::regclass THEN coalesce(
        (SELECT p.indrelid FROM pg_index p WHERE p.indexrelid = t.objid), t.objid)
      {_cases(_PARTS)} END AS relation,
    CASE t.classid
      WHEN 'pg_namespace'::regclass THEN t.objid
      {_cases(_IN_SCHEMAS)} END AS schema
  FROM (SELECT classid, objid FROM link UNION SELECT classid, objid FROM above) AS t
),
dumped AS MATERIALIZED (
  SELECT 'pg_class'::regclass::oid AS classid, oid AS objid FROM own
  UNION ALL SELECT 'pg_namespace'::regclass, oid FROM kept
  UNION ALL SELECT classid, objid FROM place
  WHERE relation IN (SELECT oid FROM own) OR classid = ANY ('{{{",".join(elsewhere)}}}'::regclass[])
  OR (schema IN (SELECT oid FROM kept) AND (
    classid IN ('pg_namespace'::regclass, 'pg_class'::regclass)
    OR (classid, objid) NOT IN (SELECT classid, objid FROM member)))
),
edge AS (
  SELECT d.refclassid AS classid, d.refobjid AS objid
  FROM link d JOIN dumped s ON s.classid = d.classid AND s.objid = d.objid
  UNION SELECT 'pg_namespace'::regclass, relnamespace FROM own
  WHERE relnamespace >= {FIRST_OWN_OID}
  -- No joins here: the planner takes these for a few rows, and would compare each with each.
  EXCEPT SELECT classid, objid FROM dumped
),
upward AS (
  SELECT classid, objid FROM edge
  UNION SELECT i.refclassid, i.refobjid FROM upward u
  JOIN inner_of i ON i.classid = u.classid AND i.objid = u.objid
),
needed AS (
  SELECT DISTINCT
    CASE WHEN u.relid IS NULL THEN u.classid ELSE 'pg_class'::regclass::oid END AS classid,
    coalesce(u.relid, u.objid) AS objid
  FROM (
    SELECT classid, objid, CASE classid
      WHEN 'pg_class'::regclass THEN (SELECT indrelid FROM pg_index WHERE indexrelid = objid)
      WHEN 'pg_constraint'::regclass THEN
        (SELECT nullif(conrelid, 0) FROM pg_constraint p WHERE p.oid = objid)
      WHEN 'pg_trigger'::regclass THEN (SELECT tgrelid FROM pg_trigger p WHERE p.oid = objid)
      END AS relid
    FROM upward
  ) AS u
  WHERE (u.classid = 'pg_class'::regclass AND u.relid IS NOT NULL) OR NOT EXISTS (
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


def _cases(columns: Sequence[tuple[str, str, str]]) -> str:
    return "\n".join(
        f"WHEN '{catalog}'::regclass THEN "
        f"(SELECT p.{column} FROM {catalog} p WHERE p.oid = t.objid AND {condition})"
        for catalog, column, condition in columns
    )
