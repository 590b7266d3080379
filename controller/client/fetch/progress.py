"""Shows how far a fetch is: one line that changes on a terminal, a line now and then elsewhere."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from controller.client.terminal.output import duration, size
from controller.client.terminal.screen import Screen
from dumpers.runtime.log import PlainFormatter

_LIVE_SECONDS, _SECONDS = 0.3, 10.0
_SECONDS_A_MINUTE = 60


class FetchProgress:
    """Counts the stored bytes of `total` in all; threads may count."""

    def __init__(
        self, screen: Screen, total: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._screen = screen
        self._total = total
        self._clock = clock
        self._pause = _LIVE_SECONDS if screen.is_live else _SECONDS
        self._began = self._shown = clock()
        self._what = ""
        self.done = 0

    def begin(self, what: str) -> None:
        """Name what is fetched from now on."""
        self._what = what

    def count(self, stored: int) -> None:
        """Add bytes, and show where they stand if that is due."""
        self.done += stored
        now = self._clock()
        if now - self._shown >= self._pause:
            self._shown = now
            self._screen.status(self.line(now))

    @property
    def seconds(self) -> float:
        """How long it takes so far."""
        return self._clock() - self._began

    def line(self, now: float) -> str:
        """`shop.sql  1:05  310 MiB of 1.2 GiB  4.8 MiB/s  about 3 min left`."""
        seconds = now - self._began
        minutes, rest = divmod(int(seconds), _SECONDS_A_MINUTE)
        rate = self.done / seconds if seconds > 0 else 0.0
        parts = [self._what, f"{minutes}:{rest:02}", f"{size(self.done)} of {size(self._total)}"]
        parts.append(f"{size(rate)}/s")
        if rate and self._total > self.done:
            parts.append(f"about {duration((self._total - self.done) / rate)} left")
        return "  ".join(parts)


@contextmanager
def remarks_on(screen: Screen) -> Iterator[None]:
    """Show what is logged meanwhile, such as waits for the store, on the screen."""
    handler = _OnScreen(screen)
    handler.setFormatter(PlainFormatter())
    logger = logging.getLogger("dumpers")
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before


class _OnScreen(logging.Handler):
    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        self._screen.line(self.format(record))
