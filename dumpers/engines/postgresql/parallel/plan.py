"""How the rows of a database are dealt out to streams; pure.

Rows of most tables stay with pg_dump. The largest ones have streams of their own, cut where one
is larger than a share, so that no table decides alone how long a dump takes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# Of each lane: the more, the less is left to one lane at the end, and the more objects there are.
_SHARES = 8
# A stream has to be worth its object.
_LEAST_SHARE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """A table by the server's own number, and its size in bytes as the server last knew it."""

    oid: int
    size: int
    can_cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Part `number` of `count` of a table's pages, in their order."""

    oid: int
    number: int = 0
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one stream reads by COPY: one piece of a table that is cut, or several whole tables."""

    pieces: tuple[Piece, ...]
    size: int


def deal_out(tables: Iterable[TableSize], *, lanes: int) -> tuple[Share, ...]:
    """The shares of the tables that pg_dump does not read, in the order of a load.

    A table's pieces follow each other, and larger ones come first. What is in no share is about as
    large as one of them at most.
    """
    ordered = sorted(tables, key=lambda table: (-table.size, table.oid))
    left = sum(table.size for table in ordered)
    most = max(left // (lanes * _SHARES), _LEAST_SHARE)
    taken: list[TableSize] = []
    for table in ordered:
        if left <= most:
            break
        taken.append(table)
        left -= table.size
    return (*_cut(taken, most), *_packed(taken, most))


def pages_of(piece: Piece, pages: int) -> tuple[int | None, int | None]:
    """The first page of a piece, and the one behind its last, of a table of so many pages.

    None where it has no bound: pages that came behind the last one belong to the last piece.
    """
    first, end = (
        pages * number // piece.count if 0 < number < piece.count else None
        for number in (piece.number, piece.number + 1)
    )
    return first, end


def _cut(tables: Iterable[TableSize], most: int) -> Iterator[Share]:
    for table in tables:
        count = _count(table, most)
        if count > 1:
            for number in range(count):
                piece = Piece(oid=table.oid, number=number, count=count)
                yield Share(pieces=(piece,), size=table.size // count)


def _packed(tables: Iterable[TableSize], most: int) -> Iterator[Share]:
    pieces: list[Piece] = []
    size = 0
    for table in tables:
        if _count(table, most) > 1:
            continue
        if pieces and size + table.size > most:
            yield Share(pieces=tuple(pieces), size=size)
            pieces, size = [], 0
        pieces.append(Piece(oid=table.oid))
        size += table.size
    if pieces:
        yield Share(pieces=tuple(pieces), size=size)


def _count(table: TableSize, most: int) -> int:
    return -(-table.size // most) if table.can_cut else 1
