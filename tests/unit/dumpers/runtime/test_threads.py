import threading

import pytest

from dumpers.runtime.threads import map_parallel


@pytest.mark.parametrize("at_a_time", [1, 3])
def test_every_item_is_worked_on(at_a_time: int) -> None:
    done: set[int] = set()
    map_parallel(done.add, range(20), at_a_time=at_a_time, name="t")
    assert done == set(range(20))


def test_items_are_worked_on_side_by_side() -> None:
    met = threading.Barrier(3, timeout=60)
    map_parallel(lambda _: met.wait(), range(3), at_a_time=3, name="t")
    assert not met.broken


def test_the_first_error_ends_the_others() -> None:
    stopped = threading.Event()
    ended: list[int] = []

    def work(item: int) -> None:
        if item == 0:
            raise LookupError("first")
        assert stopped.wait(60)
        ended.append(item)

    with pytest.raises(LookupError, match="first"):
        map_parallel(work, range(9), at_a_time=2, name="t", stop=stopped.set)
    # One was under way and ended by itself; at most one more had begun.
    assert len(ended) <= 2
