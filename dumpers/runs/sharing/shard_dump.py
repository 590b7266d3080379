"""Storing the objects of one shard, and recording them as they are proved."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from dumpers.contract.jobs import DumpJob
from dumpers.engines.protocol import Dump, DumpStream
from dumpers.engines.sharing import IdentifiedStream
from dumpers.repository.records import ObjectRecord
from dumpers.repository.sharing.assembly import taken_over
from dumpers.repository.sharing.shard_record import ShardObject, ShardRecord, shard_name
from dumpers.runs.destinations.destination import Destination
from dumpers.runs.naming import key_of
from dumpers.runs.notes import judge, with_learned_notes
from dumpers.runs.pipeline import store_all
from dumpers.runs.sharing.batches import cut
from dumpers.runs.sharing.ledger import Ledger
from dumpers.runs.verify.read_back import check_found, read_all
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.stores import Stores
from dumpers.streams import age

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardDump:
    """The dump of one shard by its number, to the one store of a run that pods share."""

    job: DumpJob
    opened: Dump
    destination: Destination
    stores: Stores
    recipients: Sequence[age.Recipient]
    shard: int
    now: Callable[[], datetime]

    def begin(self, ledger: Ledger, *, writer: str) -> ShardRecord:
        """Take the shard over from an earlier pod, if there was one, with what it has stored.

        Objects count that the store confirms and whose tables are what they were. All others are
        stored anew, under keys that no other pod writes to.
        """
        before, info, part = ledger.found, self.opened.info, self.opened.part
        assert part is not None
        attempt = before.attempt + 1 if before else 1
        wanted = {self._key(stream, attempt): _identity(stream) for stream in self.opened.streams}
        stages = dict(zip(wanted, part.stages, strict=True))
        stored = confirmed(self._storage, self.destination.run.id, before.objects if before else ())
        kept = taken_over(stored, wanted, stages)
        keys = [key for key in wanted if key not in kept]
        record = ShardRecord(
            run=self.destination.run.id,
            shard=self.shard,
            writer=writer,
            attempt=attempt,
            updated=self.now(),
            # One at least, for the probe.
            keys=tuple(dict.fromkeys([*(keys or wanted), *(before.keys if before else ())])),
            objects=tuple(kept.values()),
            server_version=info.server_version,
            tool_version=info.tool_version,
            notes=judge(info.notes, self.job),
            holds=part.holds,
            borrows=part.borrows,
            places=part.places,
            metadata=info.metadata,
        )
        ledger.write(record)
        if before:
            _LOG.info(
                "going on with a shard",
                extra=fields(
                    shard=self.shard,
                    attempt=attempt,
                    objects=len(kept),
                    left=len(keys),
                    kept_bytes=sum(item.record.source_size for item in kept.values()),
                ),
            )
        return record

    def store(self, ledger: Ledger, record: ShardRecord) -> ShardRecord:
        """Store what the record has not yet, and return it as it is in the end: done."""
        assert self.opened.part is not None
        stages = dict(zip(map(id, self.opened.streams), self.opened.part.stages, strict=True))
        kept = {item.identity for item in record.objects}
        left = [
            stream
            for stream in self.opened.streams
            if not (own := _identity(stream)) or own not in kept
        ]
        for batch in cut(left):
            found = self._store_batch(batch, record.attempt)
            made = [
                ShardObject(record=item, stage=stages[id(stream)], identity=_identity(stream))
                for stream, item in zip(batch, found, strict=True)
            ]
            objects = (*record.objects, *made)
            record = replace(record, objects=objects, updated=self.now())
            ledger.write(record)
        source = with_learned_notes(self.opened.info, self.opened.streams, self.job)
        record = replace(record, notes=judge(source.notes, self.job))
        if self.job.verify:
            record = self._read_back(ledger, record)
        record = replace(record, done=True, updated=self.now())
        ledger.write(record)
        return record

    def _store_batch(self, batch: Sequence[DumpStream], attempt: int) -> Sequence[ObjectRecord]:
        name = self.destination.name
        stored = store_all(
            batch,
            keys={name: [self._key(stream, attempt) for stream in batch]},
            parallel=self.opened.info.parallel,
            part_size=self.job.part_size,
            compression=self.job.compression,
            recipients=self.recipients,
            stores=self.stores,
        )
        return [item.record for item in stored[name]]

    def _read_back(self, ledger: Ledger, record: ShardRecord) -> ShardRecord:
        """Read all objects of the shard; what is damaged is left out of the record first."""
        objects = [item.record for item in record.objects]
        read = read_all(self._storage, objects)
        good = [item for item, found in zip(record.objects, read, strict=True) if found.good]
        record = replace(record, objects=tuple(good), read=read, updated=self.now())
        if len(good) < len(read):
            ledger.write(record)
        folder = self.destination.run.record_prefix
        check_found(objects, read, details=f"{folder}{shard_name(self.shard)}")
        return record

    def _key(self, stream: DumpStream, attempt: int) -> str:
        return key_of(stream, self.job, self.destination.run, attempt)

    @property
    def _storage(self) -> RunStorage:
        return self.stores[self.destination.name]


def confirmed(
    storage: RunStorage, run: str, objects: Sequence[ShardObject]
) -> Sequence[ShardObject]:
    """Those of these objects that the store has, of this run and as long as they were sent."""
    found = []
    for item in objects:
        head = storage.call(partial(storage.bucket.head, item.record.key))
        if head is not None and head.run == run and head.size == item.record.size:
            found.append(item)
    return found


def _identity(stream: DumpStream) -> str:
    """Empty for an object that is always made anew."""
    return stream.identity() if isinstance(stream, IdentifiedStream) else ""
