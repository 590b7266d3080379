"""What a proof comes to, by workload: counted from the Statement alone; pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from controller.client.terminal.output import moment_of, seconds_between

Document = Mapping[str, Any]
# The strongest first: one includes those behind it.
GRADES = ("drilled", "read", "stored")
NONE = "none"
GOOD, REMOVED = frozenset({"complete", "notes"}), frozenset({"pruned"})
DAMAGED, UNREAD, LOST = "damaged", "unread", frozenset({"failed", "crashed", "swept"})
# Seconds and bytes beyond it are none, and NaN is not below it.
_LARGEST = 1 << 53


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One run of the Statement. What is not known is empty or None."""

    document: Document

    @classmethod
    def of(cls, document: Any) -> "Backup":
        """Read one; ValueError where what is gone through is of another form."""
        match document:
            case {"proofs": [*proofs], "notes": [*_]}:
                if all(isinstance(each, dict) for each in proofs):
                    return cls(document=document)
        raise ValueError("a backup, its proofs or its notes are of another form")

    @property
    def state(self) -> str:
        """How it stands, as docs/catalogue.md has it."""
        return str(self.document.get("state") or "")

    @property
    def grade(self) -> str:
        """The strongest proof that holds, one of GRADES or NONE."""
        return str(self.document.get("grade") or NONE)

    @property
    def started(self) -> datetime | None:
        """When it began."""
        return moment_of(self.document.get("started"))

    @property
    def is_there(self) -> bool:
        """Whether the store has it, and nobody found it damaged."""
        return self.state in GOOD

    @property
    def has_failed(self) -> bool:
        """Whether it is there, and its last drill, whenever that was, failed."""
        last = self.document.get("drill")
        return self.is_there and isinstance(last, dict) and last.get("good") is False

    @property
    def is_good(self) -> bool:
        """Whether it can be restored, as far as anybody found out."""
        return self.is_there and not self.has_failed

    @property
    def is_unread(self) -> bool:
        """Whether it is good, and was neither read to its end nor drilled in the period.

        That it was restored for use does not count: nobody knows whether that was all of it.
        """
        return self.is_good and self.grade not in GRADES[:2]

    def proofs(self, *kinds: str) -> Iterator[Document]:
        """What was found out of it, the oldest first: of these kinds, or of all."""
        for item in self.document["proofs"]:
            if not kinds or item.get("kind") in kinds:
                yield item


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the Statement says of one CronJob's backups, the oldest first."""

    workload: str
    cronjob: str
    cluster: str
    engine: str
    older: int
    backups: Sequence[Backup]
    since: datetime | None
    until: datetime | None

    @property
    def name(self) -> str:
        """The workload, or the CronJob where no record names one."""
        return self.workload or self.cronjob

    def count(self, *states: str) -> int:
        """How many runs are in one of these states."""
        return sum(item.state in states for item in self.backups)

    @property
    def good(self) -> list[Backup]:
        """The backups that are there, and good."""
        return [item for item in self.backups if item.is_good]

    @property
    def drill_failed(self) -> int:
        """How many backups are there of which the last drill failed; they are no good ones."""
        return sum(item.has_failed for item in self.backups)

    def graded(self, grade: str) -> int:
        """How many of the good ones have this grade, and no stronger one."""
        return sum(item.grade == grade for item in self.good)

    @property
    def grade(self) -> str:
        """The strongest grade that any of the good ones has."""
        known = {item.grade for item in self.good}
        return next((grade for grade in GRADES if grade in known), NONE)

    @property
    def oldest_unread(self) -> Backup | None:
        """The oldest good one that was neither read nor drilled; None where all were."""
        return next((item for item in self.backups if item.is_unread), None)

    @property
    def restore_seconds(self) -> float | None:
        """The longest that a drill which went well took to restore; None where there was none.

        Of restores for use nobody knows whether they were of all of it.
        """
        found = [
            seconds
            for backup in self.backups
            for item in backup.proofs("drilled")
            if item.get("good") and (seconds := _restore_seconds(item)) is not None
        ]
        return max(found, default=None)

    @property
    def longest_gap(self) -> float | None:
        """The longest time of the period between two backups that were there, in seconds.

        It counts from the beginning of the period where there were runs before, and to its end.
        Those that were pruned since were there; one whose drill failed counts for nothing. None
        where there was none at all.
        """
        had_been = [
            item.started
            for item in self.backups
            if item.started and (item.is_good or item.state in REMOVED)
        ]
        since, until = self.since, self.until
        within = [moment for moment in had_been if since is None or moment >= since]
        begins = since if self.older or len(within) < len(had_been) else None
        if not within and begins is None:
            return None
        moments = [begins, *within, until]
        gaps = (seconds_between(*pair) or 0.0 for pair in pairwise(filter(None, moments)))
        return max(gaps, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the whole Statement says; `told` are the members of its predicate."""

    told: Document
    histories: Sequence[History]

    @classmethod
    def of(cls, statement: Document) -> "Summary":
        """Count a Statement; ValueError where it is not as docs/proof.md has it."""
        told = statement.get("predicate")
        try:
            assert isinstance(told, dict)
            assert isinstance(statement["subject"], list)
            since, until = moment_of(told["since"]), moment_of(told["until"])
            histories = [
                History(
                    workload=str(item["workload"]),
                    cronjob=str(item["cronjob"]),
                    cluster=str(item["cluster"]),
                    engine=str(item["engine"]),
                    older=int(item["older_runs"]),
                    backups=[Backup.of(each) for each in item["backups"]],
                    since=since,
                    until=until,
                )
                for item in told["workloads"]
            ]
        except (AssertionError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"it is not as docs/proof.md has it: {error!r}") from error
        histories.sort(key=lambda item: (item.name, item.cluster, item.cronjob))
        return cls(told=told, histories=histories)

    def share(self, grade: str) -> int:
        """How many workloads have a good backup with this grade, or a stronger one."""
        enough = GRADES[: GRADES.index(grade) + 1]
        return sum(item.grade in enough for item in self.histories)

    @property
    def oldest_unread(self) -> tuple[History, Backup] | None:
        """The oldest good backup of all that was neither read nor drilled; None where all were."""
        found = [(item, item.oldest_unread) for item in self.histories]
        known = [(history, backup) for history, backup in found if backup is not None]
        return min(known, key=lambda pair: str(pair[1].document.get("started")), default=None)

    @property
    def longest_restore(self) -> tuple[History, float] | None:
        """The workload whose restore took longest, and the seconds; None where nothing was."""
        known = [(h, seconds) for h in self.histories if (seconds := h.restore_seconds) is not None]
        return max(known, key=lambda pair: pair[1], default=None)

    @property
    def longest_gap(self) -> tuple[History, float] | None:
        """The workload with the longest time without a new backup; None where there is none."""
        known = [(h, seconds) for h in self.histories if (seconds := h.longest_gap) is not None]
        return max(known, key=lambda pair: pair[1], default=None)


def number_of(value: object) -> float | None:
    """Seconds or bytes of a document; None where it is no number that can be shown."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value < _LARGEST else None


def _restore_seconds(item: Document) -> float | None:
    """How long the data took to be there, from the start of a drill's server on."""
    stages = [number_of(item.get(name)) for name in ("start_seconds", "restore_seconds")]
    known = [each for each in stages if each is not None]
    return sum(known) if known else None
