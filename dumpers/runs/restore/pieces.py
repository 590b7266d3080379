"""The objects of a backup as they were dumped: downloaded, decrypted, unpacked, and proven."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

from dumpers.repository.records import Manifest, ObjectRecord
from dumpers.runs.identities import read_identities
from dumpers.runtime.errors import (
    BackupDamagedError,
    EncryptionError,
    NoKeyFitsError,
)
from dumpers.runtime.threads import map_parallel
from dumpers.storage.download import Download
from dumpers.storage.run_storage import RunStorage
from dumpers.streams import age
from dumpers.streams.decryption import DecryptReader
from dumpers.streams.packing import check_known, unpacking
from dumpers.streams.reader import BufferedReader
from dumpers.streams.unpacking import Stored, UnpackedReader, name_recipients, no_key_fits

_HEADS_AT_A_TIME = 8


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
        check_known(self.manifest.compression)
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
    if not path:
        recipients = name_recipients(manifest.encryption.recipients)
        raise EncryptionError(
            f"the backup is encrypted for {recipients}: give the file with the private key of one "
            "of them"
        )
    return read_identities(path)


class PieceReader(BufferedReader):
    """One object as the dump tool wrote it, in constant memory. A context manager.

    The end is told only where it is proven, see UnpackedReader; BackupDamagedError, which names the
    object, otherwise.
    """

    def __init__(self, backup: StoredBackup, item: ObjectRecord) -> None:
        super().__init__()
        self._backup = backup
        self._item = item
        self._open = ExitStack()

    def __enter__(self) -> Self:
        backup = self._backup
        interrupt = backup.storage.interrupt
        with ExitStack() as opening:
            self.download = opening.enter_context(Download(backup.storage, self._item.key))
            self._unpacked = opening.enter_context(
                UnpackedReader(
                    self.download,
                    stored_as(self._item, backup.manifest, is_legacy=backup.is_legacy),
                    decrypt=(
                        lambda packed: DecryptReader(packed, backup.identities, interrupt=interrupt)
                    )
                    if backup.manifest.encryption
                    else None,
                    unpack=unpacking(backup.manifest.compression),
                )
            )
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def next_block(self) -> bytes:
        """Return the next block; b"" at the proven end."""
        try:
            return self._unpacked.read()
        except NoKeyFitsError as error:
            encryption, identities = self._backup.manifest.encryption, self._backup.identities
            raise no_key_fits(
                self._item.key,
                recipients=encryption.recipients if encryption else (),
                own=age.public_keys(identities),
                keys=len(identities),
            ) from error


def stored_as(item: ObjectRecord, manifest: Manifest, *, is_legacy: bool) -> Stored:
    """What is known of an object by its manifest."""
    return Stored(
        key=item.key,
        size=item.size,
        sha256=item.sha256,
        source_size=item.source_size,
        source_sha256=item.source_sha256,
        legacy_engine=manifest.begun.engine if is_legacy else "",
    )
