"""Writing and reading the records' JSON form.

Readers ignore members that they do not know, and never raise: a record of another format, and one
that is damaged, is a value of its own, so that nobody mistakes it for an absent one.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from dumpers.repository.added_records import (
    Acceptance,
    Copied,
    Drill,
    Pin,
    Restoration,
    ShrunkRecord,
    StoreCheck,
    UnreadRecord,
    Verification,
)
from dumpers.repository.records import (
    BootstrapRecord,
    DamagedRecord,
    FailedRecord,
    FingerprintRecord,
    Manifest,
    Removal,
    StartedRecord,
    Time,
    Tombstone,
    UnknownRecord,
)
from dumpers.repository.sharing.shard_record import ShardRecord

Record = (
    StartedRecord
    | Manifest
    | FingerprintRecord
    | FailedRecord
    | Verification
    | Drill
    | Restoration
    | Pin
    | Acceptance
    | Copied
    | StoreCheck
    | ShrunkRecord
    | UnreadRecord
    | BootstrapRecord
    | ShardRecord
    | Tombstone
)

FORMAT = 1
# Records whose verdict is in their kind: what they are, and what they say of a good backup.
_JUDGED: dict[str, tuple[type[Verification | Drill], bool]] = {
    "verified": (Verification, True),
    "damaged": (Verification, False),
    "drilled": (Drill, True),
    "drill-failed": (Drill, False),
}
# A manifest's JSON holds the members of the started record as its own.
_MEMBERS_OF: dict[str, Any] = {
    "started": StartedRecord,
    "manifest": Manifest,
    "fingerprint": FingerprintRecord,
    "failed": FailedRecord,
    "restored": Restoration,
    "pinned": Pin,
    "accepted": Acceptance,
    "copied": Copied,
    "checked": StoreCheck,
    "shrunk": ShrunkRecord,
    "unread": UnreadRecord,
    "bootstrap": BootstrapRecord,
    "shard": ShardRecord,
}
_KINDS = {type_: kind for kind, type_ in _MEMBERS_OF.items()}
_WITH_DIGEST = {"manifest", "fingerprint", "checked", "shard", *_JUDGED}
# Many threads read records at once, and two that let msgspec meet a type for the first time
# together crash the process: it shows the one what the other has not filled in yet (seen with
# 0.22).
for _type in (Verification, Drill, *_MEMBERS_OF.values()):
    msgspec.json.Decoder(_type)


def write_record(record: Record) -> bytes:
    """The record as JSON, with a digest of itself where it vouches for objects."""
    match record:
        case Verification() | Drill():
            judged = type(record), record.good
            kind = next(kind for kind, found in _JUDGED.items() if found == judged)
            members = _members(record) | {"good": record.good}
            for place in ("objects", "tables", "checks"):
                for item in members.get(place, ()):
                    if not item["why"]:
                        del item["why"]
        case Tombstone():
            kind = record.removal.value
            members = {
                "run": record.run,
                "removed": msgspec.to_builtins(record.removed),
                "buried": record.document,
            } | ({} if record.is_decided else {"decided": False})
        case _:
            kind, members = _KINDS[type(record)], _members(record)
            if isinstance(record, Manifest):
                members = _manifest_members(members)
            elif isinstance(record, StartedRecord):
                members = _started_members(members)
    return seal({"format": FORMAT, "record": kind, **members})


def seal(document: Mapping[str, Any]) -> bytes:
    """A record's JSON from its members, with a new digest of itself where its kind has one."""
    bare = {name: value for name, value in document.items() if name != "digest"}
    if document["record"] in _WITH_DIGEST:
        bare["digest"] = digest(bare)
    return _print(bare)


