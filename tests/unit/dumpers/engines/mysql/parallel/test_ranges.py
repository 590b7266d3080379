"""Values at which a table is cut, by estimates as InnoDB gives them."""

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from dumpers.engines.mysql.parallel.ranges import find_bounds

KEYS = st.lists(st.integers(-(1 << 63), (1 << 64) - 1), min_size=1, max_size=300, unique=True)
PARTS = (0.25, 0.5, 0.75)


def estimates(keys: list[int]) -> tuple[int, ...]:
    def count(first: int, end: int) -> int:
        rows = bisect_left(keys, end) - bisect_left(keys, first)
        # Twice as many where they are many, and no more than half of the table.
        return min(rows * 2, max(len(keys) // 2, 1)) if rows > 10 else rows

    return find_bounds(keys[0], keys[-1] + 1, PARTS, count)


def test_even_keys() -> None:
    assert [round(bound, -3) for bound in estimates([*range(0, 100_000, 10)])] == [
        25_000,
        50_000,
        75_000,
    ]


def test_keys_with_a_gap() -> None:
    keys = [*range(10_000), *range(1 << 60, (1 << 60) + 10_000)]
    found = estimates(keys)
    assert [
        abs(bisect_left(keys, bound) / len(keys) - part) < 0.05
        for bound, part in zip(found, PARTS, strict=True)
    ] == [True] * 3


@given(KEYS)
def test_bounds_lie_within_and_in_order(found: list[int]) -> None:
    keys = sorted(found)
    bounds = estimates(keys)
    assert list(bounds) == sorted(set(bounds))
    assert all(keys[0] < bound <= keys[-1] for bound in bounds)


def test_nothing_is_known() -> None:
    assert find_bounds(1, 1000, PARTS, lambda _first, _end: 0) == ()
