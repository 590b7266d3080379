"""age encryption, and the only place that knows the library for it."""

from collections.abc import Sequence
from typing import Protocol

import pyrage

from dumpers.contract.recipients import PRIVATE_KEY_FAULT, holds_private_key, recipient_fault
from dumpers.runtime.errors import EncryptionError
from dumpers.streams.reader import Reader, Writer

# Enough of a wrong recipient to find it, too little of whatever was pasted in its place.
_SHOWN = 16
_SSH = "ssh-"


class Recipient(Protocol):
    """Whom the library can encrypt for; opaque to everybody else."""


def parse_recipients(texts: Sequence[str]) -> tuple[Recipient, ...]:
    """Read age recipients, X25519 or SSH public keys; EncryptionError names all that are none.

    A recipient is public, but what was pasted in its place may not be: nothing is shown where any
    of the texts has the shape of a private key, or where all of them have it together.
    """
    if holds_private_key(",".join(texts)):
        raise EncryptionError(f"the list of recipients {PRIVATE_KEY_FAULT}")
    recipients: list[Recipient] = []
    faults: list[str] = []
    for text in texts:
        try:
            recipients.append(_parse(text))
        except pyrage.RecipientError as error:
            faults.append(_fault(text, error))
    if faults:
        raise EncryptionError("; ".join(faults))
    return tuple(recipients)


def _parse(text: str) -> Recipient:
    kind = pyrage.ssh if text.startswith(_SSH) else pyrage.x25519
    recipient: Recipient = kind.Recipient.from_str(text)
    return recipient


def _fault(text: str, error: Exception) -> str:
    why = recipient_fault(text) or "is refused by the age library"
    return f"{_start(text)!r} is not an age recipient ({error}): it {why}"


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
