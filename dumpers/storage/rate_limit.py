"""A limit on the bytes a second that all of a run's connections take together."""

import threading
import time
from collections.abc import Callable

# Shorter waits add up until they reach this: no wait is more exact.
_LEAST_SECONDS = 0.01

# Called with the size of every block that goes over the wire; may wait before it returns.
OnSent = Callable[[int], None]


class RateLimit:
    """Makes its callers wait so that together they stay at `rate` bytes a second.

    `sleep` waits for some seconds and raises when the run has to stop. Time in which nothing was
    sent is lost, so there are no bursts.
    """

    def __init__(
        self,
        rate: int,
        *,
        sleep: Callable[[float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = rate
        self._sleep = sleep
        self._clock = clock
        self._lock = threading.Lock()
        self._due = clock()

    def __call__(self, size: int) -> None:
        """Account for `size` bytes and wait until they are due."""
        with self._lock:
            now = self._clock()
            self._due = max(self._due, now) + size / self._rate
            wait = self._due - now
        if wait > _LEAST_SECONDS:
            self._sleep(wait)
