"""Reads all of a backup, and records beside it what was found."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from dumpers.contract.names import DECODED, READ_BACK
from dumpers.repository.added_records import CheckedObject, Verification
from dumpers.repository.catalogue import Entry
from dumpers.repository.keys import MANIFEST, verification_name
from dumpers.repository.record_json import read_record, write_record
from dumpers.repository.records import Manifest, ObjectRecord, Tombstone
from dumpers.runs.progress import READING, shown
from dumpers.runs.restore.pieces import StoredBackup
from dumpers.runs.verify.meter import Meter
from dumpers.runs.verify.objects import ReadObject, is_known, read_object
from dumpers.runs.verify.verdict_time import SECOND, verdict_time
from dumpers.runtime.errors import BackupDamagedError, StorageFailedError, StorageRefusedError
from dumpers.runtime.log import fields
from dumpers.storage.errors import AlreadyThereError, ForbiddenByStoreError
from dumpers.storage.run_storage import RunStorage
from dumpers.streams import age

_LOG = logging.getLogger(__name__)

# Seconds in which other verifications of the backup may have ended.
_TRIES = 10

# Of keys of a reader, which may have no right to write records.
NOT_GRANTED = "the keys of this job may not write it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What reading a backup found.

    `record` is the key of the verdict's record, empty where the keys may not write it. `locked`
    says that none of the given keys opens the backup, so that it was read as it is stored.
    """

    entry: Entry
    found: Verification
    record: str
    locked: str

    @property
    def damaged(self) -> tuple[CheckedObject, ...]:
        """The objects that are not as they were sent."""
        return tuple(item for item in self.found.objects if not item.good)

    @property
    def stored_bytes(self) -> int:
        """The bytes that were read of the store."""
        return sum(item.size for item in self.found.objects)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """Verifies backups of one CronJob, one at a time, with the keys that may open them."""

    storage: RunStorage
    identities: Sequence[age.Identity]
    now: Callable[[], datetime]

    def verify(self, entry: Entry) -> Verdict | None:
        """Read every object; None where the backup was removed before that was done.

        A backup that is damaged is a verdict, not an error. BackupDamagedError where its manifest
        cannot be read, and the store's errors.
        """
        began = time.monotonic()
        manifest = self._manifest(entry)
        if manifest is None:
            return None
        objects = manifest.objects
        _LOG.info("verifying", extra=fields(backup=entry.id, objects=len(objects)))
        meter, total = Meter(), sum(item.size for item in objects)
        try:
            with shown(READING, total, meter.done, meter.where):
                read = [self._read(item, manifest, meter) for item in objects]
        except StorageRefusedError:
            if self._manifest(entry) == manifest:
                raise
            return None
        # What a prune deletes meanwhile is not damaged, and a record of it would be left behind.
        if self._manifest(entry) != manifest:
            return None
        good = all(item.found.good for item in read)
        found, record = self._record(
            entry,
            Verification(
                run=entry.id,
                method=DECODED if all(item.is_decoded for item in read) else READ_BACK,
                objects=tuple(item.found for item in read),
                finished=verdict_time(entry.proof, self.now(), good=good),
            ),
        )
        verdict = Verdict(
            entry=entry,
            found=found,
            record=record,
            locked=next((item.locked for item in read if item.locked), ""),
        )
        _log(verdict, seconds=time.monotonic() - began)
        return verdict

    def check_keys(self, entry: Entry) -> None:
        """EncryptionError where none of the keys opens a backup that is encrypted."""
        # Reading it shows what is damaged or gone, or not to be had.
        with suppress(StorageRefusedError, StorageFailedError):
            manifest = self._manifest(entry)
            if manifest is None or manifest.encryption is None or not is_known(manifest):
                return
            StoredBackup(
                storage=self.storage, manifest=manifest, identities=self.identities
            ).check_keys()

    def _read(self, item: ObjectRecord, manifest: Manifest, meter: Meter) -> ReadObject:
        """Read an object, and one that is faulty once more from its start: that counts."""
        read = self._look(item, manifest, meter)
        if read.found.good:
            return read
        # What stands between may have altered it, or a store may have been late.
        again = self._look(item, manifest, meter)
        if again.found.good:
            known = fields(key=item.key, why=read.found.why)
            _LOG.warning("an object was good at the second look", extra=known)
        return again

    def _look(self, item: ObjectRecord, manifest: Manifest, meter: Meter) -> ReadObject:
        storage = self.storage
        if storage.call(partial(_has, storage, item.key)):
            return read_object(storage, item, meter, manifest=manifest, identities=self.identities)
        gone = CheckedObject(key=item.key, size=0, sha256="", good=False, why="it is gone")
        return ReadObject(found=gone, is_decoded=False)

    def _manifest(self, entry: Entry) -> Manifest | None:
        """The manifest of a backup; None where it was removed."""
        key = f"{entry.record}{MANIFEST}"
        found = self.storage.call(lambda: self.storage.bucket.get_version(key))
        record = read_record(found[0]) if found else None
        if record is None or isinstance(record, Tombstone):
            _LOG.info("a backup was removed while it was verified", extra=fields(backup=entry.id))
            return None
        if not isinstance(record, Manifest):
            raise BackupDamagedError(f"{key} cannot be read: check the store")
        return record

    def _record(self, entry: Entry, found: Verification) -> tuple[Verification, str]:
        """Record a verdict beside its backup.

        Returns it and its key, empty where that is not granted. Where another verification ended in
        the same second, this one takes a later one.
        """
        for _ in range(_TRIES):
            key = f"{entry.record}{verification_name(found.finished, good=found.good)}"
            try:
                self.storage.put_once(key, write_record(found))
            except AlreadyThereError:
                found = replace(found, finished=found.finished + SECOND)
            except ForbiddenByStoreError as error:
                _LOG.warning(
                    "the verdict is not recorded beside the backup",
                    extra=fields(key=key, why=str(error)),
                )
                return found, ""
            else:
                return found, key
        raise AlreadyThereError(f"{entry.record} has too many verdicts of these seconds")


def _has(storage: RunStorage, key: str) -> bool:
    return storage.bucket.head(key) is not None


def _log(verdict: Verdict, *, seconds: float) -> None:
    entry, found, damaged = verdict.entry, verdict.found, verdict.damaged
    if verdict.locked:
        known = fields(backup=entry.id, why=verdict.locked)
        _LOG.warning("no key opens a backup, it was read as it is stored", extra=known)
    if damaged:
        _LOG.error(
            "backup damaged",
            extra=fields(
                backup=entry.id,
                method=found.method,
                objects=len(found.objects),
                damaged=len(damaged),
                key=damaged[0].key,
                why=damaged[0].why,
                record=verdict.record,
            ),
        )
        return
    _LOG.info(
        "backup verified",
        extra=fields(
            backup=entry.id,
            method=found.method,
            objects=len(found.objects),
            stored_bytes=verdict.stored_bytes,
            seconds=round(seconds, 3),
            record=verdict.record,
        ),
    )
