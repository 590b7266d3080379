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
class DrilledTable:
    """A table, or an index of a search engine, that a drill restored and compared.

    `rows` are those of the throwaway server, None where they were not counted; `good` if they are
    what was dumped, else `why` says how they differ.
    """

    name: str
    rows: int | None
    good: bool
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrilledCheck:
    """A check of the user's own, by its number; `why` says what it gave where it does not hold."""

    number: int
    good: bool
    seconds: float
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """What restoring this backup into a throwaway server of version `server_version` has shown.

    `by` and `reason` are as in Restoration; `image` is the server's. `method` says in a few words
    what was compared, `faults` are sentences on what differs besides the tables, on why the backup
    did not load, or on checks that do not hold, `unproved` sentences on what a drill cannot see.
    `start_seconds`, `restore_seconds` and `compare_seconds` are those of its stages, `age_seconds`
    is how old the data was when the drill ended. `source_bytes` were read, before compression.
    `checks` are those that the user asks for, none where it did not come to them, and took
    `check_seconds`.
    """

    run: str
    started: Time
    finished: Time
    by: str
    engine: str
    server_version: str
    image: str
    reason: str
    message: str
    method: str
    tables: tuple[DrilledTable, ...]
    faults: tuple[str, ...]
    unproved: tuple[str, ...]
    source_bytes: int
    age_seconds: float
    start_seconds: float
    restore_seconds: float
    compare_seconds: float
    checks: tuple[DrilledCheck, ...] = ()
    check_seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether the backup was restored, and nothing differs."""
        return not self.faults and all(table.good for table in self.tables)


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
class Copied:
    """Says that this backup was copied here, once its dump had ended; `by` as in Restoration.

    `storage` and `bucket` are those that it came from.
    """

    run: str
    copied: Time
    storage: str
    bucket: str
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
