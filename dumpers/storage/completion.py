"""The end of an upload: making its object exist, and proving that the store holds what was sent."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dumpers.runtime.errors import (
    InterruptedRunError,
    KsnapshotError,
    StorageFailedError,
    StorageRefusedError,
)
from dumpers.runtime.log import fields
from dumpers.storage.errors import ForbiddenByStoreError, StoreAwayError
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.s3.answers import Head

_LOG = logging.getLogger(__name__)
_CHECKSUM = "Checksum"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object that is whole in the store; `checked` if the store confirmed this when asked.

    `crc32` is base64 of the big-endian CRC-32 of the whole, as S3 writes it.
    """

    key: str
    size: int
    sha256: str
    crc32: str
    checked: bool


@dataclass(slots=True, kw_only=True)
class Completion:
    """What was sent, of which the store makes an object; `checksums` says whether parts had any."""

    store: RunStorage
    key: str
    upload: str
    token: str
    size: int
    sha256: str
    crc32: str
    checksums: bool
    _tries: int = 0

    def complete(self, parts: Sequence[dict[str, Any]]) -> StoredObject:
        """Make the object exist, then ask the store whether it holds what was sent.

        StorageFailedError if it holds something else. Where the run has no right to ask (HEAD), the
        store is trusted, with a warning in the log.
        """
        try:
            checked = self.store.call(lambda: self._complete_once(parts))
        except InterruptedRunError:
            raise
        except KsnapshotError:
            # The last attempt's answer may be lost, too.
            if not self.store.attempt(self._is_stored):
                raise
            checked = True
        return StoredObject(
            key=self.key,
            size=self.size,
            sha256=self.sha256,
            crc32=self.crc32,
            checked=checked or self._confirm(),
        )

    def _complete_once(self, parts: Sequence[dict[str, Any]]) -> bool:
        """Try once; True if the object is there although the answer is an error.

        Where an earlier attempt's answer got lost, the store may know the upload no more, or still
        be at work on it.
        """
        self._tries += 1
        try:
            self._send(parts)
        except StorageFailedError as error:
            if self._is_stored():
                return True
            if self._tries > 1 and not isinstance(error, StoreAwayError):
                raise StoreAwayError(str(error)) from error
            raise
        return False

    def _send(self, parts: Sequence[dict[str, Any]]) -> None:
        """Complete with the whole's checksum; once more without, where the store refuses that."""
        bucket, refusal = self.store.bucket, None
        if self.checksums:
            try:
                bucket.complete_upload(
                    self.key, self.upload, parts=parts, size=self.size, crc32=self.crc32
                )
            except StorageRefusedError as error:
                refusal = error
            else:
                return
        plain = [
            {name: value for name, value in part.items() if not name.startswith(_CHECKSUM)}
            for part in parts
        ]
        bucket.complete_upload(self.key, self.upload, parts=plain, size=self.size, crc32=None)
        if refusal is not None:
            self.checksums = False
            self.store.forgo_checksums(refusal)

    def _is_stored(self) -> bool:
        """Whether a completion whose answer is an error has made the object all the same.

        A stream that is read again has the key, and often the size, of its first reading: the
        object counts only by what no earlier upload has, its token or its checksum.
        """
        try:
            head = self.store.bucket.head(self.key)
        except KsnapshotError:
            return False
        is_told = head is not None and not (head.upload is None and head.crc32 is None)
        return is_told and self._is_own(head)

    def _confirm(self) -> bool:
        try:
            head = self.store.call(lambda: self.store.bucket.head(self.key))
        except ForbiddenByStoreError:
            _LOG.warning(
                "the stored object could not be looked at: grant s3:GetObject to have it checked",
                extra=fields(key=self.key),
            )
            return False
        if self.store.lock and head and head.locked_until is None:
            _LOG.warning(
                "the lock of a stored object is not to be seen: grant s3:GetObjectRetention, or "
                "the store keeps none",
                extra=fields(key=self.key),
            )
        if not self._is_own(head):
            raise StorageFailedError(
                f"{self.key} was completed, but the store does not hold what was sent: it lost "
                "data, or another writer uses this key"
            )
        return True

    def _is_own(self, head: Head | None) -> bool:
        """Whether there is an object, and it is what this upload sent as far as can be seen."""
        return (
            head is not None
            and head.size == self.size
            and head.crc32 in (None, self.crc32)
            and head.run in (None, self.store.run)
            and head.upload in (None, self.token)
        )
