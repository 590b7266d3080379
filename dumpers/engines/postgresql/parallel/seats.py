"""How many sessions the snapshots of a run have at a time."""

import threading
from dataclasses import dataclass, field

from dumpers.runtime.interrupt import Interrupt


@dataclass(kw_only=True)
class Seats:
    """So many sessions as there are `free`; who wants more than are left waits for the others.

    Nobody waits for ever where whoever has some lets them go without wanting more.
    """

    free: int
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, count: int, interrupt: Interrupt) -> None:
        """Return once so many are taken; raise when the run has to stop."""
        interrupt.wait(lambda timeout: self._take(count, timeout))

    def give_back(self, count: int) -> None:
        """Let others have them."""
        with self._changed:
            self.free += count
            self._changed.notify_all()

    def _take(self, count: int, timeout: float) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self.free >= count, timeout):
                raise TimeoutError
            self.free -= count
