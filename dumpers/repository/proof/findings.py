"""One thing that was found out about a backup, as its record tells it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dumpers.repository.added_records import (
    Drill,
    Restoration,
    StoreCheck,
    UnreadRecord,
    Verification,
)
from dumpers.repository.catalogue import rfc3339
from dumpers.repository.record_json import Record, read_record
from dumpers.repository.records import DamagedRecord, UnknownRecord

# The kinds. STORED: the store has all objects, with size and checksum. READ: they were read, and
# compared with what was sent. UNREAD: a reading came to no verdict. DRILLED: they were restored
# into a throwaway server, and compared with what was dumped. RESTORED: they were restored for use.
STORED, READ, UNREAD, DRILLED, RESTORED = "stored", "read", "unread", "drilled", "restored"
SUCCEEDED = "Succeeded"
_TEXTS = ("reason", "message", "method", "by", "engine", "server_version", "image")
_NUMBERS = (
    *("tables", "differing", "source_bytes", "age_seconds", "seconds"),
    *("start_seconds", "restore_seconds", "compare_seconds"),
)
_LONGEST, _MOST_SENTENCES = 1000, 20
# What whoever reads the document can hold as a number; none is as large as that, nor NaN below it.
_LARGEST = 1 << 53
_Record = Record | UnknownRecord | DamagedRecord
# What a record must be to say something of this kind.
_TYPES: Mapping[str, type] = {
    STORED: StoreCheck,
    READ: Verification,
    UNREAD: UnreadRecord,
    DRILLED: Drill,
    RESTORED: Restoration,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the record `record` says.

    `good` is None where it came to no verdict, and where the record itself cannot be trusted:
    `facts` has `why` then. `sha256` is of the record's bytes, as hex.
    """

    kind: str
    good: bool | None
    when: datetime
    record: str
    sha256: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_document(self) -> Mapping[str, Any]:
        """The finding as JSON has it; the members are described in docs/proof.md."""
        return {
            "kind": self.kind,
            "good": self.good,
            "when": rfc3339(self.when),
            "record": self.record,
            "sha256": self.sha256,
            **self.facts,
        }


def read_finding(
    kind: str, name: str, body: bytes, *, run: str, good: bool | None, when: datetime | None
) -> Finding | None:
    """Read the record `name` of the run `run`.

    `good` and `when` are what its name says; None where that is in its body alone. Returns None
    only for a record without any time, which nobody can place.
    """
    document, record = _document(body), read_record(body)
    moment = when or _moment(document.get("finished"))
    if moment is None:
        return None
    verdict, facts = _read(record, document)
    why = _why_untrusted(kind, record, run)
    if not why and good is not None and verdict != good:
        why = "its name says another verdict"
    return Finding(
        kind=kind,
        good=None if why else verdict,
        when=moment,
        record=name,
        sha256=hashlib.sha256(body).hexdigest(),
        facts={**facts, **({"why": why[:_LONGEST]} if why else {})},
    )


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _why_untrusted(kind: str, record: _Record, run: str) -> str:
    """Why a record is no evidence of this kind for the run; empty where it is."""
    match record:
        case DamagedRecord(why=why):
            return f"this record cannot be read: {why}"
        case UnknownRecord(format=form, kind=name):
            return f"this record has format {form!r} and kind {name!r}: this version knows none"
        case Verification() | StoreCheck() | UnreadRecord() | Drill() | Restoration():
            if not isinstance(record, _TYPES[kind]):
                return f"this record is of another kind, {type(record).__name__}"
            return "" if record.run == run else "this record is that of another run"
    return f"this record is of another kind, {type(record).__name__}"


def _read(record: _Record, document: Mapping[str, Any]) -> tuple[bool | None, dict[str, Any]]:
    """The verdict of a record, None where it has none, and what it says besides."""
    match record:
        case Verification():
            return record.good, _of_verification(record)
        case StoreCheck():
            return True, {"objects": len(record.objects)}
        case UnreadRecord():
            return None, {"reason": record.reason, "message": record.message[:_LONGEST]}
        case Restoration():
            return record.reason == SUCCEEDED, {
                "reason": record.reason,
                "message": record.message[:_LONGEST],
                "by": record.by,
                "target": record.target,
                "mode": record.mode,
                "seconds": round((record.finished - record.started).total_seconds(), 3),
            }
        case Drill():
            return record.good, {**_known(document), **_of_drill(record)}
    return None, _known(document)


def _of_verification(record: Verification) -> dict[str, Any]:
    bad = [item for item in record.objects if not item.good]
    facts: dict[str, Any] = {"method": record.method, "objects": len(record.objects)}
    facts["bytes"] = sum(item.size for item in record.objects)
    if bad:
        facts |= {"damaged_objects": len(bad), "message": f"{bad[0].key}: {bad[0].why}"[:_LONGEST]}
    return facts


def _of_drill(record: Drill) -> dict[str, Any]:
    """How many tables there are, how many differ, and the sentences, as far as they are shown."""
    facts: dict[str, Any] = {"tables": len(record.tables)}
    if differing := sum(not item.good for item in record.tables):
        facts["differing"] = differing
    for name, sentences in (("faults", record.faults), ("unproved", record.unproved)):
        if sentences:
            facts[name] = [each[:_LONGEST] for each in sentences[:_MOST_SENTENCES]]
    return facts


def _known(document: Mapping[str, Any]) -> dict[str, Any]:
    """The members that are understood of any record, where they are what they should be."""
    texts = {name: document.get(name) for name in _TEXTS}
    numbers = {name: document.get(name) for name in _NUMBERS}
    return {
        name: value[:_LONGEST] for name, value in texts.items() if isinstance(value, str) and value
    } | {
        name: value
        for name, value in numbers.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST
    }


def _moment(text: object) -> datetime | None:
    """A time as records have it; None where it is none."""
    try:
        moment = datetime.fromisoformat(str(text))
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
