import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from dumpers.engines.clickhouse.logical.plan import TableRead, TableReplica
from dumpers.engines.clickhouse.logical.query_log import (
    NoResultError,
    Query,
    QueryLog,
    _QueryResult,
    logs_killed_queries,
)
from dumpers.engines.clickhouse.logical.table_read import (
    DumpContext,
    Reading,
    TableStream,
    location_metadata,
)
from dumpers.engines.clickhouse.schema.table import Table
from dumpers.engines.clickhouse.server.client import Server
from dumpers.runtime.errors import InterruptedRunError, SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.http import Answer
from dumpers.streams.reader import Reader
from tests.unit.dumpers.engines.clickhouse.parts import NOW, item, member, one, table


def was_read(
    of: TableRead,
    *,
    data: bytes = b"rows",
    result: _QueryResult | None = None,
    counted: Sequence[int] = (),
    skipped: int = 0,
    silent: bool = False,
) -> Reading:
    """A reading as it is once all of it was read, from a copy behind `skipped` others."""
    query_log = Silent(needed=True) if silent else QueryLog(needed=True)
    session = DumpContext(query_log=query_log, accepts_counts=bool(counted))
    reading = Reading(of, session)
    for _ in range(skipped):
        reading._copies.popleft()
    reading._interrupt = NOW
    reading._query = Query(server=reading._server, id="q", where="d.t of s1 (h)")
    session.query_log.expect(reading._query)
    # So that nobody is asked: nobody is there.
    session.query_log._known["q"] = result or _QueryResult(rows=3, error="")
    reading._size = len(data)
    reading._counted = list(counted)
    return reading


class Silent(QueryLog):
    """A server's log that tells nothing."""

    def rows(self, query: Query, interrupt: Interrupt, *, all_ended: bool = True) -> int:
        raise NoResultError("the query_log does not tell")


def metadata_of(reading: Reading) -> Mapping[str, Any]:
    return dict(reading.manifest_metadata())


def test_the_manifest_has_what_loads_the_rows() -> None:
    columns = ("a", "b c", "d`")
    found = metadata_of(was_read(item(of=table("t `", columns=columns))))
    assert found == {
        "database": "d",
        "table": "t `",
        "engine": "MergeTree",
        "columns": ["a", "b c", "d`"],
        "insert": r"INSERT INTO `d`.`t \``" r" (`a`, `b c`, `d\``) FORMAT Native",
        "replica": "chi-1-1:8123",
        "read": "",
        "rows": 3,
        "rows_from": "query_log",
    }
    json.dumps(found)


def test_what_came_of_the_second_copy_is_what_the_second_copy_has() -> None:
    def copy(replica: int, of: Table) -> TableReplica:
        return TableReplica(replica=member(1, replica), backup_table=one(of))

    copies = (
        copy(2, table("t", "ReplicatedMergeTree", columns=("a", "new"))),
        copy(1, table("t", "ReplicatedMergeTree", columns=("a",))),
    )
    found = metadata_of(was_read(TableRead(label="s1", shard=1, copies=copies), skipped=1))
    assert (found["columns"], found["replica"]) == (["a"], "chi-1-1:8123")
    assert found["insert"] == "INSERT INTO `d`.`t` (`a`) FORMAT Native"


@pytest.mark.parametrize(
    ("of", "metadata"),
    [
        (table("t", "ReplacingMergeTree"), {"loses_rows": True}),
        (table("t", "MergeTree"), {}),
    ],
)
def test_what_may_lose_rows_is_told(of: Table, metadata: Mapping[str, Any]) -> None:
    found = metadata_of(was_read(item(of=of)))
    assert {name: value for name, value in found.items() if name == "loses_rows"} == metadata


def test_the_partitions_that_were_read_are_told() -> None:
    whole = item()
    some = TableRead(label="s1", shard=1, copies=whole.copies, partitions=("1", "2"))
    assert metadata_of(was_read(some))["partitions"] == ["1", "2"]
    assert "partitions" not in metadata_of(was_read(whole))


@pytest.mark.parametrize("counted", [(), (3, 3)])
def test_a_query_that_failed_is_never_proved_by_counts(counted: Sequence[int]) -> None:
    with pytest.raises(SourceFailedError, match=r"is not proved whole: .*: killed"):
        was_read(
            item(), result=_QueryResult(rows=3, error="killed"), counted=counted
        ).manifest_metadata()


def test_the_log_is_believed_before_the_counts() -> None:
    found = metadata_of(was_read(item(), counted=(1, 5)))
    assert (found["rows"], found["rows_from"]) == (3, "query_log")


