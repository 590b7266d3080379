"""The objects of a backup as they were dumped: downloaded, decrypted, unpacked, and proven."""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from dumpers.repository.records import Manifest, ObjectRecord
from dumpers.runtime.errors import BackupDamagedError, ConfigurationError, EncryptionError
from dumpers.runtime.threads import map_parallel
from dumpers.storage.download import Download
from dumpers.storage.run_storage import RunStorage
from dumpers.streams import age
from dumpers.streams.filters import CountingReader, GunzipReader
from dumpers.streams.reader import BufferedReader

_GZIP = "gzip"
_HEADS_AT_A_TIME = 8
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


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBackup:
    """A backup in the store, with the keys that open it; none for one in the clear.

    With `is_legacy` it is a dump of ksnapshot 0.6.0, which left no checksums.
    """

    storage: RunStorage
    manifest: Manifest
    identities: Sequence[age.Identity] = field(default=(), repr=False)
    is_legacy: bool = False

    def open(self, place: int) -> "PieceReader":
        """Read an object of the manifest from its start."""
        return PieceReader(self, self.manifest.objects[place])

    def check_sizes(self) -> None:
        """Look at every object; BackupDamagedError where one is gone or has another size."""
        map_parallel(
            self._check_size, self.manifest.objects, at_a_time=_HEADS_AT_A_TIME, name="head"
        )

    def check_keys(self) -> None:
        """Read the beginning of the smallest object, which shows whether the keys open it."""
        if self.manifest.compression != _GZIP:
            raise ConfigurationError(
                f"the backup is compressed by {self.manifest.compression!r}, which this version "
                "does not know: use a newer one"
            )
        objects = self.manifest.objects
        if objects:
            smallest = min(range(len(objects)), key=lambda place: objects[place].size)
            with self.open(smallest) as reader:
                reader.read(1)

    def _check_size(self, item: ObjectRecord) -> None:
        head = self.storage.call(lambda: self.storage.bucket.head(item.key))
        if head is None:
            raise BackupDamagedError(f"{item.key} is gone: the backup is not whole")
        if head.size != item.size:
            raise BackupDamagedError(
                f"{item.key} has {head.size} bytes, and the manifest says {item.size}"
            )


def read_identity_file(path: str, manifest: Manifest) -> tuple[age.Identity, ...]:
    """The keys in a file; none for a backup in the clear.

    EncryptionError where a backup is encrypted and there is no file, or what is wrong with it.
    """
    if manifest.encryption is None:
        return ()
    recipients = ", ".join(manifest.encryption.recipients) or _NOBODY_KNOWS
    if not path:
        raise EncryptionError(
            f"the backup is encrypted for {recipients}: give the file with the private key of one "
            "of them"
        )
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise EncryptionError(f"cannot read the identity file: {error.strerror}") from error
    return age.read_identities(text)


class PieceReader(BufferedReader):
    """One object as the dump tool wrote it, in constant memory. A context manager.

    The end is told only where size and sha256 of what the store gave, the end of the encryption,
    the trailer of the compression, and size and sha256 of what came out are all as they must be;
    BackupDamagedError, which names the object, otherwise.
    """

    def __init__(self, backup: StoredBackup, item: ObjectRecord) -> None:
        super().__init__()
        self._backup = backup
        self._item = item
        self._open = ExitStack()
        self._tail = b""

    def __enter__(self) -> Self:
        storage, manifest = self._backup.storage, self._backup.manifest
        with ExitStack() as opening:
            self.download = opening.enter_context(Download(storage, self._item.key))
            self._stored = opening.enter_context(CountingReader(self.download))
            packed: age.DecryptReader | CountingReader = self._stored
            if manifest.encryption is not None:
                packed = opening.enter_context(
                    age.DecryptReader(packed, self._backup.identities, interrupt=storage.interrupt)
                )
            self._raw = opening.enter_context(CountingReader(GunzipReader(packed)))
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def next_block(self) -> bytes:
        """Return the next block; b"" at the proven end."""
        try:
            block = self._raw.read()
        except age.NoKeyFitsError as error:
            raise self._no_key_fits() from error
        except BackupDamagedError as error:
            raise BackupDamagedError(f"{self._item.key} is damaged: {error}") from error
        self._tail = (self._tail + block[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        if not block:
            self._prove()
        return block

    def _prove(self) -> None:
        item = self._item
        if self._backup.is_legacy:
            self._prove_legacy()
            return
        for what, found, wanted in (
            ("bytes in the store", self._stored.count, item.size),
            ("sha256 in the store", self._stored.sha256(), item.sha256),
            ("bytes unpacked", self._raw.count, item.source_size),
            ("sha256 unpacked", self._raw.sha256(), item.source_sha256),
        ):
            if found != wanted:
                raise BackupDamagedError(
                    f"{item.key} is not what was stored: {what}: {found}, the manifest says "
                    f"{wanted}"
                )

    def _prove_legacy(self) -> None:
        """A dump of ksnapshot 0.6.0 has its size, and what the dump tool wrote last."""
        item, engine = self._item, self._backup.manifest.begun.engine
        if self._stored.count != item.size or not _LEGACY_ENDS[engine].search(self._tail):
            raise BackupDamagedError(
                f"{item.key} does not end as a whole dump does: the dump tool of ksnapshot 0.6.0 "
                "failed, or the object was cut"
            )

    def _no_key_fits(self) -> EncryptionError | BackupDamagedError:
        encryption = self._backup.manifest.encryption
        recipients = encryption.recipients if encryption else ()
        if age.public_keys(self._backup.identities) & set(recipients):
            return BackupDamagedError(
                f"{self._item.key} is damaged: its header does not fit the key that the manifest "
                "names"
            )
        count = len(self._backup.identities)
        which = f"none of the {count} keys" if count > 1 else "the key"
        names = ", ".join(recipients) or _NOBODY_KNOWS
        return EncryptionError(
            f"{which} in the identity file {'opens' if count > 1 else 'does not open'} "
            f"{self._item.key}, which is encrypted for {names}: `age-keygen -y "
            "key.txt` prints which of these an age key is, `ssh-keygen -y -f key` which an SSH key "
            "is"
        )
