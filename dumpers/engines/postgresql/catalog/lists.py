"""What pg_dump leaves out, hides or alters by its own rules: one query for each list of names."""

# ruff: noqa: S608  constants, and texts that `patterns.literal` has quoted

from collections.abc import Mapping

from dumpers.engines.postgresql.catalog.needs import needs
from dumpers.engines.postgresql.catalog.scope import (
    FIRST_OWN_OID,
    full_name,
    matches,
    scope,
    servers,
)
from dumpers.engines.postgresql.catalog.server import Server
from dumpers.engines.postgresql.catalog.server_files import file_lists
from dumpers.engines.postgresql.choice import Choice

# From this major on, the server itself looks up names in pg_catalog only, while it makes an index
# or fills a materialized view.
SAFE_PATH_SINCE = 17

_NAME = full_name("scope")
_OWN_ROWS = "scope.extension IS NULL AND scope.oid NOT IN (SELECT oid FROM rowless)"
_LARGE_OBJECT = """
pg_has_role(l.lomowner, 'USAGE') OR EXISTS (
  SELECT FROM aclexplode(l.lomacl) a WHERE a.privilege_type = 'SELECT'
  AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))"""
# A dump may call these while it loads: a generated column, a check and a partition's bounds when
# rows come in, an index and a materialized view when they are made. To 14 a generated column
# depends on them itself, later its expression does.
_CALLED = """
SELECT 'pg_attrdef'::regclass AS classid, f.oid FROM pg_attrdef f
JOIN scope ON scope.oid = f.adrelid
JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum AND a.attgenerated <> ''
UNION ALL SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint k
LEFT JOIN scope ON scope.oid = k.conrelid
WHERE k.contype = 'c' AND (scope.oid IS NOT NULL OR k.contypid <> 0)
UNION ALL SELECT 'pg_class'::regclass, oid FROM scope WHERE relkind IN ('r', 'p')"""
_CALLED_BY_MAINTENANCE = """
UNION ALL SELECT 'pg_class'::regclass, x.indexrelid
FROM pg_index x JOIN scope ON scope.oid = x.indrelid
UNION ALL SELECT 'pg_rewrite'::regclass, w.oid
FROM pg_rewrite w JOIN scope ON scope.oid = w.ev_class
WHERE EXISTS (SELECT FROM scope m WHERE m.relkind = 'm' AND m.relispopulated)"""

# Schemas of the server's own, of which pg_dump takes nothing.
_CATALOGS = "('pg_catalog', 'information_schema')"
_IN_CATALOGS = " UNION ALL ".join(
    f"SELECT {name} FROM {catalog} o JOIN pg_namespace n ON n.oid = o.{schema} "
    f"AND n.nspname IN {_CATALOGS} LEFT JOIN member m ON m.classid = '{catalog}'::regclass "
    f"AND m.objid = o.oid WHERE o.oid >= {FIRST_OWN_OID} AND m.objid IS NULL {own}"
    for catalog, schema, name, own in (
        (
            "pg_class",
            "relnamespace",
            "format('%I.%I', n.nspname, o.relname)",
            "AND o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')",
        ),
        ("pg_proc", "pronamespace", "o.oid::regprocedure::text", ""),
        ("pg_operator", "oprnamespace", "o.oid::regoperator::text", ""),
        (
            "pg_type",
            "typnamespace",
            "format('%I.%I', n.nspname, o.typname)",
            "AND o.typtype IN ('b', 'd', 'e', 'r') AND o.typcategory <> 'A'",
        ),
    )
)
_IN_CATALOGS_OF_EXTENSIONS = f"""
UNION ALL SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname IN {_CATALOGS}
JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
WHERE c.relkind = 'r' AND NOT EXISTS (
  SELECT FROM pg_extension e WHERE e.oid = m.extension AND c.oid = ANY (e.extconfig))"""


def survey_query(choice: Choice, server: Server) -> str:
    """The query of a survey, whose only row is a JSON object with the members of `_lists`.

    `matched` says of every pattern of the choice, in `matches`' order, whether it fits anything.
    """
    _, matched = matches(choice)
    tables = [scope(choice)]
    if choice.has_limits:
        tables.append(needs(choice))
    members = [f"'matched', {matched}"]
    members += [
        f"'{name}', (SELECT coalesce(json_agg(q.item ORDER BY q.item::text), '[]') "
        f"FROM ({query}) AS q(item))"
        for name, query in _lists(choice, server).items()
    ]
    return f"WITH RECURSIVE {','.join(tables)} SELECT json_build_object({','.join(members)})"


