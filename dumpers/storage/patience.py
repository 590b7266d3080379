"""Trying a call again while the store is away, with pauses that grow."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from dumpers.runtime.errors import KsnapshotError, StorageFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.storage.errors import StoreAwayError

_LOG = logging.getLogger(__name__)
T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 15.0
# No attempt at a silent store takes longer. One that does had got on before it failed, so that the
# store has been away since then only; but not for ever: what always breaks off needs a person.
_SILENT_SECONDS = 60.0
_MOST_THAT_GOT_ON = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How many seconds a call waits for a store that is away, from its first failure on.

    A store that says when to come back is not asked before, but for the end of the patience.
    `sleep` lets seconds pass and raises when the run has to stop.
    """

    seconds: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[Interrupt, float], object] = Interrupt.sleep

    def call(self, attempt: Callable[[], T], *, interrupt: Interrupt) -> T:
        """Return what `attempt` returns, trying again on StoreAwayError.

        What is tried must do no harm when done twice. Raises StorageFailedError with the last
        attempt's reason once the store has been away for too long, all other errors of the attempt
        at once, and InterruptedRunError.
        """
        away_since: float | None = None
        got_on, tries, pause = 0, 0, _FIRST_PAUSE
        while True:
            interrupt.check()
            began, tries = self.clock(), tries + 1
            try:
                result = attempt()
            except StoreAwayError as error:
                now = self.clock()
                if now - began > _SILENT_SECONDS and got_on < _MOST_THAT_GOT_ON:
                    away_since, got_on, pause = now, got_on + 1, _FIRST_PAUSE
                elif away_since is None:
                    away_since = began
                left = away_since + self.seconds - now
                # A store that was given up meanwhile is not waited for.
                if tries == 1 and not interrupt.is_cancelled:
                    _LOG.warning(
                        "waiting for the store", extra=fields(why=str(error), seconds=round(left))
                    )
                if left <= 0:
                    raise self._given_up(error, now - away_since) from error
                if not interrupt.is_cancelled:
                    interrupt.hold_up(f"the store: {error}")
                self.sleep(interrupt, min(max(pause, error.retry_after), left))
                pause = min(pause * 2, _LONGEST_PAUSE)
            except KsnapshotError:
                # A refusal is an answer, too.
                self._tell_that_it_is_back(away_since, tries, interrupt)
                raise
            else:
                self._tell_that_it_is_back(away_since, tries, interrupt)
                return result

    def _tell_that_it_is_back(
        self, away_since: float | None, tries: int, interrupt: Interrupt
    ) -> None:
        if away_since is not None:
            interrupt.hold_up("")
            seconds = round(self.clock() - away_since, 1)
            _LOG.info("the store answers again", extra=fields(tries=tries, seconds=seconds))

    def _given_up(self, error: StoreAwayError, away: float) -> StorageFailedError:
        return StorageFailedError(
            f"{error}; the store has been away for {away:.0f} s, and S3_PATIENCE lets a run wait "
            f"for {self.seconds:.0f} s"
        )
