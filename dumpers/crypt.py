"""age encryption, and the only place that knows the library for it."""

from collections.abc import Sequence
from typing import Protocol

import pyrage

from dumpers.engines.base import Reader
from dumpers.errors import EncryptionError
from dumpers.stream import Writer

# Enough of a wrong recipient to find it, too little of whatever was pasted in its place.
_SHOWN = 16


class Recipient(Protocol):
    """Whom the library can encrypt for; opaque to everybody else."""


def parse_recipients(texts: Sequence[str]) -> tuple[Recipient, ...]:
    """Read age X25519 recipients; EncryptionError names the first that is none.

    A recipient is public, but what was pasted in its place may not be: a private key is not
    repeated in the message.
    """
    return tuple(_parse(text) for text in texts)


def _parse(text: str) -> Recipient:
    try:
        recipient: Recipient = pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        if "SECRET-KEY" in text.upper() or "PRIVATE KEY" in text.upper():
            raise EncryptionError(
                "the recipient holds a private key: give only the public key (age1…) that belongs "
                "to it, and treat the private key as leaked"
            ) from None
        raise EncryptionError(
            f"{_start(text)!r} is not an age recipient ({error}): it must be a public key (age1…)"
        ) from error
    return recipient


def _start(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def encrypt(source: Reader, target: Writer, recipients: Sequence[Recipient]) -> None:
    """Write all of `source`, encrypted, to `target`, in constant memory.

    Errors of either side pass through; EncryptionError is left for encryption itself.
    """
    guard = _Guard(source, target)
    try:
        pyrage.encrypt_io(guard, guard, list(recipients))
    except pyrage.EncryptError as error:
        if guard.error is None:
            raise EncryptionError(f"encrypting failed: {error}") from error
    if guard.error is not None:
        raise guard.error


class _Guard:
    """Remembers what either side raised: the library replaces it by an error of its own."""

    def __init__(self, source: Reader, target: Writer) -> None:
        self._source = source
        self._target = target
        self.error: BaseException | None = None

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._source.read(size)
        except BaseException as error:
            self.error = error
            raise

    def write(self, data: bytes, /) -> int:
        try:
            return self._target.write(data)
        except BaseException as error:
            self.error = error
            raise

    def flush(self) -> None:
        """Do nothing: the target is completed by who owns it."""
