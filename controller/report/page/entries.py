"""A workload as the page shows it: its row of a board, its runs, and how well it is."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from controller.model.names import SIZE_ACCEPTED
from controller.model.objects import Json, annotations_of, uid_of
from controller.model.status import Reason, State
from controller.report.page.findings import Findings
from controller.report.proof_rows import DRILL, VERIFICATION
from controller.report.status_subjects import Subject
from controller.runs.history import FAILED, PastRun, history_of
from controller.runs.retention.shrinking import is_shrunk
from dumpers.contract.result import PARTIAL


class Level(StrEnum):
    """How well a workload is, in words that people read; the worst first."""

    OVERDUE = "overdue"
    REJECTED = "not backed up"
    FAILED = "last run failed"
    ODD = "needs a look"
    NEW = "no backup yet"
    PAUSED = "suspended"
    LEAVING = "leaving"
    GOOD = "good"


# What somebody has to do something about.
TROUBLES = frozenset({Level.OVERDUE, Level.REJECTED, Level.FAILED, Level.ODD})
_ORDER = {level: place for place, level in enumerate(Level)}
_LEAVING = frozenset({State.GONE, State.REPLACED, State.UNWATCHED})
_PAUSED = frozenset({Reason.SUSPENDED, Reason.HELD})
# Backups go on meanwhile.
_WELL = frozenset(
    {
        Reason.ANNOTATED,
        Reason.RESTORING_BESIDE,
        Reason.RESTORED_BESIDE,
        Reason.RESTORE_REFUSED,
        Reason.RESTORE_FAILED,
        Reason.WRITE_CONFLICT,
        Reason.NOT_DRILLABLE,
        *_PAUSED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One workload. `runs` are its last ones, newest first.

    `due` is when the next good run must have ended, in seconds since the epoch, None if none must.
    `running` is since when a run goes on, in RFC 3339, and empty if none does.
    """

    row: Json = field(repr=False)
    level: Level
    runs: tuple[PastRun, ...] = field(default=(), repr=False)
    due: int | None = None
    running: str = ""
    is_shrunk: bool = False

    @property
    def namespace(self) -> str:
        """The workload's namespace."""
        return str(self.row["workload"]).partition("/")[0]

    @property
    def name(self) -> str:
        """The owner's name."""
        return str(self.row["workload"]).partition("/")[2]


def entries_of(findings: Findings) -> tuple[Entry, ...]:
    """Make the entries of all workloads, the worst first."""
    made = [
        _entry(row, findings.subjects.get(key), findings) for key, row in findings.rows().items()
    ]
    return tuple(sorted(made, key=_place))


def count_levels(entries: Iterable[Entry]) -> dict[Level, int]:
    """Count the entries of each level that there is, the worst first."""
    counts = dict.fromkeys(Level, 0)
    for entry in entries:
        counts[entry.level] += 1
    return {level: count for level, count in counts.items() if count}


def _place(entry: Entry) -> tuple[int, str, str]:
    return _ORDER[entry.level], str(entry.row["workload"]), str(entry.row["kind"])


def _entry(row: Json, subject: Subject | None, findings: Findings) -> Entry:
    if subject is None or (cronjob := subject.cronjob) is None:
        return Entry(row=row, level=_level(row, findings.now, due=None, is_shrunk=False))
    runs, due = history_of(cronjob), subject.due
    shrunk = is_shrunk(runs, annotations_of(cronjob).get(SIZE_ACCEPTED, ""))
    return Entry(
        row=row,
        level=_level(row, findings.now, due=due, is_shrunk=shrunk),
        runs=runs,
        due=due,
        running=findings.running.get(uid_of(cronjob), ""),
        is_shrunk=shrunk,
    )


def _level(row: Json, now: datetime, *, due: int | None, is_shrunk: bool) -> Level:
    state, reason = row["state"], row["reason"]
    outcome = (row.get("last_result") or {}).get("outcome")
    is_unverified = (row.get(VERIFICATION) or {}).get("outcome") == FAILED
    is_doubtful = (row.get(DRILL) or {}).get("problem") is True
    has_bad_proof = is_unverified or is_doubtful
    is_unwell = is_shrunk or has_bad_proof or outcome == PARTIAL
    is_odd = state != State.WANTED or reason not in _WELL or is_unwell
    levels = (
        (Level.LEAVING, state in _LEAVING),
        (Level.OVERDUE, due is not None and due < now.timestamp()),
        (Level.REJECTED, state != State.WANTED and not row["cronjob"]),
        (Level.FAILED, outcome == FAILED),
        (Level.ODD, is_odd),
        (Level.PAUSED, reason in _PAUSED),
        (Level.NEW, not row.get("last_success")),
    )
    return next((level for level, holds in levels if holds), Level.GOOD)
