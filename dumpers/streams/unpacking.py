"""An object of a backup as its dump tool wrote it: decrypted, unpacked and proven.

It knows no store: the bytes come from whoever reads them.
"""

import re
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Self

from dumpers.runtime.errors import BackupDamagedError, NoKeyFitsError
from dumpers.streams.filters import CountingReader
from dumpers.streams.packing import Unpack
from dumpers.streams.reader import BufferedReader, Reader

_TAIL_BYTES = 1 << 10
# The last words of the dump tools; newer minors of pg_dump put a token behind theirs.
_LEGACY_ENDS = {
    "mysql": re.compile(rb"\n-- Dump completed[^\n]*\n\Z"),
    "postgresql": re.compile(
        rb"\n-- PostgreSQL database dump complete\n(?:--|\s|\\unrestrict \w+)*\Z"
    ),
}
# 0.6.0 did not write down for whom it encrypted.
_NOBODY_KNOWS = "recipients that nobody wrote down"

# The stored bytes → those before encryption; raises NoKeyFitsError where no key opens them.
Decrypt = Callable[[Reader], AbstractContextManager[Reader]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is known of an object: size and sha256 in the store, and of what is in it.

    `legacy_engine` is set for a dump of ksnapshot 0.6.0: it has only its size in the store, and
    what the engine's dump tool wrote last.
    """

    key: str
    size: int
    sha256: str
    source_size: int
    source_sha256: str
    legacy_engine: str = ""


class StoredReader(BufferedReader):
    """The bytes of an object as they lie in the store. A context manager.

    The end is told only where size and sha256 are as they must be; BackupDamagedError, which names
    the object, otherwise.
    """

    def __init__(self, source: Reader, stored: Stored) -> None:
        super().__init__()
        self._stored = stored
        self._counting = CountingReader(source)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._counting.__exit__()

    def next_block(self) -> bytes:
        """Return the next block; b"" at the proven end."""
        block = self._counting.read()
        if not block:
            self.prove()
        return block

    def prove(self) -> None:
        """Raise BackupDamagedError unless all that was read is what was stored."""
        stored = self._stored
        compare(stored.key, "bytes in the store", self._counting.count, stored.size)
        if not stored.legacy_engine:
            compare(stored.key, "sha256 in the store", self._counting.sha256(), stored.sha256)


class UnpackedReader(BufferedReader):
    """One object as the dump tool wrote it, in constant memory. A context manager.

    `decrypt` is None for an object in the clear. The end is told only where size and sha256 of what
    the store gave, the end of the encryption, the end of the compression, and size and sha256 of
    what came out are all as they must be; BackupDamagedError, which names the object, otherwise.
    """

    def __init__(
        self, source: Reader, stored: Stored, *, decrypt: Decrypt | None, unpack: Unpack
    ) -> None:
        super().__init__()
        self._source = source
        self._stored = stored
        self._decrypt = decrypt
        self._unpack = unpack
        self._open = ExitStack()
        self._tail = b""

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self._packed = opening.enter_context(CountingReader(self._source))
            plain: Reader = self._packed
            if self._decrypt is not None:
                plain = opening.enter_context(self._decrypt(self._packed))
            unpacked = opening.enter_context(self._unpack(plain))
            self._raw = opening.enter_context(CountingReader(unpacked))
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def next_block(self) -> bytes:
        """Return the next block; b"" at the proven end."""
        try:
            block = self._raw.read()
        except BackupDamagedError as error:
            raise BackupDamagedError(f"{self._stored.key} is damaged: {error}") from error
        self._tail = (self._tail + block[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        if not block:
            self._prove()
        return block

    def _prove(self) -> None:
        stored = self._stored
        if stored.legacy_engine:
            self._prove_legacy()
            return
        compare(stored.key, "bytes in the store", self._packed.count, stored.size)
        compare(stored.key, "sha256 in the store", self._packed.sha256(), stored.sha256)
        compare(stored.key, "bytes unpacked", self._raw.count, stored.source_size)
        compare(stored.key, "sha256 unpacked", self._raw.sha256(), stored.source_sha256)

    def _prove_legacy(self) -> None:
        """A dump of ksnapshot 0.6.0 has its size, and what the dump tool wrote last."""
        stored = self._stored
        ends = _LEGACY_ENDS[stored.legacy_engine]
        if self._packed.count != stored.size or not ends.search(self._tail):
            raise BackupDamagedError(
                f"{stored.key} does not end as a whole dump does: the dump tool of ksnapshot 0.6.0 "
                "failed, or the object was cut"
            )


def compare(key: str, what: str, found: object, wanted: object) -> None:
    """Raise BackupDamagedError where what was found of an object is not what its manifest says."""
    if found != wanted:
        raise BackupDamagedError(
            f"{key} is not what was stored: {what}: {found}, the manifest says {wanted}"
        )


def name_recipients(recipients: Sequence[str]) -> str:
    """For whom a backup is encrypted, in words."""
    return ", ".join(recipients) or _NOBODY_KNOWS


def no_key_fits(
    key: str, *, recipients: Sequence[str], own: Collection[str], keys: int
) -> NoKeyFitsError | BackupDamagedError:
    """The error for an object that none of so many keys opens.

    `recipients` are those that the manifest names, `own` those that the keys belong to, as far as
    that is known: one of both should have opened it.
    """
    if set(own) & set(recipients):
        return BackupDamagedError(
            f"{key} is damaged: its header does not fit the key that the manifest names"
        )
    which = f"none of the {keys} keys" if keys > 1 else "the key"
    return NoKeyFitsError(
        f"{which} in the identity file {'opens' if keys > 1 else 'does not open'} {key}, which is "
        f"encrypted for {name_recipients(recipients)}: `age-keygen -y key.txt` prints which of "
        "these an age key is, `ssh-keygen -y -f key` which an SSH key is"
    )
