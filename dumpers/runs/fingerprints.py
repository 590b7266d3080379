"""Records what a backup holds, beside its manifest."""

import hashlib
from collections.abc import Sequence

from dumpers.repository.keys import Run
from dumpers.repository.record_json import write_record
from dumpers.repository.records import FingerprintRecord, ObjectFingerprint
from dumpers.runs.pipeline import StoredObject
from dumpers.storage.run_storage import RunStorage


def record_fingerprint(storage: RunStorage, run: Run, stored: Sequence[StoredObject]) -> str:
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
    storage.put_once(run.fingerprint_key, body)
    return hashlib.sha256(body).hexdigest()
