"""Records what a backup holds, beside its manifest, and reads that again."""

import hashlib
from collections.abc import Mapping, Sequence

from dumpers.contract.fingerprint import Fingerprint
from dumpers.repository.catalogue import Entry
from dumpers.repository.keys import FINGERPRINT, Run
from dumpers.repository.record_json import read_record, write_record
from dumpers.repository.records import (
    FingerprintRecord,
    Manifest,
    ObjectFingerprint,
    UnknownRecord,
)
from dumpers.runs.pipeline import StoredStream
from dumpers.runtime.errors import BackupDamagedError
from dumpers.storage.run_storage import RunStorage


def record_fingerprint(storage: RunStorage, run: Run, stored: Sequence[StoredStream]) -> str:
    """Record the fingerprints of all objects that have one; returns the record's sha256, as hex.

    Empty, and nothing is written, where none has.
    """
    objects = tuple(
        ObjectFingerprint(
            key=item.record.key,
            algorithm=item.fingerprint.algorithm,
            tables=item.fingerprint.tables,
            rest=item.fingerprint.rest,
        )
        for item in stored
        if item.fingerprint
    )
    if not objects:
        return ""
    body = write_record(FingerprintRecord(run=run.id, objects=objects))
    storage.put_once(run.fingerprint_key, body, is_locked=True)
    return hashlib.sha256(body).hexdigest()


def read_fingerprints(
    storage: RunStorage, entry: Entry, manifest: Manifest
) -> tuple[Fingerprint | None, ...]:
    """What each object of a backup held when it was dumped; None where that is not known.

    It was not recorded, or by a later version, in a form that this one cannot read.
    BackupDamagedError where the record is not the one that the manifest names.
    """
    if not manifest.fingerprint:
        return (None,) * len(manifest.objects)
    key = f"{entry.record}{FINGERPRINT}"
    stored = storage.call(lambda: storage.bucket.get_version(key))
    if stored is None:
        raise BackupDamagedError(f"{key} is gone: what the backup held is not known")
    known = fingerprints_in(stored[0], sha256=manifest.fingerprint)
    if known is None:
        raise BackupDamagedError(f"{key} is not the record that the manifest names")
    return tuple(known.get(item.key) for item in manifest.objects)


def fingerprints_in(body: bytes, *, sha256: str) -> Mapping[str, Fingerprint] | None:
    """The fingerprints of objects by their keys; None where a record has another sha256.

    None are in a record of a form that this version does not know.
    """
    if hashlib.sha256(body).hexdigest() != sha256:
        return None
    match read_record(body):
        case FingerprintRecord(objects=objects):
            return {
                item.key: Fingerprint(algorithm=item.algorithm, tables=item.tables, rest=item.rest)
                for item in objects
            }
        case UnknownRecord():
            return {}
    return None
