"""age encryption, and the only place that knows the library for it."""

from collections.abc import Sequence
from typing import Protocol

import pyrage

from dumpers.engines.base import Reader
from dumpers.errors import EncryptionError
from dumpers.stream import Writer


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
        if text.upper().startswith("AGE-SECRET-KEY-"):
            raise EncryptionError(
                "the recipient is an age private key: give the public key (age1…) that belongs to "
                "it, and treat the private key as leaked"
            ) from None
        raise EncryptionError(
            f"{text!r} is not an age recipient ({error}): it must be a public key (age1…)"
        ) from error
    return recipient


def encrypt(source: Reader, target: Writer, recipients: Sequence[Recipient]) -> None:
    """Write all of `source`, encrypted, to `target`, in constant memory.

    Errors of either side pass through; EncryptionError is left for encryption itself.
    """
    guarded_source, guarded_target = _GuardedReader(source), _GuardedWriter(target)
    try:
        pyrage.encrypt_io(guarded_source, guarded_target, list(recipients))
    except Exception as error:
        # The library replaces what our reader or writer raised by an error of its own.
        cause = guarded_source.error or guarded_target.error
        if cause is not None:
            raise cause from None
        if isinstance(error, pyrage.EncryptError):
            raise EncryptionError(f"encrypting failed: {error}") from error
        raise


class _GuardedReader:
    """Remembers what its source raised."""

    def __init__(self, source: Reader) -> None:
        self._source = source
        self.error: BaseException | None = None

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._source.read(size)
        except BaseException as error:
            self.error = error
            raise


class _GuardedWriter:
    """Remembers what its target raised."""

    def __init__(self, target: Writer) -> None:
        self._target = target
        self.error: BaseException | None = None

    def write(self, data: bytes, /) -> int:
        try:
            return self._target.write(data)
        except BaseException as error:
            self.error = error
            raise

    def flush(self) -> None:
        """Do nothing: the target is completed by who owns it."""