def _lists(choice: Choice, server: Server) -> Mapping[str, str]:
    lists = {"extensions": "SELECT json_build_array(extname, extversion) FROM pg_extension"}
    if choice.rows:
        lists |= _rows(choice, server)
    if choice.definitions:
        lists |= _definitions(choice, server)
    if choice.has_limits:
        lists |= _limits(choice)
    return lists


def _rows(choice: Choice, server: Server) -> Mapping[str, str]:
    """Rows that are in no dump, or not as they are read otherwise."""
    lists = {
        "foreign": f"""
SELECT {full_name("scope")} FROM scope JOIN pg_foreign_table f ON f.ftrelid = scope.oid
JOIN pg_foreign_server v ON v.oid = f.ftserver
WHERE {_OWN_ROWS} AND NOT ({servers(choice.foreign_servers, "v.srvname")})""",
        "of_extensions": f"""
SELECT {full_name("scope")} FROM scope
WHERE relkind = 'r' AND extension IS NOT NULL AND NOT EXISTS (
  SELECT FROM pg_extension e WHERE e.oid = extension AND scope.oid = ANY (e.extconfig))"""
        + ("" if choice.is_partial else _IN_CATALOGS_OF_EXTENSIONS),
        "computed": f"""
SELECT {full_name("scope")} FROM scope
WHERE relkind = 'm' AND relispopulated AND extension IS NULL""",
        # Few types, and no index that finds their columns: this one scan is all that it takes, and
        # comparing with a few values takes a tenth of what joining does. By OFFSET, the scan reads
        # no more of a row than its type.
        "money": f"""
SELECT {full_name("scope")} || '.' || quote_ident(a.attname)
FROM (
  SELECT attrelid, attname, attnum, attisdropped FROM pg_attribute
  WHERE atttypid = ANY (ARRAY(
    SELECT oid FROM pg_type WHERE 'money'::regtype IN (oid, typbasetype, typelem)))
  OFFSET 0) a JOIN scope ON scope.oid = a.attrelid
WHERE a.attnum > 0 AND NOT a.attisdropped AND relkind IN ('r', 'p') AND {_OWN_ROWS}""",
        "money_as": "SELECT current_setting('lc_monetary')",
        "subscribed": f"""
SELECT DISTINCT {full_name("scope")}
FROM pg_subscription_rel r JOIN scope ON scope.oid = r.srrelid""",
        "half_copied": f"""
SELECT DISTINCT {full_name("scope")}
FROM pg_subscription_rel r JOIN scope ON scope.oid = r.srrelid WHERE r.srsubstate <> 'r'""",
        "damage_hidden": "SELECT name FROM pg_settings WHERE setting = 'on' "
        "AND name IN ('zero_damaged_pages', 'ignore_checksum_failure')",
        "prepared": "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()",
        "functions": f"""
SELECT DISTINCT json_build_array(n.nspname, p.oid::regprocedure::text)::text
FROM ({_CALLED}{_CALLED_BY_MAINTENANCE if server.major < SAFE_PATH_SINCE else ""}) AS called
JOIN pg_depend d ON d.classid = called.classid AND d.objid = called.oid
AND d.refclassid = 'pg_proc'::regclass AND d.refobjid >= {FIRST_OWN_OID}
JOIN pg_proc p ON p.oid = d.refobjid JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE p.oid >= {FIRST_OWN_OID} AND l.lanname NOT IN ('internal', 'c')
AND to_jsonb(p) ->> 'prosqlbody' IS NULL
AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS s(s) WHERE s.s LIKE 'search\\_path=%')
AND EXISTS (
  SELECT FROM regexp_matches(p.prosrc, '(?<![.\\w])"?([A-Za-z_]\\w*)', 'g') AS word(found)
  WHERE EXISTS (SELECT FROM relation WHERE relname = lower(found[1]))
  OR EXISTS (SELECT FROM pg_proc o WHERE o.proname = lower(found[1]) AND o.oid >= {FIRST_OWN_OID})
  OR EXISTS (SELECT FROM pg_type t WHERE t.typname = lower(found[1]) AND t.oid >= {FIRST_OWN_OID})
)""",
    }
    if not server.is_superuser or choice.role:
        # From 18 on pg_dump may leave out the state of such a sequence without a word.
        lists["shut_sequences"] = f"""
SELECT {full_name("scope")} FROM scope
WHERE relkind = 'S' AND {_OWN_ROWS} AND NOT has_table_privilege(scope.oid, 'SELECT')"""
    if server.in_recovery and choice.unlogged_rows:
        lists["unlogged"] = f"""
SELECT {full_name("scope")} FROM scope
WHERE relpersistence = 'u' AND relkind IN ('r', 'S') AND {_OWN_ROWS}
AND NOT EXISTS (
  SELECT FROM pg_depend d JOIN unwanted ON unwanted.oid = d.refobjid
  WHERE d.classid = 'pg_class'::regclass AND d.objid = scope.oid AND d.deptype = 'i')"""
    if choice.row_security:
        lists["row_security"] = f"""
SELECT {full_name("scope")}
FROM scope WHERE relkind IN ('r', 'p') AND row_security_active(scope.oid)
AND {_OWN_ROWS}"""
    if choice.is_partial and not choice.large_objects:
        lists["large_objects"] = f"""
SELECT CASE WHEN l.is_readable THEN 'readable' ELSE '' END FROM (
  SELECT {server.is_superuser} OR current_setting('lo_compat_privileges') = 'on'
    OR bool_and({_LARGE_OBJECT}) AS is_readable, count(*) AS count
  FROM pg_largeobject_metadata l) AS l WHERE l.count > 0"""
        lists["large_object_columns"] = f"""
SELECT {full_name("scope")} || '.' || a.attname
FROM scope JOIN pg_attribute a ON a.attrelid = scope.oid
JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attnum > 0 AND NOT a.attisdropped AND relkind IN ('r', 'p') AND extension IS NULL
AND 'oid'::regtype IN (t.oid, t.typbasetype)
AND EXISTS (SELECT FROM pg_largeobject_metadata)"""
    return lists


