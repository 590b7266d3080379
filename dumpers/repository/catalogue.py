"""What there is of a CronJob's backups: its run records as typed entries, newest first.

Pure: which keys there are, and what the records say, is read elsewhere (`repository.listing`).
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from dumpers.contract.key_names import quote
from dumpers.contract.notes import codes_of
from dumpers.repository.keys import (
    ACCEPTED,
    CHECKED,
    FAILED,
    MANIFEST,
    PINNED,
    STARTED,
    SWEEPING,
    Drilled,
    Proof,
    RunFolder,
    last_drill,
    last_proof,
)
from dumpers.repository.record_json import read_record
from dumpers.repository.records import (
    DamagedRecord,
    FailedRecord,
    Manifest,
    Removal,
    Retention,
    StartedRecord,
    Tombstone,
    UnknownRecord,
)

# Clocks of two nodes differ, and a kill takes its time.
MARGIN = timedelta(minutes=15)
# What a run without a deadline is taken to need at most.
NO_DEADLINE = timedelta(hours=24)
_OWN = {STARTED, MANIFEST, FAILED, SWEEPING}


class State(StrEnum):
    """How a run stands; only the first two, and a legacy dump, can be restored."""

    COMPLETE = "complete"
    NOTES = "notes"  # whole but for what the notes name
    FAILED = "failed"
    RUNNING = "running"
    CRASHED = "crashed"  # it ended without a word, and past its deadline
    SWEPT = "swept"  # it crashed or failed, and its objects were removed
    PRUNED = "pruned"
    DAMAGED = "damaged"  # the last proof failed, or the manifest cannot be read
    UNKNOWN = "unknown"  # a record of a format that this version does not know
    LEGACY = "legacy"  # a dump of ksnapshot 0.6.0, which has no records


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One run. Sizes are bytes; what is not known is empty, 0 or None.

    `record` is the folder of the run's records, with its trailing slash. `why` explains a state
    that is no backup. `notes` are the codes of those that nobody accepted. `checked` is true where
    the store confirmed size and checksum of every object, when it was written or when prune asked.
    `retention` is None where all backups were to be kept when this one was made, `required_proof`
    what its workload wants of a backup that covers others, see Manifest. `size_accepted` is true
    where somebody found the sizes of all backups up to this one right; `copying` where no dump has
    begun here, but a copy of the backup, and has not ended; the rest is the manifest's.
    """

    id: str
    record: str
    started: datetime
    state: State
    finished: datetime | None = None
    why: str = ""
    pinned: bool = False
    proof: Proof | None = None
    drill: Drilled | None = None
    cluster: str = ""
    workload: str = ""
    cronjob: str = ""
    engine: str = ""
    server_version: str = ""
    source_bytes: int = 0
    stored_bytes: int = 0
    objects: int = 0
    recipients: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    checked: bool = False
    retention: Retention | None = None
    size_accepted: bool = False
    required_proof: str = ""
    storages: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    copying: bool = False

    @property
    def is_restorable(self) -> bool:
        """Whether a restore may be tried."""
        return self.state in {State.COMPLETE, State.NOTES, State.LEGACY}

    def to_document(self) -> Mapping[str, Any]:
        """The entry as JSON has it; the members are described in docs/catalogue.md."""
        members: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return members | {
            "started": rfc3339(self.started),
            "finished": self.finished and rfc3339(self.finished),
            **{name: _verdict(members[name]) for name in ("proof", "drill")},
            "retention": self.retention and asdict(self.retention),
            "restorable": self.is_restorable,
        }


def _verdict(last: Proof | Drilled | None) -> Mapping[str, Any] | None:
    return last and {"when": rfc3339(last.when), "good": last.good}


