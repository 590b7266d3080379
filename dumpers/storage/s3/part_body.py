"""The body of one part's upload, and what the SDK has to know of such bodies."""

import os
from typing import Any

from dumpers.storage.rate_limit import OnSent

_CRC32_HEADER = "x-amz-checksum-crc32"


class PartBody:
    """Bytes as a file: sent block by block, so that the time limit is on each block.

    Given to the SDK as plain bytes, a part would have to go out whole within one socket timeout.
    """

    def __init__(self, data: memoryview, pace: OnSent | None = None) -> None:
        self._data = data
        self._at = 0
        self._pace = pace
        self.sending = False

    def __len__(self) -> int:
        return len(self._data)

    def read(self, size: int = -1, /) -> bytes:
        """Return the next `size` bytes, all that is left if negative."""
        end = len(self._data) if size < 0 else self._at + size
        block = bytes(self._data[self._at : end])
        self._at += len(block)
        if self.sending and self._pace is not None:
            self._pace(len(block))
        return block

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move as a file does; the SDK does so to send a part again."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: len(self._data)}[whence]
        self._at = base + offset
        self.sending = False
        return self._at

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at


def trust_checksum(request: Any, **_: object) -> None:
    """Declare to the SDK a checksum that it did not compute itself.

    Over TLS the SDK then leaves the body unsigned, which saves a sha256 of it.
    """
    if _CRC32_HEADER in request.headers:
        request.context["checksum"] = {"request_algorithm": {"in": "header", "name": _CRC32_HEADER}}


def mark_as_sent(request: Any, **_: object) -> None:
    """Let the body account for what is read from now on: that is what goes over the wire."""
    if isinstance(request.body, PartBody):
        request.body.sending = True
