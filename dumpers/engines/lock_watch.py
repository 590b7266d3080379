"""Ends a dump tool that waits for a lock of its database for too long."""

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from typing import Self

from dumpers.runtime.errors import InterruptedRunError, KsnapshotError, SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader


class LockWatch(ABC):
    """Watches a dump tool that cannot be told how long to wait; a context manager.

    A thread asks the server where the tool has written nothing for `seconds`, and ends the tool by
    cancelling `interrupt`, through which it has to be read. With 0 seconds nothing is watched.
    """

    def __init__(self, *, seconds: float, interrupt: Interrupt) -> None:
        self.seconds = seconds
        self.outer = interrupt
        self.interrupt = interrupt.child()
        self._wrote = time.monotonic()
        self._ended = threading.Event()
        self._waited = ""

    @abstractmethod
    def find_wait(self) -> str:
        """Return what the tool waits for; empty if for no lock. A KsnapshotError is no answer."""

    @abstractmethod
    def explain(self, waited: str) -> KsnapshotError:
        """Return the error to raise for what `find_wait` has returned."""

    def wait_in(self, said: str) -> str:  # noqa: ARG002  for subclasses
        """Return the lock that the tool itself has given up on, by its error; empty if none."""
        return ""

    def __enter__(self) -> Self:
        if self.seconds:
            threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def watched(self, reader: Reader) -> Reader:
        """Return a reader of the tool that raises what `explain` returns for a lock."""
        return _Watched(reader, self)

    def read(self, reader: Reader, size: int) -> bytes:
        """Read through; raises what `explain` returns for a lock, and what the reader raises."""
        try:
            data = reader.read(size)
        except InterruptedRunError:
            if not self._waited:
                raise
            raise self.explain(self._waited) from None
        except SourceFailedError as error:
            if not (waited := self.wait_in(str(error))):
                raise
            raise self.explain(waited) from error
        self._wrote = time.monotonic()
        return data

    def _watch(self) -> None:
        while not self._ended.wait(self.seconds / 10):
            if time.monotonic() - self._wrote < self.seconds:
                continue
            with contextlib.suppress(KsnapshotError):
                self._waited = self.find_wait()
            if self._waited:
                self.interrupt.cancel("a lock of the database")
                return


class _Watched:
    def __init__(self, reader: Reader, watch: LockWatch) -> None:
        self._reader = reader
        self._watch = watch

    def read(self, size: int = -1, /) -> bytes:
        return self._watch.read(self._reader, size)
