"""The types of the records that a run leaves in the bucket. Times have a zone, sizes are bytes.

Their JSON form is in `record_json`; the format is documented in docs/restore.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from dumpers.contract.fingerprint import Fingerprint
from dumpers.contract.names import GZIP

# RFC 3339, written in UTC.
Time = Annotated[datetime, msgspec.Meta(tz=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedRecord:
    """Written before anything else: who runs, for which workload, and which keys will be written.

    `deadline_seconds` is None without a deadline. A run that has a started record, no manifest, and
    a deadline that is long past, crashed. `storages` are the names of all storages that the run is
    to write to, `storage` is the one that this record is in; both are empty where `main` is the
    only one. `is_copy` is true where the run's backup is copied here, and not dumped. `shards` is
    how many pods share the run, a shard each, 0 where one does it all: then their ShardRecords name
    further keys.
    """

    run: str
    cluster: str
    workload: str
    cronjob: str
    pod: str
    engine: str
    bucket: str
    started: Time
    deadline_seconds: int | None
    keys: tuple[str, ...]
    storage: str = ""
    storages: tuple[str, ...] = ()
    is_copy: bool = False
    shards: int = 0

    @property
    def ends(self) -> datetime | None:
        """When the run's deadline is over; None without one."""
        seconds = self.deadline_seconds
        return None if seconds is None else self.started + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFingerprint(Fingerprint):
    """What the object `key` held."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FingerprintRecord:
    """The fingerprints of a run's objects, apart from the manifest, which is read more often."""

    run: str
    objects: tuple[ObjectFingerprint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRecord:
    """One object of a backup: `size` in the store, `source_size` before compression.

    `part` is empty unless `name` is stored in parts. `ending` is the format's own, such as `.sql`,
    without those of compression and encryption. `sha256` is of the object as stored,
    `source_sha256` of the dump tool's output. `checked` is true where the store confirmed the
    object after its upload. `metadata` comes from the engine.
    """

    key: str
    name: str
    part: tuple[str, ...] = ()
    ending: str
    size: int
    sha256: str
    crc32: str
    source_size: int
    source_sha256: str
    checked: bool
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """How the objects of a backup are encrypted, and for whom: public keys."""

    scheme: str = "age"
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """A policy (see repository.retention.policy), and the IANA zone that cuts its days."""

    policy: str
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRecord:
    """A note on a backup: see dumpers.contract.notes, whose codes later versions may add to.

    `accepted` is true where the workload's annotations said so when the dump began.
    """

    code: str
    text: str
    objects: tuple[str, ...] = ()
    accepted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The record that makes a backup exist, written last.

    `begun` is the run's started record, `compression` that of all objects, one of COMPRESSIONS
    unless a later version wrote it, `encryption` None for a backup in the clear, `retention` None
    where all were to be kept, `metadata` what the engine knows of the whole dump. `size_accepted`
    is true where the workload's annotations said that the size is right.
    `required_proof` is PROOF_READ where a backup of the workload must have been read before it
    covers others, PROOF_DRILLED where it must have been restored, empty where the store's word is
    enough; later versions may add to the words. `options` are the variables of the engine's options
    that the dump was made with, none of which is a secret; older manifests have none.
    `fingerprint` is the sha256, as hex, of the FingerprintRecord beside it, empty without one.
    `missing` are those of the run's storages that had been given up when this was written.
    """

    begun: StartedRecord
    finished: Time
    server_version: str
    tool_version: str
    compression: str = GZIP
    encryption: Encryption | None
    objects: tuple[ObjectRecord, ...]
    notes: tuple[NoteRecord, ...] = ()
    retention: Retention | None = None
    size_accepted: bool = False
    required_proof: str = ""
    fingerprint: str = ""
    missing: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRecord:
    """How a run failed; `message` holds no secret. A manifest beside this record outweighs it."""

    run: str
    finished: Time
    exit_code: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapRecord:
    """That a new workload was restored before its first backup, or how that failed.

    `owner` is the uid of what owned its pods, `asked` what its annotation said. `source` is the
    CronJob whose backup it was, and `run` that backup's id, empty where none was found. `reason`
    is `Succeeded`, or the stable name of the failure that `message` explains.
    """

    owner: str
    asked: str
    source: str
    run: str
    started: Time
    finished: Time
    done: bool
    reason: str
    message: str


class Removal(StrEnum):
    """Why the objects of a run were removed."""

    SWEPT = "swept"  # the run crashed or failed: there was no backup
    PRUNED = "pruned"  # the backup was no longer to be kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """Takes the place of a run's manifest before anything of the run is deleted.

    `buried` is the started record or the manifest that lists what to delete, so that another run
    can finish an interrupted deletion; `document` is its JSON form with all members. As long as
    `is_decided` is false, nothing is deleted yet, and a pin still calls the deletion off.
    """

    removal: Removal
    run: str
    removed: Time
    buried: StartedRecord | Manifest
    document: Mapping[str, Any]
    is_decided: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownRecord:
    """A record of a format or kind that this version does not know: kept, and no ground to act.

    `kind` is empty where the record does not name one.
    """

    format: object
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedRecord:
    """What cannot be read as a record although the format is known; `why` says what is wrong."""

    why: str
