"""Chooses which runs may begin, where only so many may go on at once."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from controller.model.names import AWAITS_RELEASE, INSTANTIATE, SCHEDULED_FOR
from controller.model.objects import Json, annotations_of, created_at, is_suspended, name_of
from controller.runs.job_status import end_of
from controller.settings.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many runs may go on at once, of all and of one database host; 0 is no limit."""

    total: int
    per_host: int

    def describe(self) -> str:
        """`at most 4 at once, 2 of one database host`; empty without a limit."""
        parts = [f"{self.total} at once"] if self.total else []
        parts += [f"{self.per_host} of one database host"] if self.per_host else []
        return f"at most {', '.join(parts)}" if parts else ""


def limits_of(settings: Settings) -> Limits:
    """The limits that are set."""
    return Limits(total=settings.max_concurrent, per_host=settings.max_concurrent_per_host)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A dump's Job with the name of its CronJob, and the database host that it reads.

    `is_held`: a restore keeps it back.
    """

    job: Json = field(repr=False)
    cronjob: str = ""
    host: str
    is_held: bool = False


def is_waiting(job: Json) -> bool:
    """Whether a Job was made suspended for want of a place, and was not released yet.

    A Job that somebody has suspended by hand lacks the mark: a release takes it away.
    """
    return is_suspended(job) and AWAITS_RELEASE in annotations_of(job) and end_of(job) is None


def takes_place(job: Json) -> bool:
    """Whether a Job goes on; one of which only metadata is known counts as if it did."""
    return not is_suspended(job) and end_of(job) is None


def due_since(job: Json) -> datetime:
    """Return when a Job came due; where nothing shows it, before all others."""
    for text in (annotations_of(job).get(SCHEDULED_FOR, ""), created_at(job)):
        try:
            found = datetime.fromisoformat(text)
        except (TypeError, ValueError):
            continue
        if found.tzinfo:
            return found
    return datetime.min.replace(tzinfo=UTC)


def begin_runs(runs: Iterable[Run], limits: Limits, begin: Callable[[Run], bool]) -> None:
    """Let the waiting Jobs begin for which there are places, in the order in which they came due.

    `begin` says whether a Job takes a place by now: one that cannot begin keeps it from nobody. A
    Job whose host has no place lets those of other hosts pass. One that a person made from its
    CronJob begins at once, and counts.
    """
    every = [run for run in runs if end_of(run.job) is None]
    waiting = sorted(
        (run for run in every if is_waiting(run.job) and not run.is_held),
        key=lambda run: (not _is_asked_for(run.job), due_since(run.job), name_of(run.job)),
    )
    going = [run for run in every if takes_place(run.job)]
    total, by_host = len(going), Counter(run.host for run in going)
    for run in waiting:
        has_place = not limits.total or total < limits.total
        has_place_there = not limits.per_host or not run.host or by_host[run.host] < limits.per_host
        is_next = (has_place and has_place_there) or _is_asked_for(run.job)
        if is_next and begin(run):
            total += 1
            by_host[run.host] += 1


def _is_asked_for(job: Json) -> bool:
    return annotations_of(job).get(INSTANTIATE) == "manual"
