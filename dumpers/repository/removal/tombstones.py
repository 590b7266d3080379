"""What lies at the key of a manifest while its backup is deleted.

First a tombstone that announces the deletion. A pin that is there by then calls it off, and the
manifest, which the tombstone holds whole, is put back. Otherwise a tombstone that decides it takes
the key, and from there on nobody puts the manifest back, as objects may be gone. So whoever writes
a pin and reads the manifest behind that has it heeded. Each step is a write on the condition that
the one before is still there, so that of two runs one goes on.
"""

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from dumpers.repository.catalogue import NO_DEADLINE
from dumpers.repository.keys import MANIFEST, PINNED, STARTED
from dumpers.repository.record_json import make_tombstone, read_record, unbury, write_record
from dumpers.repository.records import Manifest, Removal, StartedRecord, Tombstone
from dumpers.repository.removal.crashed import MARGIN_WITHOUT_CONDITIONS
from dumpers.repository.removal.folders import Folder
from dumpers.repository.removal.store_traits import StoreTraits
from dumpers.repository.sharing.every_key import with_shards
from dumpers.runtime.log import fields
from dumpers.storage.errors import ChangedInStoreError
from dumpers.storage.run_storage import RunStorage

_LOG = logging.getLogger(__name__)

SINCE_PINNED = "it was pinned since it was judged"
_CHANGED = "its manifest changed while it was to be deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstones:
    """Those of backups of one CronJob, as seen at `now`; `record` is the folder of a backup."""

    storage: RunStorage
    traits: StoreTraits
    now: datetime

    def get(self, record: str) -> tuple[bytes, str] | None:
        """What lies at the manifest's key now, with its ETag; None if nothing does."""
        key = f"{record}{MANIFEST}"
        return self.storage.call(lambda: self.storage.bucket.get_version(key))

    def find(self, record: str) -> Tombstone | None:
        """The tombstone of a backup; None where there is another record, or none, by now."""
        found = self.get(record)
        tombstone = read_record(found[0]) if found else None
        if isinstance(tombstone, Tombstone) and tombstone.removal is Removal.PRUNED:
            return tombstone
        return None

    def make(self, folder: Folder, body: bytes) -> Tombstone | None:
        """The tombstone that announces a deletion, from the manifest's body.

        For a manifest that is damaged it is by the run's started record, and decides at once: no
        pin is put beside what cannot be restored. None where no record can be read.
        """
        made = make_tombstone(body, removal=Removal.PRUNED, removed=self.now)
        if not isinstance(made, Tombstone) and STARTED in folder.names:
            made = make_tombstone(self._started(folder), removal=Removal.PRUNED, removed=self.now)
        if not isinstance(made, Tombstone):
            return None
        return replace(made, is_decided=not isinstance(made.buried, Manifest))

    def _started(self, folder: Folder) -> bytes:
        """The body of a run's started record, with the keys of all pods where several share it."""
        record, storage = folder.entry.record, self.storage
        body = storage.call(lambda: storage.bucket.get(f"{record}{STARTED}"))
        begun = read_record(body)
        if not isinstance(begun, StartedRecord) or not begun.shards:
            return body
        names = folder.names
        whole = storage.call(lambda: with_shards(storage.bucket, record, begun, names))
        return write_record(whole)

    def put(self, record: str, tombstone: Tombstone, etag: str) -> str:
        """Let the tombstone take the manifest's key; the reason where that may not be."""
        if not self.traits.conditional and not self._is_old(tombstone):
            return "the store ignores conditions, and its run's deadline is not a day past"
        return self._replace(record, write_record(tombstone), etag)

    def decide(self, record: str, tombstone: Tombstone) -> str:
        """Decide a deletion that is announced, or call it off; the reason where it is not decided.

        Nothing of the backup may be deleted before.
        """
        if tombstone.is_decided:
            return ""
        found = self.get(record)
        if found is None or read_record(found[0]) != tombstone:
            return _CHANGED
        etag = found[1]
        pin = f"{record}{PINNED}"
        if self.storage.call(lambda: self.storage.bucket.head(pin)) is None:
            decided = replace(tombstone, is_decided=True)
            return self._replace(record, write_record(decided), etag)
        _LOG.info("the manifest of a backup is put back", extra=fields(record=record))
        return self._replace(record, unbury(tombstone), etag) or SINCE_PINNED

    def _replace(self, record: str, body: bytes, etag: str) -> str:
        key, storage = f"{record}{MANIFEST}", self.storage
        if not self.traits.conditional:
            storage.call(lambda: storage.bucket.put(key, body, only_new=False))
            return ""
        try:
            storage.call(lambda: storage.bucket.replace(key, body, etag=etag))
        except ChangedInStoreError:
            # By an attempt whose answer got lost, perhaps.
            found = self.get(record)
            if found is None or found[0] != body:
                return _CHANGED
        return ""

    def _is_old(self, tombstone: Tombstone) -> bool:
        """Whether no run can be suspended any more that might still write this manifest."""
        buried = tombstone.buried
        begun = buried.begun if isinstance(buried, Manifest) else buried
        return self.now > (begun.ends or begun.started + NO_DEADLINE) + MARGIN_WITHOUT_CONDITIONS
