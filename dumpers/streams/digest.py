"""A checksum of a stream, computed beside it."""

import hashlib
import queue
import threading

# How many blocks the digest may lag behind: they take memory, and give the threads slack.
_BLOCKS_AHEAD = 8


class BackgroundSha256:
    """sha256 of a stream, computed in a thread of its own: hashing costs as much as compressing.

    Blocks are handed over without a copy, so they must not change; at most a few of them wait.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._blocks: queue.Queue[bytes | None] = queue.Queue(_BLOCKS_AHEAD)
        self._thread = threading.Thread(target=self._work, name="sha256", daemon=True)
        self._thread.start()

    def update(self, block: bytes) -> None:
        """Add the next block, waiting while too many are not hashed yet."""
        self._blocks.put(block)

    def end(self) -> str:
        """End the thread and return the digest of all blocks, as hex; harmless when repeated."""
        if self._thread.is_alive():
            self._blocks.put(None)
            self._thread.join()
        return self._digest.hexdigest()

    def _work(self) -> None:
        while (block := self._blocks.get()) is not None:
            self._digest.update(block)
