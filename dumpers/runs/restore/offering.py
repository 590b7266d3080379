"""A backup that is offered to a client: checked as far as can be before it is read, and served."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

from dumpers.repository.catalogue import Entry, State, rfc3339
from dumpers.repository.records import Manifest
from dumpers.runs.restore.exchange.messages import VERSION, Drilling, Offer, Piece
from dumpers.runs.restore.exchange.serving import Listener, Served
from dumpers.runs.restore.pieces import PieceReader, StoredBackup
from dumpers.storage.run_storage import RunStorage
from dumpers.streams import age


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedBackup:
    """A backup with the keys that open it, and the readers of the pieces that are being served."""

    entry: Entry
    backup: StoredBackup
    readers: list[PieceReader] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        entry: Entry,
        manifest: Manifest,
        storage: RunStorage,
        *,
        identities: Sequence[age.Identity],
    ) -> Self:
        """The backup of an entry, opened by these keys."""
        return cls(
            entry=entry,
            backup=StoredBackup(
                storage=storage,
                manifest=manifest,
                identities=identities,
                is_legacy=entry.state is State.LEGACY,
            ),
        )

    @property
    def manifest(self) -> Manifest:
        """The backup's manifest."""
        return self.backup.manifest

    @property
    def size(self) -> int:
        """The bytes of all objects before compression."""
        return sum(item.source_size for item in self.manifest.objects)

    def check(self) -> None:
        """Raise BackupDamagedError and EncryptionError for what shows before it is all read."""
        self.backup.check_sizes()
        self.backup.check_keys()

    @contextmanager
    def open(self, place: int) -> Iterator[PieceReader]:
        """Read an object, and remember meanwhile that it is read."""
        with self.backup.open(place) as reader:
            self.readers.append(reader)
            try:
                yield reader
            finally:
                self.readers.remove(reader)

    def offer(
        self, *, request: str = "", plan_only: bool = False, drilling: Drilling | None = None
    ) -> Offer:
        """The backup as it is offered: for a restore by its `request`, or for a drill."""
        return Offer(
            version=VERSION,
            backup=self.entry.id,
            began=rfc3339(self.entry.started),
            engine=self.manifest.begun.engine,
            server_version=self.manifest.server_version,
            request=request,
            plan_only=plan_only,
            pieces=tuple(
                Piece(
                    name=item.name,
                    part=item.part,
                    ending=item.ending,
                    size=item.source_size,
                    metadata=item.metadata,
                )
                for item in self.manifest.objects
            ),
            drilling=drilling,
        )

    def waits_for(self, listener: Listener) -> str:
        """What a client without progress waits for."""
        if any(reader.download.is_waiting for reader in self.readers):
            return "the store"
        return "the target" if listener.is_stalled_by_client() else "decryption"

    def unread(self, served: Served) -> list[str]:
        """The keys of objects that the client has begun, and has not read to their proven end."""
        return [self.manifest.objects[place].key for place in sorted(served.begun - served.whole)]
