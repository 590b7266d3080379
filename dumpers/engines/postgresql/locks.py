"""Who keeps pg_dump from a table, a view or a sequence, and not waiting for them for ever."""

import contextlib
import json
import re
import secrets
import threading
import time
from dataclasses import replace
from typing import Self

from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.names import shown
from dumpers.runtime.errors import InterruptedRunError, KsnapshotError, SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader

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


class LockWatch:
    """Ends a pg_dump that waits for a lock for longer than `seconds`; a context manager.

    pg_dump limits the wait for its tables only, not that for views and sequences. So a thread looks
    at the server's sessions where the tool has written nothing for a while, and ends it by
    cancelling `interrupt`, through which it has to be read. `session` is for the tool: its name
    tells it from others. Without `seconds` nothing is watched.
    """

    def __init__(self, session: Session, *, seconds: float, interrupt: Interrupt) -> None:
        self.session = replace(session, application=f"ksnapshot {secrets.token_hex(4)}")
        self._asking = session
        self._seconds = seconds
        self._outer = interrupt
        self.interrupt = interrupt.child()
        self._wrote = time.monotonic()
        self._ended = threading.Event()
        self._holders = ""

    def __enter__(self) -> Self:
        if self._seconds:
            threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def watched(self, reader: Reader) -> Reader:
        """Return a reader that raises SourceFailedError with the lock's holders."""
        return _Watched(reader, self)

    def read(self, reader: Reader, size: int) -> bytes:
        """Read through."""
        try:
            data = reader.read(size)
        except InterruptedRunError:
            if not self._holders:
                raise
            raise SourceFailedError(
                f"{self._holders}: pg_dump of {self._asking.connection.database!r} has waited for "
                f"a lock for {self._seconds:g} s"
            ) from None
        self._wrote = time.monotonic()
        return data

    def _watch(self) -> None:
        while not self._ended.wait(self._seconds / 10):
            if time.monotonic() - self._wrote < self._seconds:
                continue
            with contextlib.suppress(KsnapshotError):
                if self._waits():
                    self._holders = describe_holders(self._asking, self._outer)
                    self.interrupt.cancel("a lock of the database")
                    return

    def _waits(self) -> bool:
        query = _WAITS.format(application=self.session.application, seconds=self._seconds)
        return self._asking.ask_text(query, self._outer) != "0"


class _Watched:
    def __init__(self, reader: Reader, watch: LockWatch) -> None:
        self._reader = reader
        self._watch = watch

    def read(self, size: int = -1, /) -> bytes:
        return self._watch.read(self._reader, size)
