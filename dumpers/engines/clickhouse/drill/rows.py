"""Comparing the rows of a restored server with those of a backup, in the server itself.

A stored stream goes once more through the server, into a table that keeps nothing, with a view
that digests what passes. Its digest has to be that of the restored table. Both are sums over rows,
so that the order, and which shard a row came from, do not matter.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dumpers.engines.clickhouse.drill.row_hash import Column, RowHash, row_hash
from dumpers.engines.clickhouse.drill.unstored import tables_without_objects, unstored_columns
from dumpers.engines.clickhouse.logical.stored_rows import has_rows, read_tables
from dumpers.engines.clickhouse.schema.names.naming import Key, full_name
from dumpers.engines.clickhouse.schema.table import Column as TableColumn
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.server.errors import code_of
from dumpers.engines.clickhouse.server.sql import identifier, insert, literal, qualified
from dumpers.engines.clickhouse.stored.contents import Contents
from dumpers.engines.drilling.protocol import TableVerdict
from dumpers.engines.names import abbreviate
from dumpers.runtime.errors import TargetFailedError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt

# Two rows of one key become one there, so that rows of several shards are fewer than those stored.
_BY_KEY = frozenset(("Join", "SharedJoin", "EmbeddedRocksDB"))
_REDUNDANT = (
    "rows that several replicas had were dumped of each, and compared of the one that a restore "
    "loads: the objects of the others were read to their ends"
)
# Errors of a server that lacks room or time, or of none at all: they say nothing of the rows.
# https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
_NO_VERDICTS = frozenset((None, 159, 202, 209, 210, 236, 241, 243, 394))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """A table that takes the stored rows, and where their digest is to be read."""

    into: str
    sums: str
    hashes: RowHash
    is_copy: bool
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowComparison:
    """Compares one server's tables with a backup's; `own` is a database of the comparison's own.

    `unproved` grows by what the digests do not cover.
    """

    server: Server
    contents: Contents
    own: str
    interrupt: Interrupt
    unproved: list[str] = field(default_factory=list)
    _accepted: dict[tuple[str, str], bool] = field(default_factory=dict)

    def verdicts(self) -> tuple[TableVerdict, ...]:
        """Read all stored rows, and return a verdict on each table that has any, or could have."""
        self.server.run(f"CREATE DATABASE {identifier(self.own)}", self.interrupt)
        faults: dict[Key, str] = {}
        sides: dict[Key, _Side] = {}
        for place, key in enumerate(sorted(self.contents.rows)):
            there = self._columns(key)
            types = {name: column.type for name, column in there.items()}
            missing = [name for name in self._stored_columns(key) if name not in types]
            if not types:
                faults[key] = "the table is missing"
            elif not self.contents.rows[key]:
                faults[key] = "the objects that a restore loads do not have it, only copies do"
            elif missing:
                faults[key] = f"columns are missing: {', '.join(missing)}"
            else:
                self._tell_of_unstored(key, there)
                sides[key] = self._side(place, key, types)
        self._pass_stored_rows(sides)
        found = tuple(
            TableVerdict(name=full_name(*key), rows=None, good=False, why=faults[key])
            if key in faults
            else self._judge(key, sides[key])
            for key in sorted(self.contents.rows)
        )
        self.server.run(f"DROP DATABASE {identifier(self.own)}", self.interrupt)
        return (*found, *self._without_objects())

    def _without_objects(self) -> Iterator[TableVerdict]:
        """Verdicts on restored tables that have rows of which the backup has no object."""
        silent = [key for key in tables_without_objects(self.contents) if self._columns(key)]
        if silent:
            self.unproved.append(
                "the backup has no object with the rows of these tables: "
                f"{abbreviate([full_name(*key) for key in silent])}"
            )
        for key in silent:
            [rows] = self._sums("count()", qualified(*key))
            if rows:
                why = f"{rows} rows, and no object with its rows in the backup"
                yield TableVerdict(name=full_name(*key), rows=rows, good=False, why=why)

    def _tell_of_unstored(self, key: Key, there: Mapping[str, TableColumn]) -> None:
        if unstored := unstored_columns(there, self.contents.rows[key]):
            self.unproved.append(
                f"the backup has no values of these columns of {full_name(*key)}: "
                f"{abbreviate(unstored)}"
            )

    def _pass_stored_rows(self, sides: Mapping[Key, _Side]) -> None:
        """Read every object with rows to its end, and let the server digest these."""
        for place, piece in enumerate(self.contents.pieces):
            if place in self.contents.scripts:
                continue
            if (is_copy := piece.metadata.get("redundant")) and _REDUNDANT not in self.unproved:
                self.unproved.append(_REDUNDANT)
            with piece.open() as reader:
                for table, blocks in () if is_copy else read_tables(piece, reader):
                    side = sides.get((table["database"], table["table"]))
                    if side is None or not has_rows(table):
                        continue
                    try:
                        self.server.insert(
                            insert(side.into, table["columns"]), blocks, self.interrupt
                        )
                    except (TargetFailedError, TargetRefusedError) as error:
                        if code_of(error) in _NO_VERDICTS:
                            raise
                        # Never the server's own words: it repeats the row that it refuses.
                        side.faults.append(
                            f"the server refuses the stored rows, by its error {code_of(error)}"
                        )
                # Whatever was passed over has to be whole, too.
                while reader.read(1 << 18):
                    pass

    def _columns(self, key: Key) -> Mapping[str, TableColumn]:
        """A restored table's columns; none where the server has no such table."""
        database, table = map(literal, key)
        rows = self.server.rows(
            f"SELECT name, type, default_kind FROM system.columns WHERE table = {table} "  # noqa: S608  quoted
            f"AND database = {database}",
            self.interrupt,
        )
        return {
            name: TableColumn(name=name, type=type_, default_kind=kind)
            for name, type_, kind in rows
        }

    def _side(self, place: int, key: Key, types: Mapping[str, str]) -> _Side:
        known = [Column(name, types[name]) for name in self._stored_columns(key)]
        source = qualified(*key)
        hashes = row_hash(known, lambda column, text: self._takes(source, column, text))
        if hashes.left_out:
            self.unproved.append(
                f"no function of this server hashes these columns of {full_name(*key)}: "
                f"{', '.join(hashes.left_out)}"
            )
        stored, view, sums = (
            qualified(self.own, f"{what}_{place}") for what in ("stored", "view", "sums")
        )
        made = self.contents.made.get(key)
        if made is not None and made.create is not None and made.create.engine in _BY_KEY:
            self.server.run(f"CREATE TABLE {stored} AS {source}", self.interrupt)
            return _Side(into=stored, sums=stored, hashes=hashes, is_copy=True)
        if made is not None and made.is_view:
            # What a view selects has no defaults: all of it is stored.
            listed = ", ".join(f"{identifier(one.name)} {one.type}" for one in known)
            self.server.run(f"CREATE TABLE {stored} ({listed}) ENGINE = Null", self.interrupt)
        else:
            self.server.run(f"CREATE TABLE {stored} AS {source} ENGINE = Null", self.interrupt)
        named = [f"{name} UInt64" for name in _names(hashes)]
        self.server.run(f"CREATE TABLE {sums} ({', '.join(named)}) ENGINE = Memory", self.interrupt)
        summed = zip(("count()", *hashes.sums), _names(hashes), strict=True)
        taken = ", ".join(f"{text} AS {name}" for text, name in summed)
        selected = f"SELECT {taken} FROM {stored}"  # noqa: S608  quoted
        self.server.run(
            f"CREATE MATERIALIZED VIEW {view} TO {sums} AS {selected}",
            self.interrupt,
        )
        return _Side(into=stored, sums=sums, hashes=hashes, is_copy=False)

    def _stored_columns(self, key: Key) -> tuple[str, ...]:
        """The columns that any server's rows of a table were stored with."""
        said = (name for table in self.contents.rows[key] for name in table["columns"])
        return tuple(sorted({*said}))

    def _takes(self, source: str, column: Column, text: str) -> bool:
        """Whether the server takes an expression of a column; of one type it is asked once."""
        asked = (column.type, text.replace(identifier(column.name), "x"))
        if asked not in self._accepted:
            try:
                self.server.run(
                    f"SELECT cityHash64({text}) FROM {source} LIMIT 0 FORMAT Null",  # noqa: S608  quoted
                    self.interrupt,
                )
            except (TargetFailedError, TargetRefusedError) as error:
                if code_of(error) in _NO_VERDICTS:
                    raise
                self._accepted[asked] = False
            else:
                self._accepted[asked] = True
        return self._accepted[asked]

    def _judge(self, key: Key, side: _Side) -> TableVerdict:
        name, hashes = full_name(*key), side.hashes
        if side.faults:
            return TableVerdict(name=name, rows=None, good=False, why=side.faults[0])
        rows, *restored = self._sums(f"count(), {', '.join(hashes.sums)}", qualified(*key))
        if side.is_copy:
            dumped, *stored = self._sums(f"count(), {', '.join(hashes.sums)}", side.sums)
        else:
            summed = ", ".join(f"sum({name})" for name in _names(hashes))
            dumped, *stored = self._sums(summed, side.sums)
        # Rows of several places may be fewer there than were dumped.
        is_fewer = side.is_copy and len(self.contents.rows[key]) > 1
        why = "" if is_fewer else self._miscounted(key, dumped)
        if not why and rows != dumped:
            why = f"{rows} rows, and {dumped} in the backup"
        elif not why and restored != stored:
            results = [hashes.sums.index(text) for text in hashes.by_result]
            by_result = hashes.by_result != hashes.exact
            if by_result and all(restored[place] == stored[place] for place in results):
                within = f"; not at all within {', '.join(hashes.within)}" if hashes.within else ""
                self.unproved.append(
                    f"states of aggregate functions in {name} are compared by their results, as "
                    f"there are several ways to write one{within}"
                )
            else:
                why = f"{rows} rows as in the backup, but not the same ones"
        return TableVerdict(name=name, rows=rows, good=not why, why=why)

    def _miscounted(self, key: Key, dumped: int) -> str:
        """Why the stored rows are not as many as the dump says; empty if they are."""
        said: Sequence[Mapping[str, Any]] = self.contents.rows[key]
        least = sum(int(table["rows"]) for table in said)
        most = sum(int(table.get("rows_at_most", table["rows"])) for table in said)
        if least <= dumped <= most:
            return ""
        return f"{dumped} rows are stored, and the dump had {least}"

    def _sums(self, what: str, source: str) -> tuple[int, ...]:
        return tuple(map(int, self.server.row(f"SELECT {what} FROM {source}", self.interrupt)))  # noqa: S608  quoted


def _names(hashes: RowHash) -> list[str]:
    """The columns of a digest: servers would take a table's column of that name for it."""
    return ["ksnapshot_rows", *(f"ksnapshot_sum_{n}" for n in range(len(hashes.sums)))]
