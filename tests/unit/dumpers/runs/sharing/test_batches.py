from dataclasses import dataclass
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from dumpers.engines.protocol import DumpStream
from dumpers.runs.sharing.batches import cut

_MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Sized:
    estimate: int


def streams(sizes: list[int]) -> list[DumpStream]:
    return [cast("DumpStream", Sized(size)) for size in sizes]


@given(st.lists(st.integers(min_value=0, max_value=1 << 34), max_size=60))
def test_every_stream_is_in_one_batch_and_none_is_much_of_the_whole(sizes: list[int]) -> None:
    batches = cut(streams(sizes))
    assert [item.estimate for batch in batches for item in batch] == sizes
    least = max(sum(sizes) // 10, 8 * _MEBIBYTE)
    for batch in batches:
        assert batch
        # Without its last stream, a batch is not full.
        assert sum(item.estimate for item in batch[:-1]) < least
    assert len(batches) <= 11


def test_what_is_small_is_one_batch() -> None:
    assert len(cut(streams([_MEBIBYTE] * 7))) == 1
    assert cut([]) == []
