"""Something that is done over and over while a test does something else."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor


@contextlib.contextmanager
def repeated(once: Callable[[int], object]) -> Iterator[None]:
    """Something is done over and over, at least once before the context is entered."""
    over, begun = threading.Event(), threading.Event()

    def go_on() -> None:
        for turn in itertools.count():
            once(turn)
            begun.set()
            if over.is_set():
                return

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(go_on)
        try:
            while not begun.wait(0.1):
                assert not writing.done(), writing.exception()
            yield
        finally:
            over.set()
            writing.result()
