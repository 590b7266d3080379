"""Deletes one backup: its manifest gives way to a tombstone before the first object goes.

So no backup is ever listed whose objects are not all there, and no pin is overlooked that somebody
was told of (see `removal.tombstones`). Whoever finds a tombstone goes on with the deletion. It is
removed last.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from dumpers.repository.catalogue import rfc3339
from dumpers.repository.keys import MANIFEST, PINNED, last_drill, last_proof
from dumpers.repository.records import Manifest, Tombstone
from dumpers.repository.removal.folders import Folder, list_names
from dumpers.repository.removal.heads import read_heads
from dumpers.repository.removal.leftovers import OLD_VERSIONS, UNPROVEN, Burial, Leftover
from dumpers.repository.removal.store_traits import StoreTraits
from dumpers.repository.removal.tombstones import SINCE_PINNED, Tombstones
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.s3.answers import Head

_LOG = logging.getLogger(__name__)

_FOR_EVER = "its legal hold is lifted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undertaker:
    """Deletes backups of one CronJob, as seen at `now`.

    With `is_asked` somebody asked for that: objects that do not say of which run they are stay
    then, and the rest goes. A policy lets such a backup stay whole.
    """

    storage: RunStorage
    traits: StoreTraits
    now: datetime
    is_asked: bool

    def bury(self, folder: Folder, *, cover: Folder | None) -> Burial:
        """Delete a backup that was judged as `folder` has it.

        It is kept, with the reason, where something speaks against that by now: a pin, another
        manifest, an object that has to stay, or that the backup which covers it (None where nobody
        asks for one) is not what it was. InterruptedRunError and errors of the store may leave it
        half done, behind its tombstone.
        """
        record = folder.entry.record
        if why := self._speaks_against(record, cover):
            return _keep(record, why)
        found = self._tombstones.get(record)
        if found is None or found[1] != folder.etag:
            return _keep(record, "its manifest is not what it was when it was judged")
        tombstone = self._tombstones.make(folder, found[0])
        if tombstone is None:
            return _keep(record, "no record of it says which objects it has")
        heads = read_heads(self.storage, _keys(tombstone))
        if staying := self._staying(heads):
            return Burial(is_done=False, freed=0, left=staying)
        why = self._tombstones.put(record, tombstone, folder.etag)
        if why := why or self._tombstones.decide(record, tombstone):
            return _keep(record, why)
        return self._remove(record, tombstone, heads)

    def _speaks_against(self, record: str, cover: Folder | None) -> str:
        if PINNED in list_names(self.storage, record):
            return SINCE_PINNED
        if cover is not None and not self._still_covers(cover):
            return f"{cover.entry.record} is not what it was when it was judged"
        return ""

    def finish(self, folder: Folder) -> Burial:
        """Go on with a deletion that was interrupted; `folder` holds its tombstone.

        Where a pin calls it off, or the tombstone is gone, all that is there by now is kept.
        """
        record = folder.entry.record
        tombstone = self._tombstones.find(record)
        if tombstone is None:
            return _keep(record, "its tombstone is not what it was when it was read")
        if why := self._tombstones.decide(record, tombstone):
            return _keep(record, why)
        heads = read_heads(self.storage, _keys(tombstone))
        return self._remove(record, tombstone, heads)

    def foresee(self, folder: Folder) -> Burial:
        """What `bury` would do as things are now; nothing is written or deleted."""
        found = self._tombstones.get(folder.entry.record)
        tombstone = self._tombstones.make(folder, found[0]) if found else None
        if tombstone is None:
            return _keep(folder.entry.record, "no record of it says which objects it has")
        heads = read_heads(self.storage, _keys(tombstone))
        if staying := self._staying(heads):
            return Burial(is_done=False, freed=0, left=staying)
        own = {key: head for key, head in heads.items() if head and head.run == tombstone.run}
        versions = self._versions(own)
        freed = 0 if versions else sum(head.size for head in own.values())
        return Burial(is_done=True, freed=freed, left=(*_unknown(heads), *versions))

    def foresee_finish(self, folder: Folder) -> Burial:
        """What `finish` would do as things are now; what it would free is not asked for."""
        tombstone = self._tombstones.find(folder.entry.record)
        if tombstone is not None and not tombstone.is_decided and folder.entry.pinned:
            return _keep(folder.entry.record, SINCE_PINNED)
        return Burial(is_done=True, freed=0)

    @property
    def _tombstones(self) -> Tombstones:
        return Tombstones(storage=self.storage, traits=self.traits, now=self.now)

    def _staying(self, heads: Mapping[str, Head | None]) -> tuple[Leftover, ...]:
        """What keeps a backup whole."""
        unknown = () if self.is_asked else _unknown(heads)
        return (*locks_of(heads, self.now), *unknown)

    def _still_covers(self, cover: Folder) -> bool:
        record = cover.entry.record
        key = f"{record}{MANIFEST}"
        head = self.storage.call(lambda: self.storage.bucket.head(key))
        names = list_names(self.storage, record)
        verdicts = [last(names, now=self.now) for last in (last_proof, last_drill)]
        has_failed = any(verdict is not None and not verdict[1] for verdict in verdicts)
        return head is not None and head.etag == cover.etag and not has_failed

    def _remove(
        self,
        record: str,
        tombstone: Tombstone,
        heads: Mapping[str, Head | None],
    ) -> Burial:
        """Delete the objects, then the other records, then the tombstone."""
        storage = self.storage
        own = {key: head for key, head in heads.items() if head and head.run == tombstone.run}
        left = _unknown(heads)
        refused = storage.call(lambda: storage.bucket.delete_many(list(own)))
        left += [Leftover(key=key, why=why) for key, why in refused.items()]
        gone = {key: head for key, head in own.items() if key not in refused}
        versions = self._versions(gone)
        if not left:
            # As they are by now: a restore may have written one.
            left = self._remove_records(record, list_names(storage, record) - {MANIFEST})
        if not left:
            storage.call(lambda: storage.bucket.delete(f"{record}{MANIFEST}"))
            left = self._remove_late(record)
        freed = 0 if versions else sum(head.size for head in gone.values())
        _LOG.info(
            "backup deleted",
            extra=fields(record=record, objects=len(gone), freed_bytes=freed, left=len(left)),
        )
        return Burial(is_done=True, freed=freed, left=(*left, *versions))

    def _remove_late(self, record: str) -> list[Leftover]:
        """Delete what somebody wrote between the last listing and the tombstone's end.

        Else it would be a run of which nothing tells how it stands. Where a manifest is there
        again, all of it is left to whoever wrote that.
        """
        late = list_names(self.storage, record)
        return [] if MANIFEST in late else self._remove_records(record, late)

    def _remove_records(self, record: str, names: Collection[str]) -> list[Leftover]:
        """Delete these records of a run; those that the store refuses to delete."""
        keys, storage = [record + name for name in sorted(names)], self.storage
        refused = storage.call(lambda: storage.bucket.delete_many(keys)) if keys else {}
        return [Leftover(key=key, why=why) for key, why in refused.items()]

    def _versions(self, gone: Mapping[str, Head]) -> tuple[Leftover, ...]:
        """What stays of deleted objects where the bucket keeps old versions."""
        if not gone or not self.traits.keeps_versions:
            return ()
        return tuple(Leftover(key=key, why=OLD_VERSIONS) for key in gone)


def _unknown(heads: Mapping[str, Head | None]) -> list[Leftover]:
    """The objects of which nothing proves the run."""
    return [
        Leftover(key=key, why=UNPROVEN) for key, head in heads.items() if head and head.run is None
    ]


def locks_of(heads: Mapping[str, Head | None], now: datetime) -> list[Leftover]:
    """The objects that the store has locked beyond now, and until when."""
    return [
        Leftover(key=key, until=_until(head), why="the store has locked it")
        for key, head in heads.items()
        if head and (head.legal_hold or (head.locked_until and head.locked_until > now))
    ]


def _until(head: Head) -> str:
    if head.legal_hold:
        return _FOR_EVER
    return rfc3339(head.locked_until) if head.locked_until else ""


def _keep(record: str, why: str) -> Burial:
    _LOG.warning("a backup is kept after all", extra=fields(record=record, why=why))
    return Burial(is_done=False, freed=0, left=(Leftover(key=record, why=why),))


def _keys(tombstone: Tombstone) -> list[str]:
    """The objects that a tombstone names: those of the manifest, or that the run was to write."""
    buried = tombstone.buried
    if isinstance(buried, Manifest):
        objects = [item.key for item in buried.objects]
        # A pod that was killed may have left some beside those that count.
        return [*dict.fromkeys([*objects, *buried.begun.keys])] if buried.begun.shards else objects
    return list(buried.keys)