def _definitions(choice: Choice, server: Server) -> Mapping[str, str]:
    """Objects that pg_dump leaves out, or that this account cannot read whole."""
    lists = {
        "invalid_indexes": """
SELECT format('%I.%I', s.nspname, i.relname) FROM pg_index x
JOIN scope s ON s.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE NOT x.indisvalid AND i.relkind = 'i' AND s.extension IS NULL""",
        "unchecked_keys": f"""
SELECT DISTINCT {full_name("s")} || '.' || quote_ident(k.conname) FROM pg_trigger t
JOIN scope s ON s.oid = t.tgrelid JOIN pg_constraint k ON k.oid = t.tgconstraint
WHERE t.tgisinternal AND t.tgenabled IN ('D', 'R') AND k.contype = 'f'
AND s.oid = k.conrelid AND s.extension IS NULL""",
        **file_lists(),
    }
    if choice.is_partial:
        return lists
    lists["in_catalogs"] = _IN_CATALOGS
    if choice.subscriptions:
        lists["subscriptions"] = """
SELECT s.subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
WHERE d.datname = current_database()"""
    if not server.is_superuser:
        lists["user_mappings"] = """
SELECT format('%I for %I', srvname, usename) FROM pg_user_mappings WHERE umoptions IS NULL"""
    return lists


def _limits(choice: Choice) -> Mapping[str, str]:
    """What a choice leaves out although it belongs to what is chosen."""
    return {
        "children": _children("named", choice.tables.with_children),
        "unwanted_children": _children("unwanted", choice.exclude_tables.with_children),
        "lost_children": f"""
SELECT {full_name("r")} FROM scope s JOIN pg_inherits i ON i.inhparent = s.oid
JOIN relation r ON r.oid = i.inhrelid
WHERE r.oid NOT IN (SELECT oid FROM scope) AND r.oid NOT IN (SELECT oid FROM unwanted)"""
        + ("" if choice.is_partial else " AND false"),
        "wanting": "SELECT e.extname FROM pg_extension e JOIN wanting ON wanting.oid = e.oid",
        "lacking": """
SELECT format('%s %s', i.type, i.identity) FROM lacking,
pg_identify_object(lacking.classid, lacking.objid, 0) AS i""",
        "lacking_sequences": """
SELECT json_build_array(r.nspname, r.relname) FROM lacking JOIN relation r ON r.oid = objid
WHERE classid = 'pg_class'::regclass AND r.relkind = 'S'""",
    }


def _children(name: str, roots: object) -> str:
    if not roots:
        return "SELECT NULL::json WHERE false"
    return f"""
SELECT json_build_array(r.nspname, r.relname) FROM relation r JOIN {name}_all a ON a.oid = r.oid
WHERE r.oid NOT IN (SELECT oid FROM {name}_roots)"""
