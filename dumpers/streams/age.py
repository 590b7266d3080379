"""age encryption and decryption; the only module that imports the library for it."""

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
from dumpers.contract.restore.identities import IdentityText, parse_identities
from dumpers.runtime.errors import BackupDamagedError, EncryptionError, NoKeyFitsError
from dumpers.streams.reader import Reader, Writer

_SSH = "ssh-"
# The library's words where the header names no recipient whose key is there, or is damaged.
_NO_KEY = "No matching keys found"
# Its words where a key opens a header that nothing but the payload's nonce follows.
_NO_PAYLOAD, _NONCE_BYTES = "age file is truncated", 16


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


class Identity(Protocol):
    """A private key as the library has it; opaque to other modules."""


def read_identities(text: str) -> tuple[Identity, ...]:
    """Read an identity file; EncryptionError names every fault by its line, and shows no key."""
    try:
        texts = parse_identities(text)
    except ValueError as error:
        raise EncryptionError(str(error)) from error
    identities: list[Identity] = []
    faults: list[str] = []
    for item in texts:
        try:
            identities.append(_parse_identity(item))
        except pyrage.IdentityError:
            faults.append(f"{item.place} of the identity file is no key that age can use")
    if faults:
        # The library's own words stay behind: they may show what they are about.
        raise EncryptionError(join_faults(faults))
    return tuple(identities)


def new_identity() -> str:
    """A new private key, as an identity file has it."""
    return str(pyrage.x25519.Identity.generate())


def public_keys(identities: Sequence[Identity]) -> frozenset[str]:
    """The recipients that belong to the identities, as far as these are age's own (age1…)."""
    return frozenset(
        str(identity.to_public())
        for identity in identities
        if isinstance(identity, pyrage.x25519.Identity)
    )


def _parse_identity(item: IdentityText) -> Identity:
    if item.is_ssh:
        identity: Identity = pyrage.ssh.Identity.from_buffer(item.text.encode())
    else:
        identity = pyrage.x25519.Identity.from_str(item.text)
    return identity


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


def decrypt(source: Reader, target: Writer, identities: Sequence[Identity]) -> None:
    """Write all of `source`, decrypted, to `target`, in constant memory.

    Bytes are written before it can be noticed that the end is missing: nothing counts before this
    returns. Errors of either side pass through; NoKeyFitsError, and BackupDamagedError where the
    bytes are not those that were encrypted.
    """
    guard = _Guard(source, target)
    try:
        pyrage.decrypt_io(guard, guard, list(identities))
    except (pyrage.DecryptError, OSError) as error:
        if guard.error is None:
            raise _decryption_error(str(error)) from error
    if guard.error is not None:
        raise guard.error
    if guard.read(1):
        raise BackupDamagedError("something follows the end of the encrypted bytes")


def opens(header: bytes, identities: Sequence[Identity]) -> bool:
    """Whether one of the identities opens a file that begins with this header.

    BackupDamagedError where the header is not as it was written.
    """
    try:
        # The header is proven by itself; behind it the library wants what makes the payload's key.
        pyrage.decrypt(header + bytes(_NONCE_BYTES), list(identities))
    except pyrage.DecryptError as error:
        if str(error) == _NO_KEY:
            return False
        if str(error) != _NO_PAYLOAD:
            raise _decryption_error(str(error)) from error
    return True


def _decryption_error(said: str) -> EncryptionError | BackupDamagedError:
    if said == _NO_KEY:
        return NoKeyFitsError("none of the given keys opens it")
    return BackupDamagedError(f"the bytes are not those that were encrypted: {said}")
