"""How the rows of a database are dealt out to runs of the dump tool; pure.

A run reads whole tables, or a range of one table's primary key, as the tool takes one condition for
all its tables. Large tables are cut, so that no table decides alone how long a dump takes.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dumpers.engines.mysql.client import identifier

# A run has to be worth its object and its connection.
_LEAST_SHARE = 1 << 20
# Whole tables go out by less than the share of a stream, to fill what cut tables leave.
_FILLS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """A table and its size in bytes as the server last knew it."""

    name: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The column that a table is cut by, an integer and the first one of its primary key.

    `bounds` are the values at which pieces begin, but for the first, in their order.
    """

    column: str
    bounds: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one run reads: whole tables, or of one table the rows from `first` to before `end`.

    None where there is no bound; a share of whole tables has no `column`.
    """

    tables: tuple[str, ...]
    size: int
    column: str = ""
    first: int | None = None
    end: int | None = None

    @property
    def condition(self) -> str:
        """The range as SQL; empty for whole tables."""
        name = identifier(self.column)
        low = [f"{name} >= {self.first}"] if self.first is not None else []
        high = [f"{name} < {self.end}"] if self.end is not None else []
        return " AND ".join(low + high)


def share_size(tables: Iterable[TableSize], *, lanes: int) -> int:
    """How many bytes one of so many streams has to read; what is larger is worth a cut."""
    return max(-(-sum(table.size for table in tables) // lanes), _LEAST_SHARE)


def fractions(size: int, most: int) -> tuple[float, ...]:
    """Where a table of this size is cut, as parts of its rows: full shares, then what is left."""
    return tuple(start / size for start in range(most, size, most))


def deal_out(
    tables: Iterable[TableSize], cuts: Mapping[str, Cut], *, lanes: int
) -> tuple[Share, ...]:
    """The shares of all tables, in the order of a load: cut ones first, in their order."""
    ordered = sorted(tables, key=lambda table: (-table.size, table.name))
    most = share_size(ordered, lanes=lanes)
    whole = [table for table in ordered if table.name not in cuts]
    pieces = [
        piece
        for table in ordered
        if table.name in cuts
        for piece in _pieces(table, cuts[table.name], most)
    ]
    return (*pieces, *_packed(whole, max(most // _FILLS, _LEAST_SHARE)))


def as_metadata(share: Share) -> dict[str, Any]:
    """What a manifest holds of a share, so that the same rows can be read again."""
    found: dict[str, Any] = {"tables": list(share.tables)}
    if share.column:
        found["range"] = {"column": share.column, "first": share.first, "end": share.end}
    return found


def from_metadata(found: Mapping[str, Any]) -> Share:
    """The share of which a manifest holds this."""
    cut = found.get("range") or {}
    return Share(
        tables=tuple(found["tables"]),
        size=0,
        column=cut.get("column", ""),
        first=cut.get("first"),
        end=cut.get("end"),
    )


def _pieces(table: TableSize, cut: Cut, most: int) -> Iterator[Share]:
    edges: Sequence[int | None] = (None, *cut.bounds, None)
    left = table.size
    for first, end in itertools.pairwise(edges):
        size = min(most, left)
        left -= size
        yield Share(tables=(table.name,), size=size, column=cut.column, first=first, end=end)


def _packed(tables: Iterable[TableSize], most: int) -> Iterator[Share]:
    names: list[str] = []
    size = 0
    for table in tables:
        if names and size + table.size > most:
            yield Share(tables=tuple(names), size=size)
            names, size = [], 0
        names.append(table.name)
        size += table.size
    if names:
        yield Share(tables=tuple(names), size=size)
