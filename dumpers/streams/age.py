"""age encryption; the only module that imports the library for it."""

from collections.abc import Sequence
from typing import Protocol

import pyrage

from dumpers.contract.recipients import PRIVATE_KEY_FAULT, holds_private_key, recipient_fault
from dumpers.runtime.errors import EncryptionError
from dumpers.streams.reader import Reader, Writer

# Enough of a wrong recipient to recognise it, too little to show a secret pasted by mistake.
_SHOWN = 16
_SSH = "ssh-"


class Recipient(Protocol):
    """A recipient as the library has it; opaque to other modules."""


def parse_recipients(texts: Sequence[str]) -> tuple[Recipient, ...]:
    """Read age recipients, X25519 or SSH public keys; EncryptionError names all invalid ones.

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

    Errors of either side pass through; EncryptionError means that encryption itself failed.
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
    """Remembers the error of either side, which the library replaces by one of its own."""

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
        """Do nothing: the owner of the target completes it."""
