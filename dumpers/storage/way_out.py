"""The calls with which a run cleans up behind itself: they outlive its end, for a bounded time."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_futures
from dataclasses import replace
from typing import TypeVar

from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.patience import Patience

T = TypeVar("T")

_NOTICE_SECONDS = 0.1
# What a call gets where earlier ones have used up the patience.
_LEAST_SECONDS = 10.0


class WayOut:
    """Calls that go on when the run's own have ended; threads may share it.

    All calls together have the run's patience with a store that is away, counted anew after one
    that went well. `run` is the interrupt of the whole run. With `is_short`, nobody waits longer
    for a call than where the run was told to end.
    """

    def __init__(self, patience: Patience, run: Interrupt, *, is_short: bool = False) -> None:
        self._patience = patience
        self._run = run
        self._is_short = is_short
        self._ends: float | None = None

    def call(self, call: Callable[[], T], *, last_seconds: float) -> T:
        """Make a call in a thread of its own, again until it succeeds or the patience is over.

        Once the run was told to end, or is at its deadline, or with `is_short` from the start, at
        most `last_seconds` are left: a signal is followed by a kill. Raises the call's errors, and
        TimeoutError where the time is over.
        """
        scope = Interrupt()
        patience = self._rest()
        done = run_detached(lambda: patience.call(call, interrupt=scope))
        try:
            self._wait(done, last_seconds)
        finally:
            scope.cancel("the end of the run")
        result = done.result()
        self._ends = None
        return result

    def _rest(self) -> Patience:
        now = self._patience.clock()
        if self._ends is None:
            self._ends = now + self._patience.seconds
        least = min(_LEAST_SECONDS, self._patience.seconds)
        return replace(self._patience, seconds=max(self._ends - now, least))

    def _wait(self, done: "Future[T]", last_seconds: float) -> None:
        left = last_seconds
        while not wait_futures([done], _NOTICE_SECONDS).done:
            if self._is_short or self._run.is_over:
                left -= _NOTICE_SECONDS
            if left <= 0:
                raise TimeoutError


def run_detached(call: Callable[[], T]) -> "Future[T]":
    """Begin a call outside the worker threads, which may all wait for a store that hangs."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="detached")
    try:
        return pool.submit(call)
    finally:
        pool.shutdown(wait=False)
