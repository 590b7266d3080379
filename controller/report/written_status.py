"""Reads a status ConfigMap or a board that was written earlier, to go on from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NotRequired, TypedDict

import msgspec

from controller.model.objects import Json
from controller.report.status_subjects import Rows, Subjects

WORKLOADS = "workloads.json"
# The member of the status that says how the last prune ended.
PRUNE = "prune"
VERSION = 1


class _StatusRow(TypedDict):
    workload: str
    kind: str
    type: str
    cronjob: str
    state: str
    reason: str
    message: str
    since: str


class _Figures(TypedDict):
    finished: str
    bytes: int
    notes: list[str]


class _RestorePoint(_Figures):
    # Absent in boards that an older controller wrote.
    backup: NotRequired[str]


class _LastResult(_Figures):
    outcome: str
    reason: str
    message: str
    seconds: float


class _Restorable(TypedDict):
    oldest: str
    newest: str
    backups: int
    as_of: str


class _LastProof(TypedDict):
    when: str
    good: bool
    backup: str
    # Absent in boards that an older controller wrote.
    grade: NotRequired[str]


class _Verification(TypedDict):
    schedule: str
    finished: str
    outcome: str
    reason: str
    message: str
    verified: int
    damaged: int
    oldest_unread: str
    last_success: str


class _Drill(TypedDict):
    schedule: str
    finished: str
    outcome: str
    reason: str
    message: str
    backup: str
    tables: int
    differing: int
    seconds: float
    age_seconds: float
    last_success: str
    in_doubt: bool
    doubted: str
    problem: bool


# Absent without a class; in this form as the name is a word of the language.
_ClassMember = TypedDict("_ClassMember", {"class": NotRequired[str]})


class _BoardRow(_StatusRow, _ClassMember):
    schedule: str
    time_zone: str
    next: str
    last_success: str
    last_result: _LastResult | None
    restore_points: list[_RestorePoint]
    # Absent in boards that an older controller wrote.
    restorable: NotRequired[_Restorable | None]
    last_proof: NotRequired[_LastProof | None]
    # Absent without a schedule for it.
    verification: NotRequired[_Verification]
    # Absent without a schedule for it, before the first one.
    drill: NotRequired[_Drill]


class _StatusDocument(TypedDict):
    version: int
    written: str
    workloads: list[_StatusRow]
    # Absent where no prune is known.
    prune: NotRequired[dict[str, Any]]
    # That of a board, and of nothing else.
    namespace: NotRequired[str]


class _BoardDocument(TypedDict):
    version: int
    written: str
    workloads: list[_BoardRow]


_parse_status = msgspec.json.Decoder(_StatusDocument).decode
_parse_board = msgspec.json.Decoder(_BoardDocument).decode


def rows_in(data: Mapping[str, str], *, is_board: bool) -> Rows:
    """Read the rows of a document that was written earlier; empty if somebody broke it."""
    document = _parsed(data, is_board=is_board)
    rows = document["workloads"] if document else []
    return {(row["workload"], row["kind"], row["cronjob"]): row for row in rows}


def written_in(data: Mapping[str, str], *, is_board: bool) -> str:
    """Read when a document last changed; empty if somebody broke it."""
    document = _parsed(data, is_board=is_board)
    return document["written"] if document else ""


def is_status(data: Mapping[str, str]) -> bool:
    """Whether this is a whole status document, and no board."""
    document = _parsed(data, is_board=False)
    return document is not None and "namespace" not in document


def prune_in(data: Mapping[str, str]) -> Json | None:
    """Read how the last prune ended by a status that was written earlier; None if unknown."""
    document = _parsed(data, is_board=False)
    found: Any = document.get(PRUNE) if document else None
    return found if isinstance(found, dict) else None


def _parsed(
    data: Mapping[str, str], *, is_board: bool
) -> "_StatusDocument | _BoardDocument | None":
    decode = _parse_board if is_board else _parse_status
    try:
        document = decode(data.get(WORKLOADS, ""))
        moments = [document["written"], *(row["since"] for row in document["workloads"])]
        is_whole = all(datetime.fromisoformat(moment).tzinfo for moment in moments)
    except (ValueError, RecursionError):
        return None
    return document if is_whole and document["version"] == VERSION else None


@dataclass(slots=True, kw_only=True)
class DocumentMemory:
    """What a process knows of one ConfigMap of these.

    `rows` are those that it should hold, made of `subjects`; None until it was read once. With
    `is_written` it holds them, and `prune`: how the last prune ended, None where no one is known.
    `complaint` is what was last logged of a write that failed, and
    `failed` when that was, None if it did not fail since.
    """

    subjects: Subjects = field(default_factory=dict, repr=False)
    rows: Rows | None = field(default=None, repr=False)
    prune: Json | None = field(default=None, repr=False)
    is_written: bool = False
    complaint: str = ""
    failed: datetime | None = None


@dataclass(slots=True, kw_only=True)
class StatusMemory:
    """What a process knows of the status ConfigMap, and of the boards by their namespace.

    Where namespaces are not named, `searched` are those in which boards were looked for, and
    `complaint` is what was last logged of a search that failed.
    """

    status: DocumentMemory = field(default_factory=DocumentMemory)
    boards: dict[str, DocumentMemory] = field(default_factory=dict)
    searched: frozenset[str] = frozenset()
    complaint: str = ""
