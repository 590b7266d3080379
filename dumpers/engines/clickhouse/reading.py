"""Which tables are read from which replica, as streams, and what proves each of them whole.

A body's end alone proves little: older servers write an error behind rows and end in good order. So
the server itself is asked, once for all tables of a replica, how each query ended and how many
rows it gave.
"""

import io
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dumpers.engines.base import Reader, Stream
from dumpers.engines.clickhouse.members import Group, Member
from dumpers.engines.clickhouse.sql import literal, qualified, select
from dumpers.engines.clickhouse.tables import Treated
from dumpers.engines.clickhouse.tail import TAG_HEADER, ProvenReader
from dumpers.errors import SourceFailedError, SourceRefusedError
from dumpers.interrupt import Interrupt

ENDING = ".native"
# The log is written every 7.5 s by default.
_LOG_SECONDS, _LOG_PAUSE_SECONDS = 30.0, 0.5
_LOG_IS_THERE = "SELECT name FROM system.tables WHERE database = 'system' AND name = 'query_log'"
# Of the log's types 1 says that a query began, 2 that it ended well.
_FAILED = frozenset((3, 4))
# A query_id has 36 letters; a URL or a body takes any number of these.
_ASKED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One table of one replica: `label` is its shard's, or its own where replicas differ."""

    label: str
    member: Member
    treated: Treated
    partitions: tuple[str, ...] = ()
    query_id: str = field(default_factory=lambda: f"ksnapshot-{secrets.token_hex(12)}")

    @property
    def where(self) -> str:
        """Table and replica, for messages."""
        return f"{self.treated.table.full_name} of {self.label} ({self.member.server.where})"


def items(
    group: Group,
    tables: Mapping[str, Sequence[Treated]],
    partitions: Mapping[tuple[str, str], tuple[str, ...]],
) -> tuple[Item, ...]:
    """What is read of a shard: replicated tables from its best replica, others from every one.

    `tables` are those of each member, by its label.
    Raises SourceFailedError where a replica that does not answer may hold rows that no other has.
    """
    best = group.members[0]
    alone = [item.table.full_name for item in tables[best.label] if _is_own(item)]
    if alone and group.missing:
        raise SourceFailedError(
            f"{', '.join(group.missing)} of shard {group.number} does not answer, and tables that "
            f"are not replicated may have other rows there: {', '.join(alone[:10])}"
        )
    found = []
    for member in group.members:
        for item in tables[member.label]:
            if item.has_data and (member is best or _is_own(item)):
                several = _is_own(item) and len(group.members) > 1
                found.append(
                    Item(
                        label=member.label if several else f"s{group.number}",
                        member=member,
                        treated=item,
                        partitions=partitions.get((item.table.database, item.table.name), ()),
                    )
                )
    return tuple(found)


def streams(name: str, wanted: Sequence[Item], interrupt: Interrupt) -> list[Stream]:
    """A stream for each, whose facts are the server's own verdict."""
    verdicts = Verdicts(wanted, interrupt)
    return [
        Stream(
            name=name,
            part=(item.label, item.treated.table.database, item.treated.table.name),
            ending=ENDING,
            estimate=item.treated.store.total_bytes or 0,
            open=partial(_open, item, verdicts),
            facts=partial(_facts, item, verdicts),
        )
        for item in wanted
    ]


def text_stream(name: str, part: str, text: str) -> Stream:
    """A stream of SQL that is there already."""

    @contextmanager
    def open_(_: Interrupt) -> Iterator[Reader]:
        yield io.BytesIO(text.encode())

    return Stream(name=name, part=(part,), ending=".sql", estimate=len(text), open=open_)


class Verdicts:
    """What query_log says of the queries of a dump, asked once a replica; threads may share it."""

    def __init__(self, wanted: Sequence[Item], interrupt: Interrupt) -> None:
        self._interrupt = interrupt
        self._lock = threading.Lock()
        self._by_member: dict[str, list[Item]] = {}
        for item in wanted:
            self._by_member.setdefault(item.member.server.where, []).append(item)
        self._rows: dict[str, int] = {}

    def rows(self, item: Item, *, all_ended: bool = True) -> int:
        """How many rows the server gave; with `all_ended` it is asked for all tables at once.

        Raises SourceFailedError where the query failed, or where the log does not tell.
        """
        with self._lock:
            if item.query_id not in self._rows:
                asked = self._by_member[item.member.server.where] if all_ended else [item]
                self._ask(item.member, asked)
            return self._rows[item.query_id]

    def _ask(self, member: Member, asked: Sequence[Item]) -> None:
        left = {item.query_id: item for item in asked if item.query_id not in self._rows}
        ends = time.monotonic() + _LOG_SECONDS
        while left:
            # Only some may; without, the server writes its log by the clock.
            with suppress(SourceRefusedError):
                member.server.run("SYSTEM FLUSH LOGS", self._interrupt)
            self._look(member, left)
            if left and time.monotonic() > ends:
                raise SourceFailedError(
                    f"the query_log of {member.server.where} does not tell how the query for "
                    f"{next(iter(left.values())).where} ended: see to it that query_log is on and "
                    "kept, and that this account may read it"
                )
            if left:
                self._interrupt.pause(_LOG_PAUSE_SECONDS)

    def _look(self, member: Member, left: dict[str, Item]) -> None:
        # The server makes the table with the first queries that it logs.
        if member.server.rows(_LOG_IS_THERE, self._interrupt) == []:
            return
        ids = list(left)
        for start in range(0, len(ids), _ASKED_AT_ONCE):
            listed = ", ".join(map(literal, ids[start : start + _ASKED_AT_ONCE]))
            for query_id, kind, rows, said in member.server.rows(
                "SELECT query_id, toInt8(type), result_rows, exception FROM system.query_log "  # noqa: S608  quoted
                f"WHERE query_id IN ({listed}) AND toInt8(type) > 1",
                self._interrupt,
            ):
                item = left.pop(query_id, None)
                if item is None:
                    continue
                if int(kind) in _FAILED:
                    raise SourceFailedError(f"{item.where} was not read whole: {said[:500]}")
                self._rows[query_id] = int(rows)


@contextmanager
def _open(item: Item, verdicts: Verdicts, interrupt: Interrupt) -> Iterator[Reader]:
    table = item.treated.table
    sql = select(
        qualified(table.database, table.name), item.treated.store.insertable, item.partitions
    )

    def confirm() -> bool:
        verdicts.rows(item, all_ended=False)
        return True

    with item.member.server.stream(sql, interrupt, query_id=item.query_id) as (answer, reader):
        tag = answer.headers.get(TAG_HEADER.lower(), "")
        yield _Named(ProvenReader(reader, tag=tag, confirm=confirm), item)


class _Named:
    """A reader whose errors say which table of which replica it is."""

    def __init__(self, source: Reader, item: Item) -> None:
        self._source = source
        self._item = item

    def read(self, size: int = -1, /) -> bytes:
        """Read from the source."""
        try:
            return self._source.read(size)
        except SourceFailedError as error:
            raise SourceFailedError(f"{self._item.where}: {error}") from error


def _facts(item: Item, verdicts: Verdicts) -> Mapping[str, Any]:
    return {
        "shard": item.member.node.shard,
        "replica": item.member.server.where,
        "engine": item.treated.table.engine,
        "columns": list(item.treated.store.insertable),
        "rows": verdicts.rows(item),
        "rows_from": "query_log",
    }


def _is_own(item: Treated) -> bool:
    """Whether its rows may be others on every replica."""
    return item.has_data and not item.is_replicated
