"""What a storage that a backup is copied to holds of it already, and what that means. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from dumpers.repository.catalogue import rfc3339
from dumpers.repository.copying.move import Move
from dumpers.repository.keys import SWEEPING, last_proof
from dumpers.repository.record_json import read_record
from dumpers.repository.records import Manifest, Removal, Tombstone
from dumpers.runtime.errors import KsnapshotError, StorageFailedError, StorageRefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """What lies in the target at the keys of a run's records.

    `body` is what has the manifest's key, empty where nothing has; `etag` is that one's. `names`
    are those of all records of the run. All are empty, too, where the keys may not look: then
    the conditional write of the manifest decides.
    """

    body: bytes = b""
    etag: str = ""
    names: Collection[str] = ()


def is_copied(there: There, source: Manifest, move: Move, *, now: datetime) -> bool:
    """Whether the backup `source` is there already; false where it may be copied there.

    StorageRefusedError where what is there speaks against a copy, StorageFailedError where that
    ends by itself.
    """
    if not there.body:
        return False
    found = read_record(there.body)
    if isinstance(found, Manifest):
        if _contents(found) != _moved_contents(source, move):
            raise StorageRefusedError(
                f"{move.storage} holds another backup {source.begun.run} than the one that was to "
                "be copied: their objects differ; nothing was written"
            )
        if (proof := last_proof(there.names, now=now)) and not proof.good:
            raise StorageRefusedError(
                f"{source.begun.run} is in {move.storage} already, and was found damaged there at "
                f"{rfc3339(proof.when)}: delete it there, then copy it again"
            )
        return True
    if objection := _objection(found, there.names, move):
        raise objection
    return False


def _objection(found: object, names: Collection[str], move: Move) -> KsnapshotError | None:
    """Why a record that is no manifest keeps a copy from its place.

    A crashed run's tombstone does so until the mark of the sweep is gone: behind that nobody
    deletes any more what the run had stored. That of a backup goes by itself.
    """
    if not isinstance(found, Tombstone):
        return StorageRefusedError(
            f"{move.storage} holds a record in place of the manifest that this version cannot read;"
            " nothing was written"
        )
    if found.removal is Removal.PRUNED:
        return StorageFailedError(
            f"the backup {found.run} is being deleted from {move.storage} since "
            f"{rfc3339(found.removed)}: copy it once that has ended"
        )
    if SWEEPING in names:
        return StorageFailedError(
            f"what a crashed run {found.run} left in {move.storage} is being removed: copy the "
            "backup once that has ended, with the next prune at the latest"
        )
    return None


def _contents(manifest: Manifest) -> list[tuple[str, int, str]]:
    return [(item.key, item.size, item.sha256) for item in manifest.objects]


def _moved_contents(source: Manifest, move: Move) -> list[tuple[str, int, str]]:
    return [(move.key(key), size, sha256) for key, size, sha256 in _contents(source)]
