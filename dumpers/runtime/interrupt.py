"""One place that says "stop now": a signal or the deadline, seen by everything that waits.

Signal handlers only trip it. Whoever waits, for the dump tool or for S3, waits through it and gets
InterruptedRunError raised in the main thread, at a point where the run can be ended in good order.
"""

import os
import queue
import select
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from dumpers.runtime.errors import InterruptedRunError

T = TypeVar("T")

# How long a waiter on a thread's result may take to notice a signal.
_NOTICE_SECONDS = 0.1
# The kernel counts a poll's milliseconds in an int; whoever waits asks again.
_LONGEST_POLL_SECONDS = 3600.0


class Interrupt:
    """Tells every waiter of a run to give up.

    `seconds` is how long the run may take from now on, None for any time.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._ends = None if seconds is None else time.monotonic() + seconds
        self._seconds = seconds
        self._cause: str | None = None
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        weakref.finalize(self, _close, self._read_end, self._write_end)

    def cancel(self, cause: str) -> None:
        """Stop the run because of `cause`; safe to call from a signal handler, and repeatedly."""
        if self._cause is None:
            self._cause = cause
            os.write(self._write_end, b"!")

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked the run to stop; the deadline does not count."""
        return self._cause is not None

    def check(self) -> None:
        """Raise InterruptedRunError once the run has to stop."""
        if self._cause is not None:
            raise InterruptedRunError(f"stopped by {self._cause} before the dump was complete")
        if self._ends is not None and time.monotonic() >= self._ends:
            raise InterruptedRunError(
                f"stopped after {self._seconds:.0f} s, close to the job's deadline: the dump takes "
                "longer than the job may run; raise the deadline"
            )

    def wait_readable(self, descriptor: int) -> None:
        """Return when `descriptor` has data or is at its end; raise when the run has to stop."""
        self._wait_for(descriptor, select.POLLIN)

    def wait_writable(self, descriptor: int) -> None:
        """Return when `descriptor` takes data or has no reader; raise when the run has to stop."""
        self._wait_for(descriptor, select.POLLOUT)

    def _wait_for(self, descriptor: int, event: int) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        poll.register(self._read_end, select.POLLIN)
        while True:
            self.check()
            ready = {fd for fd, _ in poll.poll(self._milliseconds_left())}
            if self._read_end not in ready and descriptor in ready:
                return

    def _milliseconds_left(self) -> float | None:
        if self._ends is None:
            return None
        return min(max(0.0, self._ends - time.monotonic()), _LONGEST_POLL_SECONDS) * 1000

    def wait(self, call: Callable[[float], T]) -> T:
        """Return `call(timeout)`, calling again on TimeoutError until the run has to stop."""
        while True:
            self.check()
            try:
                return call(_NOTICE_SECONDS)
            except TimeoutError:
                continue

    def get(
        self, items: "queue.SimpleQueue[T] | queue.Queue[T]", *, seconds: float | None = None
    ) -> T:
        """Take the next item of a queue that another thread fills.

        Raises queue.Empty where none comes within `seconds`.
        """
        ends = None if seconds is None else time.monotonic() + seconds

        def attempt(timeout: float) -> T:
            try:
                return items.get(timeout=timeout)
            except queue.Empty:
                if ends is not None and time.monotonic() > ends:
                    raise
                raise TimeoutError from None

        return self.wait(attempt)

    def sleep(self, seconds: float) -> None:
        """Let time pass; raise as soon as the run has to stop."""
        ends = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self._read_end, select.POLLIN)
        self.check()
        while (left := ends - time.monotonic()) > 0:
            limits = [_LONGEST_POLL_SECONDS, left]
            if self._ends is not None:
                limits.append(max(0.0, self._ends - time.monotonic()))
            poll.poll(min(limits) * 1000)
            self.check()

    def result(self, future: "Future[T]") -> T:
        """Wait for another thread's result; its own TimeoutError is told from ours."""
        self.wait(lambda timeout: _finished(future, timeout))
        return future.result()


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _finished(future: "Future[T]", timeout: float) -> None:
    try:
        future.exception(timeout)
    except TimeoutError:
        if not future.done():
            raise
