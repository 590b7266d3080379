"""Waiting for a lock in vain: who holds it, as far as the account may see that."""

from collections.abc import Sequence

from dumpers.engines.lock_watch import LockWatch
from dumpers.engines.mysql.client import Server, literal
from dumpers.engines.mysql.errors import LOCK_WAIT_TIMEOUT, error_numbers
from dumpers.engines.mysql.programs import LOCK_WAIT_SECONDS, Flavour
from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.interrupt import Interrupt

_SHOWN = 5
_STATEMENT_SHOWN = 100
# How the statements of mariadb-dump begin.
_OF_THE_TOOL = r"^(show|lock tables|select /\*!40001|select `)"


class Patience(LockWatch):
    """Watches a dump tool for a lock that it waits for; a context manager.

    MySQL's tool is told how long to wait, and its error is explained. MariaDB's cannot be told.
    """

    def __init__(self, server: Server, databases: Sequence[str], *, interrupt: Interrupt) -> None:
        is_watched = server.flavour is Flavour.MARIADB
        super().__init__(seconds=LOCK_WAIT_SECONDS if is_watched else 0, interrupt=interrupt)
        self._server = server
        self._databases = databases

    def wait_in(self, said: str) -> str:
        """Return the error by which MySQL's tool gives up on a lock; empty for another one."""
        return said if LOCK_WAIT_TIMEOUT in error_numbers(said) else ""

    def explain(self, waited: str) -> KsnapshotError:
        """Return the error that names who may hold the lock."""
        return lock_timeout(self._server, self._databases[0], waited, interrupt=self.outer)

    def find_wait(self) -> str:
        """What a session of this dump's tool is waiting for; empty if for nothing.

        It is known by its account and database, and by what it asks: others of the account, such as
        those of an application with the same login, may wait for what they like.
        """
        databases = ", ".join(map(literal, self._databases))
        rows = self._server.rows(
            "state",
            "FROM information_schema.processlist WHERE state LIKE 'Waiting for % lock' "
            "AND user = SUBSTRING_INDEX(USER(), '@', 1) "
            f"AND db IN ({databases}) AND info REGEXP {literal(_OF_THE_TOOL)} "
            f"AND time >= {LOCK_WAIT_SECONDS} LIMIT 1",
            interrupt=self.outer,
        )
        return rows[0][0] if rows else ""


def lock_timeout(
    server: Server, database: str, said: str, *, interrupt: Interrupt
) -> KsnapshotError:
    """The error for a lock that was not given, with the sessions that may hold it."""
    holders = _holders(server, database, interrupt=interrupt)
    who = (
        f"it may be held by {'; '.join(holders)}"
        if holders
        else "this account sees nobody who may hold it: with the right PROCESS it would"
    )
    return server.errors.failed(
        f"somebody holds a lock in the database {database!r}, such as LOCK TABLES or ALTER TABLE, "
        f"and did not let go of it within {LOCK_WAIT_SECONDS} s ({said}): {who}; end that session "
        "or move the dump to another time"
    )


def _holders(server: Server, database: str, *, interrupt: Interrupt) -> list[str]:
    """The other sessions that use the database, those in their state for the longest first.

    Without the right PROCESS a server shows an account its own sessions only.
    """
    name = literal(database)
    quoted = literal(f"%`{database.replace('%', '')}`%")
    try:
        rows = server.rows(
            "id, CONCAT(user, '@', host), command, time, IFNULL(state, ''), "
            f"IFNULL(LEFT(info, {_STATEMENT_SHOWN}), '')",
            "FROM information_schema.processlist WHERE id <> CONNECTION_ID() "
            "AND IFNULL(info, '') NOT LIKE 'SELECT /*!40001 %' "
            f"AND (db = {name} OR info LIKE {quoted}) "
            f"AND command NOT IN ('Daemon', 'Binlog Dump') ORDER BY time DESC LIMIT {_SHOWN}",
            interrupt=interrupt,
        )
    except KsnapshotError:
        # The lock is what has to be told, whatever becomes of this question.
        return []
    return [
        f"session {number} of {who} ({command} for {seconds} s"
        + (f", {state}" if state else "")
        + (f": {statement}" if statement else "")
        + ")"
        for number, who, command, seconds, state, statement in rows
    ]