def read_record(body: bytes) -> Record | UnknownRecord | DamagedRecord:
    """Read a record of any kind.

    UnknownRecord where its format or kind is unknown. DamagedRecord where it is no JSON object, a
    member is missing or has another type, or its digest of itself does not fit.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        return DamagedRecord(why=f"no JSON: {type(error).__name__}")
    return _read(document)


def make_tombstone(
    body: bytes, *, removal: Removal, removed: datetime
) -> Tombstone | UnknownRecord | DamagedRecord:
    """The tombstone of a run, from the started record or manifest that lists its objects."""
    match read_record(body):
        case StartedRecord() as buried:
            run = buried.run
        case Manifest() as buried:
            run = buried.begun.run
        case UnknownRecord() | DamagedRecord() as unreadable:
            return unreadable
        case other:
            return DamagedRecord(why=f"{type(other).__name__} lists no objects")
    return Tombstone(
        removal=removal, run=run, removed=removed, buried=buried, document=json.loads(body)
    )


def unbury(tombstone: Tombstone) -> bytes:
    """The record that a tombstone holds, as it was written."""
    return _print(tombstone.document)


def digest(document: Mapping[str, Any]) -> str:
    """sha256 of a record's canonical JSON (sorted, compact, UTF-8) without its own digest."""
    bare = {name: value for name, value in document.items() if name != "digest"}
    canonical = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(_encode(canonical)).hexdigest()}"


def _print(document: Mapping[str, Any]) -> bytes:
    return _encode(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _encode(text: str) -> bytes:
    """UTF-8; half a surrogate pair, which a server's message may hold, has no such form."""
    return text.encode("utf-8", "replace")


def _read(document: Any) -> Record | UnknownRecord | DamagedRecord:
    if not isinstance(document, dict):
        return DamagedRecord(why="no JSON object")
    form, kind = document.get("format"), document.get("record")
    if form != FORMAT or isinstance(form, bool) or not isinstance(kind, str):
        return UnknownRecord(format=form, kind=kind if isinstance(kind, str) else "")
    try:
        if kind in _WITH_DIGEST and document.get("digest") != digest(document):
            return DamagedRecord(why="the digest does not fit the record")
        return _convert(kind, document)
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        return DamagedRecord(why=str(error) or type(error).__name__)


def _convert(kind: str, document: dict[str, Any]) -> Record | UnknownRecord | DamagedRecord:
    if kind in _MEMBERS_OF:
        record: Record = msgspec.convert(document | {"begun": document}, _MEMBERS_OF[kind])
        return record
    if kind in _JUDGED:
        type_, is_good = _JUDGED[kind]
        judged: Verification | Drill = msgspec.convert(document, type_)
        if judged.good != is_good:
            return DamagedRecord(why="the verdict is not that of what it names")
        return judged
    if kind in set(Removal):
        return _read_tombstone(Removal(kind), document)
    return UnknownRecord(format=FORMAT, kind=kind)


def _read_tombstone(
    removal: Removal, document: dict[str, Any]
) -> Tombstone | UnknownRecord | DamagedRecord:
    buried = _read(document.get("buried"))
    if isinstance(buried, UnknownRecord | DamagedRecord):
        return buried
    if not isinstance(buried, StartedRecord | Manifest):
        return DamagedRecord(why="the tombstone names no objects")
    return Tombstone(
        removal=removal,
        run=buried.run if isinstance(buried, StartedRecord) else buried.begun.run,
        removed=msgspec.convert(document.get("removed"), Time),
        buried=buried,
        document=document["buried"],
        is_decided=msgspec.convert(document.get("decided", True), bool),
    )


def _members(record: Record) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.to_builtins(record)
    return members


def _manifest_members(members: dict[str, Any]) -> dict[str, Any]:
    """Those of a manifest beside those of its started record, without what says nothing."""
    begun: dict[str, Any] = members.pop("begun")
    for name in ("required_proof", "fingerprint", "missing", "options"):
        if not members[name]:
            del members[name]
    for part in (members, *members["objects"]):
        if not part["metadata"]:
            del part["metadata"]
    return _started_members(begun) | members


def _started_members(members: dict[str, Any]) -> dict[str, Any]:
    """Those of a started record, without what says nothing of its run."""
    optional = ("storage", "storages", "is_copy", "shards")
    return {name: value for name, value in members.items() if value or name not in optional}
