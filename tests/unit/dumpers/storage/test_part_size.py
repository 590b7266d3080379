import pytest

from dumpers.storage.part_size import MAX_PARTS, choose_buffers, choose_part_size

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


@pytest.mark.parametrize(
    ("estimate", "uploads", "concurrency", "part_size", "buffers"),
    [
        (0, 1, 1, 16 * MIB, 2),
        (0, 1, 2, 16 * MIB, 2),
        (0, 1, 4, 8 * MIB, 4),
        (0, 1, 16, 5 * MIB, 16),
        (0, 8, 2, 5 * MIB, 2),
        # Several objects at a time are as many parts at a time.
        (0, 8, 4, 5 * MIB, 2),
        (0, 2, 4, 5 * MIB, 4),
        (200 * GIB, 1, 4, 26 * MIB, 3),
        (5 * TIB, 1, 16, 656 * MIB, 2),
    ],
)
def test_more_parts_at_a_time_take_no_more_memory(
    estimate: int, uploads: int, concurrency: int, part_size: int, buffers: int
) -> None:
    found = choose_part_size(estimate, uploads, concurrency)
    assert (found, choose_buffers(found, uploads, concurrency)) == (part_size, buffers)
    plain = choose_part_size(estimate, uploads)
    assert found * buffers * uploads <= max(80 * MIB, 2 * plain * uploads)
