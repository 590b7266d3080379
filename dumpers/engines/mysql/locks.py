"""Waiting for a lock in vain: who holds it, as far as the account may see that."""

import contextlib
import threading
import time
from collections.abc import Sequence
from typing import Self

from dumpers.engines.mysql.client import Server, literal
from dumpers.engines.mysql.errors import LOCK_WAIT_TIMEOUT, error_numbers
from dumpers.engines.mysql.programs import LOCK_WAIT_SECONDS, Flavour
from dumpers.runtime.errors import InterruptedRunError, KsnapshotError, SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader

_SHOWN = 5
_STATEMENT_SHOWN = 100
# How the statements of mariadb-dump begin.
_OF_THE_TOOL = r"^(show|lock tables|select /\*!40001|select `)"


class Patience:
    """Watches a dump tool for a lock that it waits for; a context manager.

    MySQL's tool is told how long to wait. MariaDB's cannot be told, so a thread looks at the
    server's sessions where the tool has written nothing for a while, and ends the tool by
    cancelling `interrupt`, through which it has to be read.
    """

    def __init__(self, server: Server, databases: Sequence[str], *, interrupt: Interrupt) -> None:
        self._server = server
        self._databases = databases
        self._outer = interrupt
        self.interrupt = interrupt.child()
        self._wrote = time.monotonic()
        self._ended = threading.Event()
        self._waited = ""
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        if self._server.flavour is Flavour.MARIADB:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def watched(self, reader: Reader) -> Reader:
        """Return a reader whose errors about locks name who may hold them."""
        return _Watched(reader, self)

    def read(self, reader: Reader, size: int) -> bytes:
        """Read through; raises SourceFailedError for a lock, and what the reader raises."""
        try:
            data = reader.read(size)
        except InterruptedRunError:
            if not self._waited:
                raise
            raise self._timeout(self._waited) from None
        except SourceFailedError as error:
            if LOCK_WAIT_TIMEOUT not in error_numbers(str(error)):
                raise
            raise self._timeout(str(error)) from error
        self._wrote = time.monotonic()
        return data

    def _timeout(self, said: str) -> KsnapshotError:
        return lock_timeout(self._server, self._databases[0], said, interrupt=self._outer)

    def _watch(self) -> None:
        while not self._ended.wait(LOCK_WAIT_SECONDS / 10):
            if time.monotonic() - self._wrote < LOCK_WAIT_SECONDS:
                continue
            with contextlib.suppress(KsnapshotError):
                self._waited = self._waiting()
            if self._waited:
                self.interrupt.cancel("a lock of the database")
                return

    def _waiting(self) -> str:
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
            interrupt=self._outer,
        )
        return rows[0][0] if rows else ""


class _Watched:
    def __init__(self, reader: Reader, patience: Patience) -> None:
        self._reader = reader
        self._patience = patience

    def read(self, size: int = -1, /) -> bytes:
        return self._patience.read(self._reader, size)


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
