"""age encryption and decryption; the only module that imports the library for it."""

import queue
import threading
from collections.abc import Sequence
from typing import Protocol, Self

import pyrage

from dumpers.contract.recipients import (
    PRIVATE_KEY,
    holds_private_key,
    join_faults,
    name_place,
    recipient_fault,
)
from dumpers.contract.restore.identities import IdentityText, parse_identities
from dumpers.runtime.errors import BackupDamagedError, EncryptionError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import BufferedReader, Reader, Writer

_SSH = "ssh-"
# The library writes 8 KiB at a time. So many bytes are handed over at once, and so many blocks of
# them may wait.
_BLOCK_BYTES, _BLOCKS_AHEAD = 1 << 18, 4
# The library's words where the header names no recipient whose key is there, or is damaged.
_NO_KEY = "No matching keys found"


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


class NoKeyFitsError(EncryptionError):
    """None of the identities opens the file, or its header is damaged."""


class DecryptReader(BufferedReader):
    """The bytes of `source` decrypted, by a thread of its own, in constant memory.

    A context manager: leaving it ends the thread, at the latest when the source's next read
    returns. The library hands out bytes before it can notice that the end is missing, so the end is
    told only once it has returned. Raises the source's errors, NoKeyFitsError, and
    BackupDamagedError where the bytes are not those that were encrypted.
    """

    def __init__(
        self, source: Reader, identities: Sequence[Identity], *, interrupt: Interrupt
    ) -> None:
        super().__init__()
        self._scope = interrupt.child()
        self._source = source
        self._identities = list(identities)
        self._blocks: queue.Queue[bytes | BaseException] = queue.Queue(_BLOCKS_AHEAD)
        self._pending: list[bytes] = []
        self._pending_bytes = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._work, name="decrypt", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._scope.cancel("the end of the decryption")

    def next_block(self) -> bytes:
        """Return the next block; b"" once the whole file was decrypted and nothing follows it."""
        block = self._scope.get(self._blocks)
        if isinstance(block, BaseException):
            raise block
        return block

    def write(self, data: bytes, /) -> int:
        """Take bytes of the library; for the thread only."""
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= _BLOCK_BYTES:
            self._hand_over()
        return len(data)

    def flush(self) -> None:
        """Do nothing: the end is told by `next_block`."""

    def _hand_over(self) -> None:
        if self._pending:
            self._put(b"".join(self._pending))
            self._pending, self._pending_bytes = [], 0

    def _put(self, block: bytes | BaseException) -> None:
        def attempt(timeout: float) -> None:
            try:
                self._blocks.put(block, timeout=timeout)
            except queue.Full as error:
                raise TimeoutError from error

        self._scope.wait(attempt)

    def _work(self) -> None:
        try:
            self._decrypt()
            self._hand_over()
            self._put(b"")
        except BaseException as error:  # noqa: BLE001  whatever it is, it is the reader's
            if not self._scope.is_cancelled:
                self._put(error)

    def _decrypt(self) -> None:
        guard = _Guard(_Rebuffered(self._source), self)
        try:
            pyrage.decrypt_io(guard, guard, self._identities)
        except (pyrage.DecryptError, OSError) as error:
            if guard.error is None:
                raise _decryption_error(str(error)) from error
        if guard.error is not None:
            raise guard.error
        if guard.read(1):
            raise BackupDamagedError("something follows the end of the encrypted bytes")


def _decryption_error(said: str) -> EncryptionError | BackupDamagedError:
    if said == _NO_KEY:
        return NoKeyFitsError("none of the given keys opens it")
    return BackupDamagedError(f"the bytes are not those that were encrypted: {said}")


class _Rebuffered(BufferedReader):
    """Serves the library's small reads from large ones."""

    def __init__(self, source: Reader) -> None:
        super().__init__()
        self._source = source

    def next_block(self) -> bytes:
        return self._source.read()
