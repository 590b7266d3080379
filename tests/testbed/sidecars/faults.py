"""What goes wrong in a sidecar because a test said so, and where an operation waits for a test."""

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from tests.testbed.sidecars.errors import DiedError, FailedError

Step = Literal["create", "frozen", "upload", "metadata", "download", "attach"]
"""Before anything is done; once a table is frozen; before each object; before the last one, which
makes a backup whole; before each part that comes back; before a table's parts are attached."""
_POLL = 0.01
_SECONDS = 60


@dataclass(slots=True, kw_only=True)
class Hold:
    """A place where an operation waits until it is told to go on, or for ever."""

    step: Step
    after: int
    stubborn: bool
    every: bool = False
    reached: threading.Event = field(default_factory=threading.Event)
    passed: threading.Event = field(default_factory=threading.Event)
    _turns: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def wait(self) -> None:
        """Returns once an operation stands there; TimeoutError."""
        if not self.reached.wait(_SECONDS):
            raise TimeoutError(f"no operation came to `{self.step}` within {_SECONDS} s")

    def let_one(self) -> None:
        """Lets it go on to where it comes to the step again, where it waits at every turn."""
        self.reached.clear()
        self._turns.release()

    def release(self) -> None:
        """Lets it go on to its end."""
        self.passed.set()

    def stand(self, life: "Life") -> None:
        """An operation waits here."""
        self.reached.set()
        while not self._turns.acquire(timeout=_POLL) and not self.passed.is_set():
            life.check(stubborn=self.stubborn)


@dataclass(slots=True, kw_only=True)
class Life:
    """An operation's: whether it was cancelled, and whether its process is still there."""

    dead: threading.Event
    cancelled: threading.Event = field(default_factory=threading.Event)

    def check(self, *, stubborn: bool = False) -> None:
        if self.dead.is_set():
            raise DiedError
        if self.cancelled.is_set() and not stubborn:
            raise FailedError("context canceled")


@dataclass(slots=True, kw_only=True)
class Faults:
    """Of one sidecar; what is told holds across its restarts."""

    _holds: list[Hold] = field(default_factory=list)
    _errors: list[tuple[Step, str]] = field(default_factory=list)
    _full: bool = False

    @contextlib.contextmanager
    def held(
        self, step: Step, *, after: int = 0, stubborn: bool = False, every: bool = False
    ) -> Iterator[Hold]:
        """Stops the first operation that comes to the step for the `after + 1`st time.

        A stubborn one does not even notice that it was cancelled. With `every` it stops there
        again and again, each time until it is let on. It goes on afterwards.
        """
        hold = Hold(step=step, after=after, stubborn=stubborn, every=every)
        self._holds.append(hold)
        try:
            yield hold
        finally:
            hold.release()
            if hold in self._holds:
                self._holds.remove(hold)

    def fail(self, step: Step, error: str) -> None:
        """The next operation that comes to the step ends there with this error."""
        self._errors.append((step, error))

    @contextlib.contextmanager
    def full_disk(self) -> Iterator[None]:
        """The data disk takes nothing more meanwhile; links and what is there already stay."""
        self._full = True
        try:
            yield
        finally:
            self._full = False

    def room(self, path: object) -> None:
        """Raises where nothing can be written to the data disk."""
        if self._full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), f"write {path}")

    def at(self, step: Step, life: Life) -> None:
        """An operation is there: it waits, fails or goes on."""
        life.check()
        for number, (where, error) in enumerate(self._errors):
            if where == step:
                del self._errors[number]
                raise FailedError(error)
        for hold in [*self._holds]:
            if hold.step != step or hold.passed.is_set():
                continue
            if hold.reached.is_set() and not hold.every:
                continue
            if hold.after:
                hold.after -= 1
                continue
            hold.stand(life)
        life.check()
