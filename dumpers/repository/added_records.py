"""The types of the records that are added to a backup once it is there. As in `records`."""

from dataclasses import dataclass

from dumpers.repository.records import Time


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedObject:
    """One object as it was read; `good` if it is as it was sent, else `why` says how it differs.

    `size` and `sha256` are those of what the store gave.
    """

    key: str
    size: int
    sha256: str
    good: bool
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What reading a backup's objects found.

    `method` is READ_BACK where they were compared as they are stored, DECODED where they were
    decrypted and unpacked to the end besides, and what came out was compared.
    """

    run: str
    method: str
    finished: Time
    objects: tuple[CheckedObject, ...]

    @property
    def good(self) -> bool:
        """Whether every object is as it was sent."""
        return all(item.good for item in self.objects)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """What a restore of this backup did, where, and for whom.

    `by` is who asked, as the API server knows them, empty where nobody said. `target` is
    `host:port/database`, `mode` one of dumpers.contract.restore.request.RestoreMode. `reason` is
    `Succeeded`, or the stable name of the failure that `message` explains. `restored` are names in
    the backup with those in the target, `kept` live names with those of what a swap keeps.
    """

    run: str
    started: Time
    finished: Time
    by: str
    target: str
    mode: str
    reason: str
    message: str
    target_partial: bool
    restored: tuple[tuple[str, str], ...] = ()
    kept: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """Keeps a backup from being pruned until the record is removed; `by` as in Restoration."""

    run: str
    pinned: Time
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Says that the sizes of all backups up to this one are right; `by` as in Restoration."""

    run: str
    accepted: Time
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedObject:
    """One object as the store described it; `crc32` is empty where the store keeps none."""

    key: str
    size: int
    crc32: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCheck:
    """The store was asked later, and holds every object of the backup as its manifest says.

    The run itself could not ask: its keys may write only.
    """

    run: str
    finished: Time
    objects: tuple[AskedObject, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShrunkRecord:
    """The backup was found suspiciously small among those before it, which may be gone by now."""

    run: str
    found: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadRecord:
    """A verification could not read all of the backup, and came to no verdict.

    `reason` and `message` are those of a failure.
    """

    run: str
    finished: Time
    reason: str
    message: str