def rfc3339(moment: datetime) -> str:
    """A UTC time as records have it, to the second."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def group_keys(prefix: str, keys: Collection[str]) -> dict[str, set[str]]:
    """The names of records by the name of their run's folder, in the order of the keys.

    Keys that are no records of a run are left out, and records alone that others added to one.
    """
    folders: dict[str, set[str]] = {}
    for key in keys:
        folder, slash, name = key.removeprefix(prefix).partition("/")
        if slash and "/" not in name and RunFolder.parse(folder):
            folders.setdefault(folder, set()).add(name)
    return {folder: names for folder, names in folders.items() if _OWN & names}


def telling_record(names: Collection[str]) -> str:
    """The one record of a run that says how it stands; empty if there is none."""
    return next((name for name in (MANIFEST, FAILED, STARTED) if name in names), "")


def read_entry(
    prefix: str, folder: str, names: Collection[str], body: bytes, *, now: datetime
) -> Entry:
    """The entry of a run, by the names of its records and the body of the `telling_record`.

    `folder` must be a run's.
    """
    run = RunFolder.parse(folder)
    assert run is not None
    record = read_record(body)
    proof = last_proof(names, now=now)
    state, why, finished = _stand(record, started=run.started, now=now)
    if isinstance(record, Manifest) and not _is_of(record, prefix, run):
        state, why = State.DAMAGED, "its manifest is that of another run"
    if proof and not proof.good and state in {State.COMPLETE, State.NOTES}:
        state, why = State.DAMAGED, f"it reads differently since {rfc3339(proof.when)}"
    return Entry(
        id=run.id,
        record=f"{prefix}{folder}/",
        started=run.started,
        state=state,
        finished=finished,
        why=why,
        pinned=PINNED in names,
        proof=proof,
        drill=last_drill(names, now=now),
        **_facts(record, names),
    )


def _is_of(manifest: Manifest, prefix: str, run: RunFolder) -> bool:
    """Whether a manifest lies where its run has written it."""
    begun = manifest.begun
    place = f"manifests/{quote(begun.cluster)}/{quote(begun.cronjob)}/"
    is_there = prefix == place or prefix.endswith(f"/{place}")
    return is_there and (begun.run, begun.started) == (run.id, run.started)


def _stand(
    record: object, *, started: datetime, now: datetime
) -> tuple[State, str, datetime | None]:
    """State, reason and end of a run by the record that tells them."""
    match record:
        case Manifest():
            return State.NOTES if codes_of(record.notes) else State.COMPLETE, "", record.finished
        case FailedRecord():
            return State.FAILED, f"{record.reason}: {record.message}", record.finished
        case Tombstone(removal=removal):
            why = "it was no longer to be kept"
            if removal is Removal.SWEPT:
                why = "it crashed or failed, and what it left was removed"
            return State(removal.value), why, record.removed
        case StartedRecord():
            return *_running(record, started=started, now=now), None
    return *_unreadable(record), None


def _unreadable(record: object) -> tuple[State, str]:
    match record:
        case DamagedRecord():
            return State.DAMAGED, f"its record cannot be read: {record.why}"
        case UnknownRecord():
            why = f"its record has format {record.format!r} and kind {record.kind!r}"
            return State.UNKNOWN, f"{why}: a newer version wrote it"
    return State.UNKNOWN, f"its record is of another kind, {type(record).__name__}"


def _running(record: StartedRecord, *, started: datetime, now: datetime) -> tuple[State, str]:
    own = record.deadline_seconds
    is_over = now > started + (NO_DEADLINE if own is None else timedelta(seconds=own) + MARGIN)
    why = "it ended without a word, and is past its deadline" if is_over else "it has not ended yet"
    return State.CRASHED if is_over else State.RUNNING, why


def _facts(record: object, names: Collection[str]) -> dict[str, Any]:
    """What the records of a run say about its backup."""
    match record:
        case Manifest():
            objects = record.objects
            return _whose(record.begun) | {
                "server_version": record.server_version,
                "source_bytes": sum(item.source_size for item in objects),
                "stored_bytes": sum(item.size for item in objects),
                "objects": len(objects),
                "recipients": record.encryption.recipients if record.encryption else (),
                "notes": codes_of(record.notes),
                "checked": CHECKED in names or all(item.checked for item in objects),
                "retention": record.retention,
                "size_accepted": record.size_accepted or ACCEPTED in names,
                "required_proof": record.required_proof,
                "missing": record.missing,
            }
        case StartedRecord():
            return _whose(record) | {"copying": record.is_copy}
        case Tombstone(buried=buried):
            return _whose(buried.begun if isinstance(buried, Manifest) else buried)
    return {}


def _whose(begun: StartedRecord) -> dict[str, Any]:
    return {
        "cluster": begun.cluster,
        "workload": begun.workload,
        "cronjob": begun.cronjob,
        "engine": begun.engine,
        "storages": begun.storages,
    }
