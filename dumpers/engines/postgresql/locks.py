"""Who keeps pg_dump from a table, a view or a sequence, and not waiting for them for ever."""

import json
import re
import secrets
from dataclasses import replace

from dumpers.engines.lock_watch import LockWatch
from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.names import shown
from dumpers.runtime.errors import KsnapshotError, SourceFailedError
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
_WAITS = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = '{application}' AND wait_event_type = 'Lock'
AND clock_timestamp() - query_start >= interval '{seconds} s'"""
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_TIME = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d)?\s*")
_CURE = (
    "end that session (SELECT pg_terminate_backend(PID)) or dump at another hour; "
    "pg-dump-options: --lock-wait-timeout=MILLISECONDS changes how long a dump waits"
)


def describe_holders(session: Session, interrupt: Interrupt) -> str:
    """Name the sessions that hold a table of the session's database, or wait to, and the cure."""
    found = json.loads(shown(session.ask_text(_HOLDERS, interrupt)))
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


def parse_timeout(text: str) -> float:
    """The seconds of a timeout as PostgreSQL writes it, milliseconds without a unit; 0 for none."""
    found = _TIME.fullmatch(text)
    return float(found[1]) * _UNITS[found[2] or "ms"] if found else 0.0


class Patience(LockWatch):
    """Ends a pg_dump that waits for a lock for longer than `seconds`; a context manager.

    pg_dump limits the wait for its tables only, not that for views and sequences. `session` is for
    the tool: its name tells it from others.
    """

    def __init__(self, session: Session, *, seconds: float, interrupt: Interrupt) -> None:
        super().__init__(seconds=seconds, interrupt=interrupt)
        self.session = replace(session, application=f"ksnapshot {secrets.token_hex(4)}")
        self._asking = session

    def find_wait(self) -> str:
        """Return who holds what the tool waits for; empty if it waits for nothing."""
        query = _WAITS.format(application=self.session.application, seconds=self.seconds)
        if self._asking.ask_text(query, self.outer) == "0":
            return ""
        return describe_holders(self._asking, self.outer)

    def explain(self, waited: str) -> KsnapshotError:
        """Return the error that names the lock's holders."""
        return SourceFailedError(
            f"{waited}: pg_dump of {self._asking.connection.database!r} has waited for a lock for "
            f"{self.seconds:g} s"
        )
