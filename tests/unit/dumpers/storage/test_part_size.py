import pytest

from dumpers.storage.part_size import MAX_PARTS, choose_part_size

MIB, GIB, TIB = 1 << 20, 1 << 30, 1 << 40


@pytest.mark.parametrize(
    ("estimate", "part_size"),
    [
        (0, 16 * MIB),
        (125 * GIB, 16 * MIB),
        (200 * GIB, 26 * MIB),
        (5 * TIB, 656 * MIB),
        (1 << 62, 5 * GIB),
    ],
)
def test_parts_are_as_small_as_they_can_be(estimate: int, part_size: int) -> None:
    assert choose_part_size(estimate) == part_size


@pytest.mark.parametrize("estimate", [1, 156 * GIB, 157 * GIB, TIB, 5 * TIB])
def test_a_dump_that_does_not_shrink_at_all_still_fits(estimate: int) -> None:
    assert choose_part_size(estimate) * MAX_PARTS >= 1.25 * estimate
