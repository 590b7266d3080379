from typing import Any

import pytest

from dumpers.engines.clickhouse.logical.query_log import (
    NoResultError,
    Query,
    QueryLog,
    _QueryResult,
)
from dumpers.engines.clickhouse.server.client import Server
from dumpers.runtime.errors import InterruptedRunError, SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from tests.unit.dumpers.engines.clickhouse.parts import NOW, server

QUERY = Query(server=server("a"), id="q1", where="d.t of s1 (a:8123)")


def known(rows: int = 0, error: str = "") -> QueryLog:
    query_log = QueryLog(needed=True)
    query_log.expect(QUERY)
    query_log._known[QUERY.id] = _QueryResult(rows=rows, error=error)
    return query_log


def test_a_verdict_is_asked_for_once() -> None:
    # Nobody answers there.
    assert known(rows=5).rows(QUERY, NOW) == 5
    assert known(rows=0).rows(QUERY, NOW, all_ended=False) == 0


def test_a_query_that_failed_is_no_dump() -> None:
    with pytest.raises(SourceFailedError, match="did not end the query well: killed"):
        known(rows=5, error="killed").rows(QUERY, NOW)


def test_the_log_that_does_not_tell_is_another_error_than_one_that_says_no() -> None:
    assert issubclass(NoResultError, SourceFailedError)
    with pytest.raises(SourceFailedError) as caught:
        known(error="killed").rows(QUERY, NOW)
    assert not isinstance(caught.value, NoResultError)


def test_each_server_is_asked_about_its_own_queries() -> None:
    query_log = QueryLog(needed=True)
    other = Query(server=server("b"), id="q2", where="x")
    through = Query(server=server("a", address="c:9000"), id="q3", where="y")
    for query in (QUERY, other, through):
        query_log.expect(query)
    assert {where: set(of) for where, of in query_log._begun.items()} == {
        "a:8123": {"q1", "q3"},
        "b:8123": {"q2"},
    }
    query_log.forget(through)
    query_log.forget(through)
    assert set(query_log._begun["a:8123"]) == {"q1"}


def test_waiting_for_the_log_ends_with_the_interrupt_of_the_one_who_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scope = NOW.child()

    def rows(_self: Server, sql: str, interrupt: Interrupt) -> list[list[Any]]:
        assert interrupt is scope
        if "system.tables" in sql:
            return [["query_log"]]
        scope.cancel("the failure of another stream")
        return []

    monkeypatch.setattr(Server, "run", lambda *_: None)
    monkeypatch.setattr(Server, "rows", rows)
    query_log = QueryLog(needed=True)
    query_log.expect(QUERY)
    with pytest.raises(InterruptedRunError, match="stopped by the failure of another stream"):
        query_log.rows(QUERY, scope)
    # Nobody who comes later waits for the one that was interrupted.
    query_log.forget(QUERY)
