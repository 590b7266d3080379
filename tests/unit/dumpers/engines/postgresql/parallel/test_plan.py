"""Dealing out tables to streams: every page once, in order, and no stream much larger."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.engines.postgresql.parallel.plan import Piece, Share, TableSize, deal_out, pages_of

MIB = 1 << 20
SIZES = st.integers(0, 1 << 44) | st.integers(0, 4 * MIB)
TABLES = st.lists(st.tuples(SIZES, st.booleans()), max_size=60).map(
    lambda found: [
        TableSize(oid=number, size=size, can_cut=can_cut)
        for number, (size, can_cut) in enumerate(found, start=16384)
    ]
)
LANES = st.integers(2, 64)


def table(oid: int, mib: int, *, can_cut: bool = True) -> TableSize:
    return TableSize(oid=oid, size=mib * MIB, can_cut=can_cut)


def test_small_databases_stay_with_pg_dump() -> None:
    assert deal_out([], lanes=4) == ()
    assert deal_out([table(1, 1)], lanes=64) == ()


def test_the_largest_is_cut_and_others_are_packed() -> None:
    shares = deal_out([table(1, 6), table(2, 160), *(table(n, 2) for n in range(3, 20))], lanes=2)
    # The sixteenth part of 200 MiB.
    large, small = shares[:13], shares[13:]
    assert large == tuple(
        Share(pieces=(Piece(oid=2, number=number, count=13),), size=160 * MIB // 13)
        for number in range(13)
    )
    assert [[piece.oid for piece in share.pieces] for share in small] == [
        [1, 3, 4, 5],
        [6, 7, 8, 9, 10, 11],
        [12, 13],
    ]


def test_what_cannot_be_cut_is_one_piece() -> None:
    shares = deal_out([table(1, 500, can_cut=False), table(2, 10)], lanes=4)
    assert shares[0] == Share(pieces=(Piece(oid=1),), size=500 * MIB)


@given(TABLES, LANES)
def test_every_piece_of_what_is_taken_comes_once_and_in_order(
    tables: list[TableSize], lanes: int
) -> None:
    shares = deal_out(tables, lanes=lanes)
    pieces = [piece for share in shares for piece in share.pieces]
    by_table: dict[int, list[Piece]] = {}
    for piece in pieces:
        by_table.setdefault(piece.oid, []).append(piece)
    for found in by_table.values():
        assert [(piece.number, piece.count) for piece in found] == [
            (number, len(found)) for number in range(len(found))
        ]
    # A piece of a table is alone, so that no object holds two of one table.
    assert all(len(share.pieces) == 1 or {p.count for p in share.pieces} == {1} for share in shares)
    assert all(share.pieces for share in shares)


@given(TABLES, LANES)
def test_no_share_is_much_larger_than_another_and_little_is_left(
    tables: list[TableSize], lanes: int
) -> None:
    shares = deal_out(tables, lanes=lanes)
    total = sum(one.size for one in tables)
    most = max(total // (lanes * 8), MIB)
    sizes = {one.oid: one for one in tables}
    assert all(share.size <= most or not sizes[share.pieces[0].oid].can_cut for share in shares)
    taken = {piece.oid for share in shares for piece in share.pieces}
    assert sum(one.size for one in tables if one.oid not in taken) <= most
    # Two neighbours of what was packed would not have gone into one.
    packed = [share for share in shares if share.pieces[0].count == 1]
    assert all(a.size + sizes[b.pieces[0].oid].size > most for a, b in pairwise(packed))
    assert len(shares) <= 2 * lanes * 8 + len(tables)


@given(TABLES, LANES, st.randoms())
def test_the_order_of_the_tables_does_not_matter(
    tables: list[TableSize], lanes: int, random: object
) -> None:
    again = list(tables)
    random.shuffle(again)  # type: ignore[attr-defined]
    assert deal_out(again, lanes=lanes) == deal_out(tables, lanes=lanes)


@given(st.integers(0, 1 << 32), st.integers(1, 700))
def test_the_pages_of_all_pieces_are_those_of_the_table(pages: int, count: int) -> None:
    bounds = [pages_of(Piece(oid=1, number=number, count=count), pages) for number in range(count)]
    assert bounds[0][0] is None
    assert bounds[-1][1] is None
    assert all(a[1] == b[0] is not None for a, b in pairwise(bounds))
    inner = [first for first, _ in bounds[1:] if first is not None]
    assert inner == sorted(inner)
    assert all(0 <= first <= pages for first in inner)


@pytest.mark.parametrize(("number", "bounds"), [(0, (None, 3)), (1, (3, 6)), (2, (6, None))])
def test_pages_of_a_third(number: int, bounds: tuple[int | None, int | None]) -> None:
    assert pages_of(Piece(oid=1, number=number, count=3), 10) == bounds
