"""Dealing out tables to runs: every row once, in order, and no run much larger than its share."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dumpers.engines.mysql.parallel.plan import (
    Cut,
    Share,
    TableSize,
    as_metadata,
    deal_out,
    fractions,
    from_metadata,
    share_size,
)

MIB = 1 << 20
SIZES = st.integers(0, 1 << 44) | st.integers(0, 4 * MIB)
TABLES = st.lists(SIZES, max_size=60).map(
    lambda found: [TableSize(name=f"t{number}", size=size) for number, size in enumerate(found)]
)
LANES = st.integers(2, 64)


def table(name: str, mib: int) -> TableSize:
    return TableSize(name=name, size=mib * MIB)


def test_the_largest_is_cut_so_that_others_fill_what_it_leaves() -> None:
    tables = [table("large", 80), table("a", 10), table("b", 10)]
    most = share_size(tables, lanes=2)
    assert most == 50 * MIB
    assert fractions(80 * MIB, most) == (0.625,)
    shares = deal_out(tables, {"large": Cut(column="id", bounds=(700,))}, lanes=2)
    assert shares == (
        Share(tables=("large",), size=50 * MIB, column="id", end=700),
        Share(tables=("large",), size=30 * MIB, column="id", first=700),
        Share(tables=("a", "b"), size=20 * MIB),
    )
    assert [share.condition for share in shares] == ["`id` < 700", "`id` >= 700", ""]


def test_small_databases_are_one_share() -> None:
    assert deal_out([], {}, lanes=4) == ()
    tables = [TableSize(name=name, size=16384) for name in ("b", "a")]
    assert deal_out(tables, {}, lanes=64) == (Share(tables=("a", "b"), size=32768),)


def test_an_odd_name_is_quoted() -> None:
    share = Share(tables=("t",), size=1, column="a`b", first=-5, end=7)
    assert share.condition == "`a``b` >= -5 AND `a``b` < 7"


@given(TABLES, LANES)
def test_every_row_comes_once(tables: list[TableSize], lanes: int) -> None:
    most = share_size(tables, lanes=lanes)
    cuts = {
        one.name: Cut(column="id", bounds=tuple(range(len(found))))
        for one in tables
        if (found := fractions(one.size, most))
    }
    shares = deal_out(tables, cuts, lanes=lanes)
    names = {name for share in shares for name in share.tables}
    assert names == {one.name for one in tables}
    for name in names:
        own = [share for share in shares if name in share.tables]
        assert own[0].first is None
        assert own[-1].end is None
        assert all(one.end is not None and one.end == two.first for one, two in pairwise(own))
        assert all(share.size <= most for share in own)
    assert sum(share.size for share in shares) == sum(one.size for one in tables)
    # A stream each for its share, a piece that is left of each cut, and what fills the gaps.
    assert len(shares) <= lanes * 5 + 1


@given(TABLES, LANES)
def test_a_share_is_read_again_by_what_the_manifest_holds(
    tables: list[TableSize], lanes: int
) -> None:
    cuts = {one.name: Cut(column="id", bounds=(3, 9)) for one in tables[:1]}
    for share in deal_out(tables, cuts, lanes=lanes):
        again = from_metadata(as_metadata(share))
        assert (again.tables, again.condition) == (share.tables, share.condition)
