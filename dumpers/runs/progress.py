"""Shows how far a restore, a drill, a verification or a copy is, and where it hangs if it does."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dumpers.runtime.log import fields

_LOG = logging.getLogger(__name__)

# Events of the log.
RESTORING, READING, DRILLING = "restoring", "reading", "drilling"
COPYING = "copying"
_SECONDS = 5.0
_STALLED_SECONDS = 600.0


@dataclass(slots=True, kw_only=True)
class Watch:
    """Decides what is to be logged of a `doing`; `done` bytes of `total` at a time in seconds.

    A piece may be read more than once, so that more is done than there is in all.
    """

    doing: str
    total: int
    began: float
    _done: int = 0
    _moved: float | None = None
    _warned: float | None = None

    def look(self, done: int, now: float) -> tuple[str, dict[str, object]] | None:
        """The log line that is due, if any: what is done, or `no progress`."""
        moved = self._moved if self._moved is not None else self.began
        if done != self._done:
            self._done, self._moved, self._warned = done, now, None
            seconds = now - self.began
            return self.doing, {
                "bytes_done": done,
                "bytes_total": self.total,
                "bytes_per_second": round(done / seconds) if seconds else 0,
                "seconds": round(seconds, 1),
            }
        if now - (self._warned or moved) < _STALLED_SECONDS:
            return None
        self._warned = now
        return "no progress", {
            "bytes_done": done,
            "bytes_total": self.total,
            "stalled_seconds": round(now - moved),
        }


@contextmanager
def shown(
    doing: str, total: int, done: Callable[[], int], where: Callable[[], str]
) -> Iterator[None]:
    """Log the progress from a thread of its own; `where` says what is waited for.

    `doing` is RESTORING, READING, DRILLING or COPYING.
    """
    ended = threading.Event()
    watch = Watch(doing=doing, total=total, began=time.monotonic())

    def report() -> None:
        while not ended.wait(_SECONDS):
            if line := watch.look(done(), time.monotonic()):
                message, values = line
                stalled = message == "no progress"
                if stalled:
                    values |= {"waiting_for": where()}
                _LOG.log(
                    logging.WARNING if stalled else logging.INFO, message, extra=fields(**values)
                )

    thread = threading.Thread(target=report, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
