"""Who keeps pg_dump from a table."""

import json

from dumpers.engines.postgresql.clients import Session
from dumpers.runtime.interrupt import Interrupt

# Who waits for such a lock already has everybody else wait behind it. A prepared transaction has
# no session; what this account may not see of others' sessions is NULL.
_HOLDERS = """
SELECT coalesce(json_agg(q), '[]') FROM (
  SELECT format('%I.%I', n.nspname, c.relname) AS name, l.granted, p.gid, a.pid,
    a.usename AS who, a.application_name AS application, a.client_addr::text AS address, a.state,
    to_char(coalesce(p.prepared, a.xact_start) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS since
  FROM pg_locks l
  JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
  JOIN pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
  LEFT JOIN pg_prepared_xacts p ON l.virtualtransaction = '-1/' || p.transaction::text
  WHERE l.mode = 'AccessExclusiveLock' AND c.oid >= 16384
  ORDER BY l.granted DESC, coalesce(p.prepared, a.xact_start) LIMIT 5
) AS q"""
_CURE = (
    "end that session (SELECT pg_terminate_backend(PID)) or dump at another hour; "
    "pg-dump-options: --lock-wait-timeout=MILLISECONDS changes how long a dump waits"
)


def describe_holders(session: Session, interrupt: Interrupt) -> str:
    """Name the sessions that hold a table of the session's database, or wait to, and the cure."""
    found = json.loads(session.ask_text(_HOLDERS, interrupt))
    if not found:
        return f"by now nobody holds a table of it locked; {_CURE}"
    return "; ".join([*map(_describe, found), _CURE])


def _describe(lock: dict[str, object]) -> str:
    what = "is locked by" if lock["granted"] else "is about to be locked by"
    since = f" since {lock['since']} UTC" if lock["since"] else ""
    if lock["gid"]:
        return f"{lock['name']} {what} the prepared transaction {lock['gid']!r}{since}"
    details = [
        f"{word} {lock[key]}"
        for word, key in (
            *(("user", "who"), ("application", "application")),
            *(("from", "address"), ("which is", "state")),
        )
        if lock[key]
    ]
    return f"{lock['name']} {what} pid {lock['pid']} ({', '.join(details)}){since}"
