"""Stopping a run, or a part of it: by a signal, the deadline, or a failure beside it.

Signal handlers only cancel an interrupt. Code that waits, for the dump tool or for S3, waits
through the interrupt and gets InterruptedRunError at a point where the run can end in good order.
"""

import os
import queue
import select
import time
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TypeVar

from dumpers.runtime.errors import DeadlineExceededError, InterruptedRunError

T = TypeVar("T")

# How long a waiter on a thread's result may take to notice a signal.
_NOTICE_SECONDS = 0.1
# The kernel counts a poll's milliseconds in an int; waiters poll again.
_LONGEST_POLL_SECONDS = 3600.0


class _Scope:
    """What one interrupt adds to those around it: its own deadline, and why it was cancelled."""

    def __init__(self, seconds: float | None, work: str, *, is_part: bool) -> None:
        self.seconds = seconds
        self.work = work
        self.is_part = is_part
        self.ends = None if seconds is None else time.monotonic() + seconds
        self.cause: str | None = None
        self.held_up_by = ""
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.write_end, False)
        weakref.finalize(self, _close, self.read_end, self.write_end)

    def out_of_time(self) -> InterruptedRunError:
        """The error for a deadline that has come, or for a part that took as long as it may."""
        waited = f"it was waiting for {self.held_up_by}" if self.held_up_by else ""
        if self.is_part:
            why = f": {waited}" if waited else ""
            return InterruptedRunError(
                f"the {self.work} was stopped after {self.seconds:.0f} s, the longest it may take"
                f"{why}"
            )
        cause = waited or f"the {self.work} takes longer than the job may run; raise the deadline"
        return DeadlineExceededError(
            f"stopped after {self.seconds:.0f} s, close to the job's deadline: {cause}"
        )


class Interrupt:
    """Makes everything stop that waits through it, or through a child of it.

    `seconds` is how long the run may take from now on, None for any time; with `is_part`, how long
    a part of it may, whatever the job's deadline is. `work` names what is stopped, in messages.
    Threads may share it.
    """

    def __init__(
        self, seconds: float | None = None, *, work: str = "dump", is_part: bool = False
    ) -> None:
        self._own = _Scope(seconds, work, is_part=is_part)
        self._scopes: tuple[_Scope, ...] = (self._own,)

    def child(self, seconds: float | None = None, *, work: str = "") -> "Interrupt":
        """A scope of its own: cancelling the child ends only what waits through the child.

        Cancelling this interrupt, and its deadline, ends its children, too. A child of this `work`
        may take `seconds`, None for any time.
        """
        child = Interrupt(seconds, work=work or self._own.work, is_part=seconds is not None)
        # The outermost first: its cause is the one to show.
        child._scopes = (*self._scopes, child._own)
        return child

    def cancel(self, cause: str) -> None:
        """Stop because of `cause`; safe to call from a signal handler, and repeatedly."""
        if self._own.cause is None:
            self._own.cause = cause
            os.write(self._own.write_end, b"!")

    def hold_up(self, by: str) -> None:
        """Remember what the run waits for, to name it where the deadline comes; empty: nothing."""
        for scope in self._scopes:
            scope.held_up_by = by

    @property
    def is_cancelled(self) -> bool:
        """Whether this scope or one around it was cancelled; the deadline does not count."""
        return any(scope.cause is not None for scope in self._scopes)

    @property
    def is_over(self) -> bool:
        """Whether the run, or this part of it, has to stop: cancelled, or out of time."""
        return self.is_cancelled or self._milliseconds(1.0) == 0.0

    def check(self) -> None:
        """Raise InterruptedRunError once the run, or this part of it, has to stop."""
        for scope in self._scopes:
            if scope.cause is not None:
                raise InterruptedRunError(
                    f"stopped by {scope.cause} before the {scope.work} was complete"
                )
            if scope.ends is not None and time.monotonic() >= scope.ends:
                raise scope.out_of_time()

    def wait_readable(self, descriptor: int) -> None:
        """Return when `descriptor` has data or is at its end; raise when the run has to stop."""
        self._wait_for_any({descriptor: select.POLLIN})

    def wait_writable(self, descriptor: int) -> None:
        """Return when `descriptor` takes data or has no reader; raise when the run has to stop."""
        self._wait_for_any({descriptor: select.POLLOUT})

    def wait_first(self, *, readable: int, writable: int) -> int:
        """Return the first that is ready, as by the two above; `readable` where both are."""
        ready = self._wait_for_any({readable: select.POLLIN, writable: select.POLLOUT})
        return readable if readable in ready else writable

    def _wait_for_any(self, events: Mapping[int, int]) -> set[int]:
        """Return those of the descriptors that are ready; raise when the run has to stop."""
        poll = self._poll()
        for descriptor, event in events.items():
            poll.register(descriptor, event)
        while True:
            self.check()
            ready = {fd for fd, _ in poll.poll(self._milliseconds(_LONGEST_POLL_SECONDS))}
            if ready and ready <= events.keys():
                return ready

    def _poll(self) -> select.poll:
        """A poll that ends when this scope or one around it is cancelled."""
        poll = select.poll()
        for scope in self._scopes:
            poll.register(scope.read_end, select.POLLIN)
        return poll

    def _milliseconds(self, seconds: float) -> float:
        """At most `seconds`, and no longer than to the next deadline, as a poll wants it."""
        ends = [scope.ends for scope in self._scopes if scope.ends is not None]
        left = min((end - time.monotonic() for end in ends), default=seconds)
        return max(0.0, min(left, seconds, _LONGEST_POLL_SECONDS)) * 1000

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

    def put(self, items: "queue.Queue[T]", item: T) -> None:
        """Put an item into a bounded queue that another thread empties."""

        def attempt(timeout: float) -> None:
            try:
                items.put(item, timeout=timeout)
            except queue.Full:
                raise TimeoutError from None

        self.wait(attempt)

    def sleep(self, seconds: float) -> None:
        """Let time pass; raise as soon as the run has to stop."""
        ends = time.monotonic() + seconds
        poll = self._poll()
        self.check()
        while (left := ends - time.monotonic()) > 0:
            poll.poll(self._milliseconds(left))
            self.check()

    def result(self, future: "Future[T]") -> T:
        """Wait for another thread's result; a TimeoutError that the thread raised is raised."""
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
