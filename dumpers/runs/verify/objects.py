"""One object of a backup, read to its end: what is stored, and what is in it."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from dumpers.repository.added_records import CheckedObject
from dumpers.repository.records import Manifest, ObjectRecord
from dumpers.runs.verify.meter import Meter
from dumpers.runtime.errors import BackupDamagedError, EncryptionError, NoKeyFitsError
from dumpers.storage.download import Download
from dumpers.storage.run_storage import RunStorage
from dumpers.streams import age
from dumpers.streams.decryption import DecryptReader
from dumpers.streams.filters import CountingReader
from dumpers.streams.packing import can_unpack, unpack
from dumpers.streams.reader import Reader
from dumpers.streams.unpacking import no_key_fits

AGE = "age"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadObject:
    """How an object was found; `is_decoded` says whether what is in it was looked at.

    `locked` says that none of the given keys opens it; empty otherwise.
    """

    found: CheckedObject
    is_decoded: bool
    locked: str = ""


def read_stored(storage: RunStorage, item: ObjectRecord, meter: Meter) -> CheckedObject:
    """Read an object as it is stored, and compare it with what was sent.

    Where the connection breaks, reading goes on, as long as the run's patience with the store
    lasts; StorageFailedError where that does not help.
    """
    with (
        Download(storage, item.key) as download,
        CountingReader(download) as stored,
        meter.of(download, stored),
    ):
        return _drain(stored, item, why="")


def is_known(manifest: Manifest) -> bool:
    """Whether this version can decrypt and unpack what is stored."""
    encryption = manifest.encryption
    return can_unpack(manifest.compression) and (encryption is None or encryption.scheme == AGE)


def read_object(
    storage: RunStorage,
    item: ObjectRecord,
    meter: Meter,
    *,
    manifest: Manifest,
    identities: Sequence[age.Identity],
) -> ReadObject:
    """Read an object once, decrypted and unpacked to the end where that can be done.

    It cannot where the backup is encrypted and no key opens it, and where this version does not
    know how it was compressed or encrypted: what is stored is compared then. Raises as
    `read_stored` does.
    """
    if not is_known(manifest) or (manifest.encryption and not identities):
        return ReadObject(found=read_stored(storage, item, meter), is_decoded=False)
    keys = identities if manifest.encryption else ()
    why = locked = ""
    with (
        Download(storage, item.key) as download,
        CountingReader(download) as stored,
        meter.of(download, stored),
    ):
        try:
            why = _decode(stored, item, keys, storage, manifest.compression)
        except NoKeyFitsError:
            recipients = manifest.encryption.recipients if manifest.encryption else ()
            error = no_key_fits(
                item.key, recipients=recipients, own=age.public_keys(keys), keys=len(keys)
            )
            if isinstance(error, EncryptionError):
                locked = str(error)
            else:
                why = str(error)
        except BackupDamagedError as error:
            why = str(error)
        found = _drain(stored, item, why=why)
    return ReadObject(found=found, is_decoded=not locked, locked=locked)


def _decode(
    stored: Reader,
    item: ObjectRecord,
    keys: Sequence[age.Identity],
    storage: RunStorage,
    compression: str,
) -> str:
    """Decrypt and unpack to the end; how what came out differs from the manifest, or empty."""
    with ExitStack() as opened:
        packed = stored
        if keys:
            decrypting = DecryptReader(stored, keys, interrupt=storage.interrupt)
            # Behind it, nobody but the caller reads what is stored.
            opened.callback(decrypting.join)
            packed = opened.enter_context(decrypting)
        plain = opened.enter_context(CountingReader(unpack(packed, compression)))
        while plain.read():
            pass
        return _difference("unpacked", plain, item.source_size, item.source_sha256)


def _drain(stored: CountingReader, item: ObjectRecord, *, why: str) -> CheckedObject:
    """Read what is left of an object, and compare all of it with what was sent."""
    while stored.read():
        pass
    why = _difference("in the store", stored, item.size, item.sha256) or why
    return CheckedObject(
        key=item.key, size=stored.count, sha256=stored.sha256(), good=not why, why=why
    )


def _difference(where: str, found: CountingReader, size: int, sha256: str) -> str:
    if found.count != size:
        return f"{found.count} bytes {where}, the manifest says {size}"
    if (digest := found.sha256()) != sha256:
        return f"sha256 {where}: {digest}, the manifest says {sha256}"
    return ""
