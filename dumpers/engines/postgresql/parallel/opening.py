"""Getting ready to dump a database by several streams."""

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from dumpers.engines.parallelism.connection_limits import Limit, check_limits
from dumpers.engines.postgresql.catalog.server import Server
from dumpers.engines.postgresql.choice import Choice
from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.parallel.holding import Wanted
from dumpers.engines.postgresql.parallel.plan import deal_out
from dumpers.engines.postgresql.parallel.script import Form
from dumpers.engines.postgresql.parallel.seats import Seats
from dumpers.engines.postgresql.parallel.snapshot import Snapshot
from dumpers.engines.postgresql.parallel.streams import split_streams
from dumpers.engines.postgresql.parallel.tables import ask_sizes
from dumpers.engines.postgresql.restore.load import is_restricting
from dumpers.engines.postgresql.streams import DatabaseStream
from dumpers.engines.protocol import DumpStream
from dumpers.runtime.interrupt import Interrupt

# Some sessions of other accounts show no more than that they are there. Limits of roles and
# databases do not hold for superusers, nor do reserved connections.
_CONNECTIONS = """
SELECT json_build_object(
  'server', json_build_array(current_setting('max_connections')::int
    - CASE WHEN r.rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::int
      + coalesce(nullif(current_setting('reserved_connections', true), ''), '0')::int END,
    (SELECT count(*) FROM s)),
  'role', json_build_array(CASE WHEN NOT r.rolsuper THEN nullif(r.rolconnlimit, -1) END,
    (SELECT count(*) FROM s WHERE usesysid = r.oid)),
  'database', json_build_array(CASE WHEN NOT r.rolsuper THEN nullif(d.datconnlimit, -1) END,
    (SELECT count(*) FROM s WHERE datid = d.oid)))
FROM pg_roles r, pg_database d
WHERE r.rolname = session_user AND d.datname = current_database()"""
_SESSIONS = """
WITH s AS MATERIALIZED (SELECT datid, usesysid FROM pg_stat_activity
  WHERE datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend')"""
_CURES = {
    "server": "raise max_connections",
    "role": "ALTER ROLE … CONNECTION LIMIT",
    "database": "ALTER DATABASE … CONNECTION LIMIT",
}
# A database has three sections by pg_dump. While the last streams of one are read, those of the
# next one begin.
_SECTIONS, _AT_A_TIME = 3, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """How databases are read by several streams: `count` of them at a time.

    `choices` are what pg_dump is told to take of each.
    """

    count: int
    choices: Sequence[Choice]
    server: Server
    quotes_all: bool


def seats_for(sessions: Sequence[int]) -> int:
    """How many sessions the snapshots of a run get, by how many each one has; pure."""
    return sum(sorted(sessions)[-_AT_A_TIME:])


def check_connections(
    session: Session, lanes: int, *, sessions: Sequence[int], interrupt: Interrupt
) -> None:
    """Raise SourceFailedError where the server has too few connections left for so many lanes.

    SourceRefusedError where it never has as many. `sessions` are how many each snapshot has.
    """
    # Each lane may run a pg_dump while the snapshots' sessions are there, and one more asks.
    wanted = seats_for(sessions) + min(lanes, _SECTIONS * len(sessions)) + 1
    found = json.loads(session.ask_text(f"{_SESSIONS}{_CONNECTIONS}", interrupt))
    limits = [
        Limit(whose=whose, most=most, used=used, cure=_CURES[whose])
        for whose, (most, used) in found.items()
        if most is not None
    ]
    check_limits(limits, lanes=lanes, wanted=wanted)


@contextmanager
def open_parallel(
    session: Session, databases: Sequence[DatabaseStream], lanes: Lanes, interrupt: Interrupt
) -> Iterator[list[DumpStream]]:
    """The streams of all databases, in their order; no snapshot is taken yet.

    Leaving the context ends all sessions of the streams. Raises as check_connections does.
    """
    dealt = [
        deal_out(ask_sizes(whole.session, choice, lanes.server, interrupt), lanes=lanes.count)
        for whole, choice in zip(databases, lanes.choices, strict=True)
    ]
    counts = [min(lanes.count, len(shares)) for shares in dealt]
    sessions = [count + 1 for count in counts]
    check_connections(session, lanes.count, sessions=sessions, interrupt=interrupt)
    token = secrets.token_hex(16) if is_restricting(session, interrupt) else ""
    seats = Seats(free=seats_for(sessions))
    with ExitStack() as opened:
        streams: list[DumpStream] = []
        for place, (whole, choice, shares, count) in enumerate(
            zip(databases, lanes.choices, dealt, counts, strict=True)
        ):
            wanted = Wanted(
                session=whole.session,
                choice=choice,
                server=lanes.server,
                oids={piece.oid for share in shares for piece in share.pieces},
                lock_seconds=whole.lock_seconds,
                encoding=whole.encoding,
                quotes_all=lanes.quotes_all,
            )
            snapshot = Snapshot(
                wanted=wanted, lanes=count, uses=len(shares) + _SECTIONS, seats=seats
            )
            opened.callback(snapshot.close)
            form = Form(
                version=lanes.server.version,
                encoding=whole.encoding,
                row_security=choice.row_security,
                token=token,
            )
            begins = place * (_SECTIONS + 1)
            streams += split_streams(whole, snapshot, shares, form, begins=begins)
        yield streams
