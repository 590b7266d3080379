"""age encryption; the only module that imports the library for it."""

from collections.abc import Sequence
from typing import Protocol

import pyrage

from dumpers.contract.recipients import (
    PRIVATE_KEY,
    holds_private_key,
    join_faults,
    name_place,
    recipient_fault,
)
from dumpers.runtime.errors import EncryptionError
from dumpers.streams.reader import Reader, Writer

_SSH = "ssh-"


class Recipient(Protocol):
    """A recipient as the library has it; opaque to other modules."""


def parse_recipients(texts: Sequence[str]) -> tuple[Recipient, ...]:
    """Read age recipients, X25519 or SSH public keys.

    EncryptionError names all bad ones by their place in the list, and shows none of them: what was
    pasted in a recipient's place may be a private key.
    """
    # A comma within a private key makes two recipients of it.
    if holds_private_key(",".join(texts)):
        raise EncryptionError(f"the list of recipients {PRIVATE_KEY}")
    recipients: list[Recipient] = []
    faults: list[str] = []
    for place, text in enumerate(texts, 1):
        fault = recipient_fault(text)
        if fault is None:
            try:
                recipients.append(_parse(text))
                continue
            except pyrage.RecipientError:
                fault = "is not an age recipient: the age library refuses it"
        faults.append(f"{name_place(place, len(texts))} {fault}")
    if faults:
        raise EncryptionError(join_faults(faults))
    return tuple(recipients)


def _parse(text: str) -> Recipient:
    kind = pyrage.ssh if text.startswith(_SSH) else pyrage.x25519
    recipient: Recipient = kind.Recipient.from_str(text)
    return recipient


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
