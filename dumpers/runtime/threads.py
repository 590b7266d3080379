"""Working with threads side by side."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

T = TypeVar("T")


def map_parallel(
    work: Callable[[T], object],
    items: Iterable[T],
    *,
    at_a_time: int,
    name: str,
    stop: Callable[[], None] = lambda: None,
) -> None:
    """Call `work` for every item, `at_a_time` items side by side; one at a time in this thread.

    Raises the first error once `stop` was called, which has to make the other calls end, and they
    have ended. Items that have not begun by then never begin.
    """
    if at_a_time <= 1:
        for item in items:
            work(item)
        return
    pool = ThreadPoolExecutor(at_a_time, thread_name_prefix=name)
    try:
        for ended in as_completed([pool.submit(work, item) for item in items]):
            ended.result()
    except BaseException:
        stop()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    finally:
        pool.shutdown()
