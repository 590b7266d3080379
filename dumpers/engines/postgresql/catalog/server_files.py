"""What in a database reads files of its server, which no dump holds: dictionaries and libraries."""

# ruff: noqa: S608  constants only

from collections.abc import Mapping

from dumpers.engines.postgresql.catalog.scope import FIRST_OWN_OID

# Lists of stop words that come with every server.
_SHIPPED = (
    *("danish", "dutch", "english", "finnish", "french", "german", "hungarian", "italian"),
    *("nepali", "norwegian", "portuguese", "russian", "spanish", "swedish", "turkish"),
)
# The options of the server's own templates, and of those of extensions, that name a file.
_FILES = "dictfile|afffile|stopwords|synonyms|rules"


def file_lists() -> Mapping[str, str]:
    """Queries of such objects, each with the file that it reads; extensions bring their own."""
    shipped = ", ".join(f"'{name}'" for name in _SHIPPED)
    return {
        "dictionaries": f"""
SELECT format('%I.%I', kept.nspname, t.dictname) || ': ' || string_agg(DISTINCT f.f[2], ', ')
FROM pg_ts_dict t JOIN kept ON kept.oid = t.dictnamespace
LEFT JOIN member m ON m.classid = 'pg_ts_dict'::regclass AND m.objid = t.oid
CROSS JOIN regexp_matches(t.dictinitoption, '\\m({_FILES})\\s*=\\s*''([^'']+)''', 'gi') AS f(f)
WHERE m.objid IS NULL AND t.oid >= {FIRST_OWN_OID}
AND NOT (lower(f.f[1]) = 'stopwords' AND f.f[2] IN ({shipped}))
GROUP BY kept.nspname, t.dictname""",
        "libraries": f"""
SELECT p.oid::regprocedure::text || ': ' || p.probin FROM pg_proc p
JOIN kept ON kept.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
LEFT JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
WHERE l.lanname = 'c' AND m.objid IS NULL AND p.oid >= {FIRST_OWN_OID}""",
    }
