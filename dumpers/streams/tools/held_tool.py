"""A running tool that is held while nobody reads from it, as when the store is away.

A server gives up a client that takes nothing for a while (MariaDB's net_write_timeout is a minute),
so a little is read ahead all the time: that counts as taking.
"""

import select
import threading
import time
from collections import deque
from typing import Self

from dumpers.runtime.errors import InterruptedRunError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.tools.tool import Command, EndProof, ToolReader

# The server can write on only once a third of its socket's buffer is free, mostly of 4 MiB, and
# a dump has up to twice the bytes that came over the network. Enough for five minutes.
_STEP_BYTES, _STEP_SECONDS = 512 << 10, 4.0
_MOST_AHEAD = 40 << 20


class HeldToolReader(ToolReader):
    """Reads ahead in small steps, to a bound, while `read` is not called for some seconds."""

    def __init__(
        self,
        command: Command,
        *,
        proof: EndProof,
        interrupt: Interrupt,
        step_seconds: float = _STEP_SECONDS,
    ) -> None:
        super().__init__(command, proof=proof, interrupt=interrupt)
        self._step_seconds = step_seconds
        self._lock = threading.Lock()
        self._ahead: deque[bytes] = deque()
        self._size = 0
        self._last_read = time.monotonic()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._hold, name="hold", daemon=True)

    def __enter__(self) -> Self:
        super().__enter__()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._left.set()
        self._thread.join()
        super().__exit__(*error)

    def read(self, size: int = -1, /) -> bytes:
        """Return what was read ahead, then what the tool writes; see `ToolReader.read`."""
        with self._lock:
            try:
                if self._ahead:
                    return self._take(size)
                return super().read(size)
            finally:
                self._last_read = time.monotonic()

    def _take(self, size: int) -> bytes:
        block = self._ahead.popleft()
        if 0 <= size < len(block):
            block, rest = block[:size], block[size:]
            self._ahead.appendleft(rest)
        self._size -= len(block)
        return block

    def _hold(self) -> None:
        while not self._left.wait(self._step_seconds) and self._size < _MOST_AHEAD:
            # Who holds the lock is reading.
            if self._lock.acquire(blocking=False):
                try:
                    if time.monotonic() - self._last_read >= self._step_seconds:
                        self._read_ahead()
                except InterruptedRunError:
                    return
                finally:
                    self._lock.release()

    def _read_ahead(self) -> None:
        """Read a step, of what is there; the end of the output is left to whoever reads."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        taken = 0
        while taken < _STEP_BYTES and any(event & select.POLLIN for _, event in poll.poll(0)):
            block = super().read(_STEP_BYTES - taken)
            if not block:
                return
            self._ahead.append(block)
            self._size += len(block)
            taken += len(block)