@pytest.mark.parametrize(
    ("counted", "data", "rows"),
    [
        ((3, 3), b"rows", {"rows": 3}),
        ((3, 5), b"rows", {"rows": 3, "rows_at_most": 5}),
        ((5, 3), b"rows", {"rows": 3, "rows_at_most": 5}),
        ((0, 2), b"rows", {"rows": 0, "rows_at_most": 2}),
        ((0, 0), b"", {"rows": 0}),
    ],
)
def test_counts_stand_in_for_a_log_that_does_not_tell(
    counted: Sequence[int], data: bytes, rows: Mapping[str, int]
) -> None:
    found = metadata_of(was_read(item(), data=data, counted=counted, silent=True))
    proof = {name: value for name, value in found.items() if name.startswith("rows")}
    assert proof == {**rows, "rows_from": "counts"}


def test_without_a_log_and_without_counts_nothing_is_proved() -> None:
    with pytest.raises(NoResultError):
        was_read(item(), silent=True).manifest_metadata()


def test_rows_that_did_not_come_are_missed() -> None:
    with pytest.raises(SourceFailedError, match="has 3 rows, and none came"):
        was_read(item(), data=b"", counted=(3, 4), silent=True).manifest_metadata()


@pytest.mark.parametrize(
    ("label", "redundant", "metadata"),
    [
        ("s2", False, {"shard": 2}),
        ("s2r3", False, {"shard": 2, "replica": 3}),
        ("s2r3", True, {"shard": 2, "replica": 3, "redundant": True}),
    ],
)
def test_where_rows_belong(label: str, *, redundant: bool, metadata: Mapping[str, Any]) -> None:
    of = item(member(2, 3))
    assert (
        location_metadata(TableRead(label=label, shard=2, copies=of.copies, redundant=redundant))
        == metadata
    )


def test_a_stream_is_named_by_place_and_table() -> None:
    session = DumpContext(query_log=QueryLog(needed=True), accepts_counts=False)
    of = item(member(2, 3), of=table("a/b", database="x", size=7), label="s2r3")
    found = TableStream(name="main", reading=Reading(of, session))
    assert (found.name, found.part, found.ending) == ("main", ("s2r3", "x", "a/b"), ".native")
    assert (found.estimate, found.concurrency_group) == (7, "s2")
    unknown = Reading(item(of=table("t", size=None)), session)
    assert TableStream(name="main", reading=unknown).estimate == 0


def test_older_releases_do_not_tell_of_every_cut() -> None:
    releases = ("18.16.1", "20.8.19.4", "21.1.2.15", "26.9.1.1", "")
    assert [*map(logs_killed_queries, releases)] == [False, False, True, True, False]


@pytest.mark.parametrize("counted", [(3, 3), (2, 5), (5, 3), (0, 9)])
def test_rows_that_were_counted_too_are_believed(counted: Sequence[int]) -> None:
    old = item(replace(member(), release="18.16.1"))
    assert metadata_of(was_read(old, counted=counted))["rows_from"] == "query_log"


@pytest.mark.parametrize("counted", [(4, 4), (4, 9), (9, 4)])
def test_fewer_rows_than_were_counted_are_no_proof_of_older_releases(
    counted: Sequence[int],
) -> None:
    old = item(replace(member(), release="18.16.1"))
    with pytest.raises(SourceFailedError, match=r"d\.t of s1 .* gave 3 rows where \d were counted"):
        metadata_of(was_read(old, counted=counted))
    assert metadata_of(was_read(item(), counted=counted))["rows"] == 3


def test_what_follows_the_opening_ends_with_the_interrupt_that_it_was_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scope = NOW.child()

    @contextmanager
    def stream(
        _self: Server, _sql: str, _interrupt: Interrupt, *, query_id: str
    ) -> Iterator[tuple[Answer, Reader]]:
        assert query_id
        scope.cancel("the failure of another stream")
        # Rows may end like this, so the log is asked.
        yield Answer(status=200, headers={}), io.BytesIO(b"Code: 1. DB::Exception: x")

    monkeypatch.setattr(Server, "stream", stream)
    reading = Reading(
        item(member(1, 1), member(1, 2)),
        DumpContext(query_log=QueryLog(needed=True), accepts_counts=False),
    )
    with pytest.raises(InterruptedRunError), reading.open(scope) as rows:
        rows.read()
    with pytest.raises(InterruptedRunError):
        reading.manifest_metadata()
    with pytest.raises(InterruptedRunError):
        reading.can_retry(SourceFailedError("gone"))


def test_counting_ends_with_the_interrupt_that_the_opening_was_given() -> None:
    context = DumpContext(query_log=QueryLog(needed=True), accepts_counts=True)
    scope = NOW.child()
    scope.cancel("the failure of another stream")
    with pytest.raises(InterruptedRunError), Reading(item(), context).open(scope):
        pass


def test_looking_for_another_copy_ends_with_the_interrupt_that_the_opening_was_given() -> None:
    of = item(member(1, 1), member(1, 2))
    down = {of.copies[0].replica.server.where}
    context = DumpContext(query_log=QueryLog(needed=True), accepts_counts=False, down=down)
    scope = NOW.child()
    scope.cancel("the failure of another stream")
    reading = Reading(of, context)
    with pytest.raises(InterruptedRunError), reading.open(scope):
        pass
    assert reading._query is None
