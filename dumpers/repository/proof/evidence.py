"""What the records of one run prove of its backup: pure, from their names and bodies.

What a name says counts for the backup only where the record itself says the same; what it says
against the backup counts in any case.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dumpers.repository.catalogue import Entry, read_entry
from dumpers.repository.keys import CHECKED, MANIFEST, RunFolder, read_told
from dumpers.repository.proof.findings import (
    DRILLED,
    READ,
    RESTORED,
    STORED,
    UNREAD,
    Finding,
    read_finding,
)
from dumpers.repository.record_json import read_record
from dumpers.repository.records import Manifest
from dumpers.repository.retention.proof import has_failed

# The kind of a record with a time in its name, and whether the name says that all is well; None
# where only its body does.
_KINDS: Mapping[str, tuple[str, bool | None]] = {
    "verified": (READ, True),
    "damaged": (READ, False),
    "unread": (UNREAD, None),
    "drilled": (DRILLED, True),
    "drill-failed": (DRILLED, False),
    "restored": (RESTORED, None),
}
NONE = "none"
# The strongest first: one includes those behind it.
GRADES = (DRILLED, READ, STORED)
# What a document says of a run in the words of the catalogue.
_OF_ENTRY = (
    *("id", "state", "started", "finished", "engine", "server_version"),
    *("source_bytes", "stored_bytes", "objects", "notes", "pinned", "drill"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What there is of one run.

    `manifest` is the sha256 of the bytes of its manifest, as hex; empty where there is none that
    can be read. `findings` are in the order of their times. `entry` is as without the records that
    say something good by their names, and cannot be trusted.
    """

    entry: Entry
    manifest: str
    findings: tuple[Finding, ...]

    @property
    def grade(self) -> str:
        """The strongest of GRADES that holds, and that a finding shows, or NONE.

        A drill that failed outweighs all others: they only know that the objects are as stored.
        """
        entry = self.entry
        if not entry.is_restorable or has_failed(entry):
            return NONE
        for kind, last in ((DRILLED, entry.drill), (READ, entry.proof)):
            if last and any(item.kind == kind and item.when == last.when for item in self._good):
                return kind
        return STORED if any(item.kind == STORED for item in self._good) else NONE

    @property
    def _good(self) -> Iterator[Finding]:
        return (item for item in self.findings if item.good)

    @property
    def subject(self) -> str:
        """The key of the manifest."""
        return f"{self.entry.record}{MANIFEST}"

    def to_document(self) -> Mapping[str, Any]:
        """The run as JSON has it; the members are described in docs/proof.md."""
        known = self.entry.to_document()
        return {
            **{name: known[name] for name in _OF_ENTRY},
            **({"why": self.entry.why} if self.entry.why else {}),
            "encrypted": bool(self.entry.recipients),
            "manifest": self.subject if self.manifest else None,
            "grade": self.grade,
            "proofs": [item.to_document() for item in self.findings],
        }


def is_within(folder: str, names: Iterable[str], since: datetime) -> bool:
    """Whether a run began since then, or a name says that something was found out since then."""
    run = RunFolder.parse(folder)
    told = filter(None, map(read_told, names))
    return (run is not None and run.started >= since) or any(when >= since for _, when in told)


def was_asked(folder: str, checked: bytes, since: datetime) -> bool:
    """Whether the store was asked for a run's objects since then: only its record has that time."""
    run = RunFolder.parse(folder)
    if run is None:
        return False
    finding = read_finding(STORED, CHECKED, checked, run=run.id, good=True, when=None)
    return finding is not None and finding.when >= since


def names_to_read(names: Collection[str], since: datetime) -> list[str]:
    """The records of a run that tell what was found out about it since then."""
    wanted = [name for name in names if (told := read_told(name)) and told[1] >= since]
    return sorted([*wanted, *({CHECKED} & set(names))])


def read_evidence(
    prefix: str,
    folder: str,
    names: Collection[str],
    body: bytes,
    bodies: Mapping[str, bytes],
    *,
    since: datetime,
    now: datetime,
) -> Evidence:
    """What a run's records prove, of what was found out since then.

    `body` is that of its `telling_record`, `bodies` those of `names_to_read` that could be read,
    which may be fewer: records go with their backup.
    """
    run = RunFolder.parse(folder)
    assert run is not None
    manifest = read_record(body) if MANIFEST in names else None
    digest = hashlib.sha256(body).hexdigest() if isinstance(manifest, Manifest) else ""
    found = [_stored(manifest, digest)] if isinstance(manifest, Manifest) else []
    void = set[str]()
    for name, each in bodies.items():
        kind, good, when = _said(name)
        finding = read_finding(kind, name, each, run=run.id, good=good, when=when)
        found.append(finding)
        if good and (finding is None or finding.good is None):
            void.add(name)
    known = [item for item in found if item and item.when >= since]
    known.sort(key=lambda item: (item.when, item.record))
    return Evidence(
        entry=read_entry(prefix, folder, set(names) - void, body, now=now),
        manifest=digest,
        findings=tuple(known),
    )


def _said(name: str) -> tuple[str, bool | None, datetime | None]:
    """The kind of one of `names_to_read`, whether its name says that all is well, and when."""
    told = read_told(name)
    return (*_KINDS[told[0]], told[1]) if told else (STORED, True, None)


def _stored(manifest: Manifest, digest: str) -> Finding | None:
    """That the store confirmed every object when the dump had stored it; None where it did not."""
    if not all(item.checked for item in manifest.objects):
        return None
    return Finding(
        kind=STORED, good=True, when=manifest.finished, record=MANIFEST, sha256=digest, facts={}
    )
