"""Reading the bytes of an age file decrypted, beside whatever else is done with them."""

import queue
import threading
from collections.abc import Sequence
from typing import Self

from dumpers.runtime.interrupt import Interrupt
from dumpers.streams import age
from dumpers.streams.reader import BufferedReader, Reader

# The library writes 8 KiB at a time. So many bytes are handed over at once, and so many blocks of
# them may wait.
_BLOCK_BYTES, _BLOCKS_AHEAD = 1 << 18, 4


class DecryptReader(BufferedReader):
    """The bytes of `source` decrypted, by a thread of its own, in constant memory.

    A context manager: leaving it ends the thread, at the latest when the source's next read
    returns. The library hands out bytes before it can notice that the end is missing, so the end is
    told only once it has returned. Raises the source's errors, NoKeyFitsError, and
    BackupDamagedError where the bytes are not those that were encrypted.
    """

    def __init__(
        self, source: Reader, identities: Sequence[age.Identity], *, interrupt: Interrupt
    ) -> None:
        super().__init__()
        self._scope = interrupt.child()
        self._source = source
        self._identities = list(identities)
        self._blocks: queue.Queue[bytes | BaseException] = queue.Queue(_BLOCKS_AHEAD)
        self._pending: list[bytes] = []
        self._pending_bytes = 0

        self._thread = threading.Thread(target=self._work, name="decrypt", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._scope.cancel("the end of the decryption")

    def join(self, seconds: float | None = None) -> None:
        """Wait so long for the thread, once this was left; without a limit where none is given.

        A thread that wakes within the library while Python ends would take the process with it.
        """
        self._thread.join(seconds)

    def next_block(self) -> bytes:
        """Return the next block; b"" once the whole file was decrypted and nothing follows it."""
        block = self._scope.get(self._blocks)
        if isinstance(block, BaseException):
            raise block
        return block

    def write(self, data: bytes, /) -> int:
        """Take bytes of the library; for the thread only."""
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= _BLOCK_BYTES:
            self._hand_over()
        return len(data)

    def flush(self) -> None:
        """Do nothing: the end is told by `next_block`."""

    def _hand_over(self) -> None:
        if self._pending:
            self._scope.put(self._blocks, b"".join(self._pending))
            self._pending, self._pending_bytes = [], 0

    def _work(self) -> None:
        try:
            age.decrypt(_Rebuffered(self._source), self, self._identities)
            self._hand_over()
            self._scope.put(self._blocks, b"")
        except BaseException as error:  # noqa: BLE001  whatever it is, it is the reader's
            if not self._scope.is_cancelled:
                self._scope.put(self._blocks, error)


class _Rebuffered(BufferedReader):
    """Serves the library's small reads from large ones."""

    def __init__(self, source: Reader) -> None:
        super().__init__()
        self._source = source

    def next_block(self) -> bytes:
        return self._source.read()
