"""Reading from system.query_log how the queries of a dump ended, and how many rows each gave."""

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.server.errors import read_error, shorten
from dumpers.engines.clickhouse.server.sql import literal
from dumpers.runtime.errors import SourceFailedError, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt

# The log is written every 7.5 s by default.
_LOG_SECONDS, _NEW_LOG_SECONDS, _LOG_PAUSE_SECONDS = 60.0, 15.0, 0.5
_LOG_IS_THERE = "SELECT name FROM system.tables WHERE database = 'system' AND name = 'query_log'"
# Of the log's types 1 says that a query began, 2 that it ended well, others that it did not.
_ENDED_WELL = 2
_ASKED_AT_ONCE = 1000
# Newer releases ask at the end of every query whether it was killed (`finalizeExecution` of their
# PipelineExecutor). In which the asking began was not tried: this is later rather than earlier.
_FIRST_LOGGING_ALL_KILLS = 21
_CURE = (
    "have the server keep it and let this account read it, or let the rows counted before and "
    "after do, by the annotation min-proof"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query that a server was given; `where` names its table and place, for messages."""

    server: Server
    id: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _QueryResult:
    rows: int
    error: str


def logs_killed_queries(release: str) -> bool:
    """Whether a server of this release logs every query that was cut short as failed.

    Older ones do not always: while a query waits for its own threads, being killed, or the server's
    being stopped, looks like its end.
    """
    major = release.partition(".")[0]
    return major.isdecimal() and int(major) >= _FIRST_LOGGING_ALL_KILLS


class NoResultError(SourceFailedError):
    """The log has no result of a query, which may have ended well."""


class QueryLog:
    """The results of a dump's queries as query_log has them, read once a server; thread-safe.

    If the log is not `needed`, a missing log is not waited for. A dump's streams share the log, so
    each call waits through the caller's own interrupt.
    """

    def __init__(self, *, needed: bool) -> None:
        self._needed = needed
        self._lock = threading.Lock()
        self._begun: dict[str, dict[str, Query]] = {}
        self._known: dict[str, _QueryResult] = {}
        self._silent: set[str] = set()

    def check(self, server: Server, interrupt: Interrupt) -> None:
        """Raise SourceRefusedError unless the server keeps a log that the account may read."""
        ends = time.monotonic() + _NEW_LOG_SECONDS
        # The log is made with the first query that is logged, which may be one of this dump.
        while not _is_there(server, interrupt):
            if time.monotonic() > ends:
                raise SourceRefusedError(
                    f"{server.answering} keeps no query_log, which proves dumps whole: {_CURE}"
                )
            interrupt.sleep(_LOG_PAUSE_SECONDS)
        try:
            server.rows("SELECT query_id FROM system.query_log LIMIT 0", interrupt)
        except SourceRefusedError as error:
            raise SourceRefusedError(
                f"the query_log proves dumps whole: {error}; {_CURE}"
            ) from error

    def expect(self, query: Query) -> None:
        """Note a query that is about to begin."""
        with self._lock:
            self._begun.setdefault(query.server.answering, {})[query.id] = query

    def forget(self, query: Query) -> None:
        """Drop a query whose result does not count any more."""
        with self._lock:
            self._begun[query.server.answering].pop(query.id, None)

    def rows(self, query: Query, interrupt: Interrupt, *, all_ended: bool = True) -> int:
        """The number of rows that the server gave; `all_ended` reads all queries' results at once.

        Raises SourceFailedError if the query failed, NoResultError if the log has no result of it.
        """
        with self._lock:
            if query.id not in self._known:
                asked = self._begun[query.server.answering] if all_ended else {query.id: query}
                self._ask(query, asked, interrupt)
            result = self._known[query.id]
        if result.error:
            text = f"the server did not end the query well: {result.error}"
            raise SourceFailedError(text) from read_error(result.error)
        return result.rows

    def _ask(self, query: Query, asked: Mapping[str, Query], interrupt: Interrupt) -> None:
        server = query.server
        left = {one for one in asked if one not in self._known}
        ends = time.monotonic() + (0 if server.answering in self._silent else _LOG_SECONDS)
        while True:
            there = _is_there(server, interrupt)
            if there:
                self._look(server, left, interrupt)
            if not left:
                return
            if time.monotonic() > ends or not (there or self._needed):
                break
            interrupt.sleep(_LOG_PAUSE_SECONDS)
        if query.id in left:
            self._silent.add(server.answering)
            raise NoResultError(
                f"the query_log of {server.answering} does not tell how the query ended: see to "
                "it that it is kept"
            )

    def _look(self, server: Server, left: set[str], interrupt: Interrupt) -> None:
        ids = sorted(left)
        for start in range(0, len(ids), _ASKED_AT_ONCE):
            listed = ", ".join(map(literal, ids[start : start + _ASKED_AT_ONCE]))
            for query_id, kind, rows, said in server.rows(
                "SELECT query_id, toInt8(type), result_rows, exception FROM system.query_log "  # noqa: S608  quoted
                f"WHERE query_id IN ({listed}) AND toInt8(type) > 1",
                interrupt,
            ):
                error = (
                    "" if int(kind) == _ENDED_WELL else shorten(server.safe(said)) or "no reason"
                )
                self._known[query_id] = _QueryResult(rows=int(rows), error=error)
                left.discard(query_id)


def _is_there(server: Server, interrupt: Interrupt) -> bool:
    # Only some may; without, the server writes its log by the clock.
    with suppress(SourceRefusedError):
        server.run("SYSTEM FLUSH LOGS", interrupt)
    return server.rows(_LOG_IS_THERE, interrupt) != []
