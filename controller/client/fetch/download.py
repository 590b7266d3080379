"""One object of a backup as a stream, on from where a connection broke."""

from collections.abc import Callable

from controller.client.fetch.http import Answer, TargetRefusedByStoreError, open_object
from controller.client.fetch.sources import Source
from dumpers.runtime.errors import BackupDamagedError, StorageFailedError, StorageRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.errors import StoreAwayError
from dumpers.storage.patience import Patience
from dumpers.streams.reader import BufferedReader

_BLOCK_BYTES = 1 << 18
# How long the store, or the way through the cluster, may be away.
PATIENCE_SECONDS = 300.0


class ObjectDownload(BufferedReader):
    """The stored bytes of the object at this place in the offer.

    A connection that breaks is made again and goes on at the byte where it broke; a URL that is
    refused is renewed once before more has to come. Whether the bytes are those that were stored is
    for whoever reads them to prove. `count` gets the size of each block.
    """

    def __init__(
        self,
        source: Source,
        place: int,
        *,
        interrupt: Interrupt,
        count: Callable[[int], None],
        patience: Patience | None = None,
    ) -> None:
        super().__init__()
        self._source = source
        self._place = place
        self._wanted = source.offer.objects[place]
        self._interrupt = interrupt
        self._count = count
        self._patience = patience or Patience(seconds=PATIENCE_SECONDS)
        self._answer: Answer | None = None
        self._offset, self._etag = 0, ""
        self._renewed_at: int | None = None

    def close(self) -> None:
        """End the connection."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def next_block(self) -> bytes:
        """Return the next block; b"" at the object's end."""
        try:
            return self._patience.call(self._read, interrupt=self._interrupt)
        except StorageFailedError as error:
            away = error.__cause__
            if not isinstance(away, StoreAwayError):
                raise
            raise StorageFailedError(
                f"{away}; nothing came for {self._patience.seconds:.0f} s: fetch it again when the "
                "store can be reached, or try --through-cluster"
            ) from away

    def _read(self) -> bytes:
        answer = self._answer = self._answer or self._open()
        if self._offset == answer.total:
            return b""
        try:
            block = answer.read(_BLOCK_BYTES)
        except StoreAwayError:
            self.close()
            raise
        if not block:
            self.close()
            raise StoreAwayError(
                f"the connection ended at byte {self._offset} of {self._wanted.size}"
            )
        self._offset += len(block)
        self._count(len(block))
        return block

    def _open(self) -> Answer:
        key = self._wanted.key
        target = self._source.target(self._place)
        try:
            answer = open_object(target, key, start=self._offset)
        except TargetRefusedByStoreError as error:
            if self._renewed_at == self._offset:
                raise StorageRefusedError(
                    f"{error}; the URL is new. If what answers is not the store itself, "
                    "--through-cluster goes another way"
                ) from error
            self._renewed_at = self._offset
            self._source.renew()
            return self._open()
        if answer.total != self._wanted.size:
            answer.close()
            raise BackupDamagedError(
                f"{key} has {answer.total} bytes, and the manifest says {self._wanted.size}"
            )
        if self._etag and answer.etag != self._etag:
            answer.close()
            raise StorageFailedError(
                f"{key} changed while it was read: what was read of it is of no use"
            )
        self._etag = answer.etag
        return answer
