"""Reads a large object as a stream, on from where a connection broke."""

import logging
import queue
import threading
from typing import Self

from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.storage.errors import StoreAwayError
from dumpers.storage.run_storage import RunStorage
from dumpers.streams.reader import BufferedReader

_LOG = logging.getLogger(__name__)

# Blocks of 256 KiB that are read ahead while others are decrypted and unpacked.
_BLOCKS_AHEAD = 8
# Between two tries of a connection that breaks after it has brought something.
_RESUME_PAUSE_SECONDS = 0.2


class Download(BufferedReader):
    """An object of any size in constant memory, read ahead a little by a thread of its own.

    It begins at the byte `start`. A context manager: leaving it ends the thread. A connection that
    breaks is made again, as long as the storage's patience lasts, and goes on at the byte where it
    broke; an object that has become another one meanwhile is StorageFailedError. Whether the bytes
    are those that were stored is for whoever reads them to prove.
    """

    def __init__(self, storage: RunStorage, key: str, *, start: int = 0) -> None:
        super().__init__()
        self._key = key
        self._scope: Interrupt = storage.interrupt.child()
        self._storage = storage.with_interrupt(self._scope)
        self._blocks: queue.Queue[bytes | BaseException] = queue.Queue(_BLOCKS_AHEAD)
        self._offset, self._etag = start, ""
        self.is_waiting = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._fetch, name="download", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._scope.cancel("the end of the download")

    def next_block(self) -> bytes:
        """Return the next block, b"" at the object's end; raises what reading raised."""
        self.is_waiting = True
        block = self._storage.interrupt.get(self._blocks)
        self.is_waiting = False
        if isinstance(block, BaseException):
            raise block
        return block

    def _fetch(self) -> None:
        try:
            while not self._storage.repeat(self._read_on):
                self._scope.sleep(_RESUME_PAUSE_SECONDS)
            self._scope.put(self._blocks, b"")
        except BaseException as error:  # noqa: BLE001  whatever it is, it is the reader's
            if not self._scope.is_cancelled:
                self._scope.put(self._blocks, error)

    def _read_on(self) -> bool:
        """Read from the offset to the end; False where it broke off after some progress.

        A store that lets every connection break has not been away, as long as each brings more.
        """
        began = self._offset
        opened = self._storage.bucket.open(self._key, start=self._offset, etag=self._etag)
        self._etag = opened.etag
        try:
            for block in opened.blocks:
                self._scope.put(self._blocks, block)
                self._offset += len(block)
        except StoreAwayError as error:
            if self._offset == began:
                raise
            known = fields(key=self._key, offset=self._offset, why=str(error))
            _LOG.warning("the download broke off and goes on", extra=known)
            return False
        return True
