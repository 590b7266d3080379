"""A limit on the bytes a second that all of a run's connections take together."""

import threading
import time
from collections.abc import Callable

# Shorter waits add up until they reach this: no wait is more exact.
_LEAST_SECONDS = 0.01

# Called with the size of every block that goes over the wire; may wait before it returns.
OnSent = Callable[[int], None]


class RateLimit:
    """Makes senders wait so that together they stay at `rate` bytes a second.

    Time in which nothing was sent is lost, so there are no bursts.
    """

    def __init__(self, rate: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._due = clock()

    def pace(self, sleep: Callable[[float], None]) -> OnSent:
        """Return what counts blocks and waits until they are due, by `sleep`.

        `sleep` waits for some seconds and raises when the sender has to stop.
        """

        def wait_until_due(size: int) -> None:
            wait = self._count(size)
            if wait > _LEAST_SECONDS:
                sleep(wait)

        return wait_until_due

    def _count(self, size: int) -> float:
        """Account for `size` bytes and return the seconds until they are due."""
        with self._lock:
            now = self._clock()
            self._due = max(self._due, now) + size / self._rate
            return self._due - now
