"""What the tools of PostgreSQL say when they fail: whether trying again may help, and the cure."""

import re

from dumpers.contract.connection import Connection
from dumpers.engines.login_hint import login_hint

# Texts of libpq, the tools and the server for which trying again cannot help. Texts, not SQLSTATEs:
# pg_dump, pg_restore and libpq's own connection errors never print one, and psql prints one only
# instead of the message (VERBOSITY=sqlstate) or together with the failed rows (verbose). A server
# may speak another language; an unknown text counts as passing, which costs a retry.
_REFUSALS = re.compile(
    r"password authentication failed|no password supplied|no pg_hba\.conf entry"
    r"|pg_hba\.conf rejects connection"
    r"|role \".*\" does not exist|database \".*\" does not exist|is not permitted to log in"
    r"|permission denied|does not accept connections to database|server version mismatch"
    r"|is not currently accepting connections|cannot connect to invalid database"
    r"|no matching (?:tables|schemas|extensions) were found|unrecognized option"
    r"|invalid option|row-level security policy|root certificate file"
    r"|certificate verify failed|does not match host name|server does not support SSL"
    r"|invalid sslmode value"
    r"|sslmode value .* invalid when SSL support is not compiled in"
    # Of a restore only.
    r"|already exists|must be owner of|must be superuser|unrecognized configuration parameter"
    r"|extension \".*\" is not available|syntax error|unsupported version|invalid command",
    re.IGNORECASE,
)
# A database that nobody asked for by name is left out for these, as it is closed to the account.
_CLOSED = re.compile(
    r"permission denied for database|no pg_hba\.conf entry|pg_hba\.conf rejects connection"
    r"|is not currently accepting connections|cannot connect to invalid database"
    r"|does not accept connections to database|too many connections for database",
    re.IGNORECASE,
)
# A server ends a connection by such an error. What it says of itself, or of the moment, is nothing
# about one of its databases.
_ENDED = re.compile(r"\bFATAL:\s+(?P<said>.*)")
_OF_THE_SERVER = re.compile(
    r"the database system is|terminating connection|too many (?:clients|connections for role)"
    r"|remaining connection slots|out of memory|could not fork|canceling|timeout|role \".*\" "
)
_LOGIN = re.compile(r"authentication failed|role \".*\" does not exist", re.IGNORECASE | re.DOTALL)
_CURES = {
    r"permission denied for (?:table|view|materialized view|sequence|schema|foreign table)": (
        "grant the account pg_read_all_data (13: USAGE on the schemas, SELECT on their tables and "
        "sequences), or leave it out by exclude-tables or exclude-schemas"
    ),
    r"permission denied for large object": (
        "dump as the large objects' owner or a superuser, grant SELECT ON LARGE OBJECT, or leave "
        "all of them out by pg-dump-options: --no-blobs"
    ),
    r"row-level security policy": (
        "dump as an account with BYPASSRLS; with pg-dump-options: --enable-row-security the dump "
        "has the rows that the account may see, and a note says so"
    ),
    r"conflict with recovery": (
        "the standby could not wait any longer for the dump: set hot_standby_feedback = on or a "
        "longer max_standby_streaming_delay there, or dump the primary"
    ),
    r"remaining connection slots are reserved|too many clients already|too many connections": (
        "the server has no connection left: raise max_connections, or dump at another hour"
    ),
}
_HINTS = tuple((re.compile(pattern, re.IGNORECASE), cure) for pattern, cure in _CURES.items())
# pg_dump limits nothing else than the wait for its tables' locks.
_LOCKED = re.compile(r"(?:statement|lock) timeout.*LOCK TABLE", re.IGNORECASE | re.DOTALL)
_LOCK_TIMEOUT = re.compile(r"lock timeout", re.IGNORECASE)
_GONE = re.compile(r"(?:relation|schema) \".*\" does not exist|is not a table")
# Of a session that takes on a snapshot which no session of its server holds.
_SNAPSHOT_LOST = re.compile(
    r"invalid snapshot identifier|snapshot \".*\" does not exist"
    r"|could not import the requested snapshot"
)


def is_final(said: str) -> bool:
    """Whether trying again cannot help."""
    return _REFUSALS.search(said) is not None


def is_closed(said: str) -> bool:
    """Whether a database is closed to this account, while the server itself is not."""
    return _CLOSED.search(said) is not None


def is_broken(said: str) -> bool:
    """Whether the server lets nobody into a database, for a reason that is the database's own.

    Its locale is gone, its folder is, or a library that its settings ask for.
    """
    ended = _ENDED.search(said)
    return ended is not None and _OF_THE_SERVER.search(ended["said"]) is None


def is_locked(said: str) -> bool:
    """Whether pg_dump gave up waiting for a lock on a table."""
    return _LOCKED.search(said) is not None


def is_lock_timeout(said: str) -> bool:
    """Whether a session of ours gave up waiting for a lock."""
    return _LOCK_TIMEOUT.search(said) is not None


def is_gone(said: str) -> bool:
    """Whether a session of ours asked for a table that has another name now, or is none."""
    return _GONE.search(said) is not None


def is_snapshot_lost(said: str) -> bool:
    """Whether a session could not take on a snapshot, as nobody there holds it."""
    return _SNAPSHOT_LOST.search(said) is not None


def cure(said: str, connection: Connection) -> str:
    """What to do about it, to be put behind a tool's own words; empty where nobody knows."""
    if _LOGIN.search(said):
        return login_hint(connection)
    return next((f" ({text})" for pattern, text in _HINTS if pattern.search(said)), "")
