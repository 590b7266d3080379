"""Asks the store for what a dump could not ask: whether it holds what the manifest says."""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from dumpers.repository.added_records import AskedObject, StoreCheck
from dumpers.repository.keys import CHECKED, MANIFEST
from dumpers.repository.record_json import read_record, write_record
from dumpers.repository.records import Manifest, ObjectRecord
from dumpers.repository.removal.folders import Folder
from dumpers.repository.removal.heads import read_heads
from dumpers.repository.retention.plan import Verdict
from dumpers.repository.retention.proof import Grade, has_failed
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.s3.answers import Head

_LOG = logging.getLogger(__name__)

# Judges the backups by these proofs.
Plan = Callable[[Mapping[str, Grade]], list[Verdict]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prover:
    """Proves backups by asking for size and checksum of each object, as seen at `now`.

    With `dry_run` nothing is recorded.
    """

    storage: RunStorage
    now: datetime
    dry_run: bool

    def prove(
        self, plan: Plan, folders: Mapping[str, Folder], proofs: Mapping[str, Grade]
    ) -> dict[str, Grade]:
        """The proofs, with those of backups that would cover others if only they were proved.

        No others are asked for: a store of ten thousand backups is not looked through.
        """
        known, failed = dict(proofs), set[str]()
        while wanted := _wanted(plan, folders, known, failed):
            for record in sorted(wanted):
                if self._prove(folders[record]):
                    known[record] = Grade.STORED
                else:
                    failed.add(record)
        return known

    def holds(self, folder: Folder) -> bool:
        """Whether the store holds a backup as it was judged, with every object of its manifest."""
        return self._ask(folder) is not None

    def _prove(self, folder: Folder) -> bool:
        """Ask for one backup's objects, and record that they are there."""
        record, storage = folder.entry.record, self.storage
        objects = self._ask(folder)
        if objects is None:
            return False
        if not self.dry_run:
            check = StoreCheck(run=folder.entry.id, finished=self.now, objects=objects)
            key, body = f"{record}{CHECKED}", write_record(check)
            storage.call(lambda: storage.bucket.put(key, body, only_new=False))
        return True

    def _ask(self, folder: Folder) -> tuple[AskedObject, ...] | None:
        """The objects of a backup as the store describes them; None where one is not as it was."""
        record, storage = folder.entry.record, self.storage
        found = storage.call(lambda: storage.bucket.get_version(f"{record}{MANIFEST}"))
        manifest = read_record(found[0]) if found and found[1] == folder.etag else None
        if not isinstance(manifest, Manifest):
            return None
        found_heads = read_heads(storage, (item.key for item in manifest.objects))
        heads = [(item, found_heads[item.key]) for item in manifest.objects]
        wrong = [item.key for item, head in heads if not _is_whole(item, head, folder.entry.id)]
        if wrong:
            _LOG.warning(
                "the store does not hold what a manifest says",
                extra=fields(record=record, key=wrong[0], count=len(wrong)),
            )
            return None
        return tuple(
            AskedObject(key=item.key, size=head.size, crc32=head.crc32 or "")
            for item, head in heads
            if head
        )


def _wanted(
    plan: Plan,
    folders: Mapping[str, Folder],
    known: Mapping[str, Grade],
    failed: Collection[str],
) -> set[str]:
    """The backups without a proof that would cover others with one."""
    hoped = {
        record: Grade.STORED
        for record, folder in folders.items()
        if folder.entry.is_restorable
        and not has_failed(folder.entry)
        and known.get(record, Grade.NONE) < Grade.STORED
        and record not in failed
    }
    if not hoped:
        return set()
    return {verdict.covered_by for verdict in plan({**known, **hoped})} & hoped.keys()


def _is_whole(item: ObjectRecord, head: Head | None, run: str) -> bool:
    return (
        head is not None
        and head.size == item.size
        and (head.crc32 is None or not item.crc32 or head.crc32 == item.crc32)
        and head.run in {None, run}
    )
