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

Record = (
    StartedRecord
    | Manifest
    | FingerprintRecord
    | FailedRecord
    | Verification
    | Restoration
    | Pin
    | Acceptance
    | StoreCheck
    | ShrunkRecord
    | UnreadRecord
    | BootstrapRecord
    | Tombstone
)

FORMAT = 1
_STARTED, _MANIFEST, _FAILED = "started", "manifest", "failed"
_FINGERPRINT = "fingerprint"
_VERIFIED, _DAMAGED = "verified", "damaged"
_RESTORED, _PINNED, _BOOTSTRAP = "restored", "pinned", "bootstrap"
_ACCEPTED, _CHECKED, _SHRUNK, _UNREAD = "accepted", "checked", "shrunk", "unread"
_WITH_DIGEST = {_MANIFEST, _FINGERPRINT, _VERIFIED, _DAMAGED, _CHECKED}
# A manifest's JSON holds the members of the started record as its own.
_MEMBERS_OF: dict[str, Any] = {
    _STARTED: StartedRecord,
    _MANIFEST: Manifest,
    _FINGERPRINT: FingerprintRecord,
    _FAILED: FailedRecord,
    _RESTORED: Restoration,
    _PINNED: Pin,
    _ACCEPTED: Acceptance,
    _CHECKED: StoreCheck,
    _SHRUNK: ShrunkRecord,
    _UNREAD: UnreadRecord,
    _BOOTSTRAP: BootstrapRecord,
}
# Many threads read records at once, and two that let msgspec meet a type for the first time
# together crash the process: it shows the one what the other has not filled in yet (seen with
# 0.22).
for _type in (Verification, *_MEMBERS_OF.values()):
    msgspec.json.Decoder(_type)


def write_record(record: Record) -> bytes:
    """The record as JSON, with a digest of itself where it vouches for objects."""
    match record:
        case Manifest():
            kind, members = _MANIFEST, _manifest_members(record)
        case Verification():
            kind = _VERIFIED if record.good else _DAMAGED
            members = _members(record) | {"good": record.good}
            for item in members["objects"]:
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
            kind = next(kind for kind, type_ in _MEMBERS_OF.items() if type_ is type(record))
            members = _members(record)
    document = {"format": FORMAT, "record": kind, **members}
    if kind in _WITH_DIGEST:
        document["digest"] = digest(document)
    return _print(document)


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
    if kind in {_VERIFIED, _DAMAGED}:
        verification = msgspec.convert(document, Verification)
        if verification.good != (kind == _VERIFIED):
            return DamagedRecord(why="the verdict is not that of the objects")
        return verification
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


def _manifest_members(manifest: Manifest) -> dict[str, Any]:
    members = _members(manifest)
    begun: dict[str, Any] = members.pop("begun")
    for name in ("required_proof", "fingerprint"):
        if not members[name]:
            del members[name]
    for part in (members, *members["objects"]):
        if not part["metadata"]:
            del part["metadata"]
    return begun | members
