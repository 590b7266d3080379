"""Counts of runs that survive passes, in this process: Prometheus knows what a restart means."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from controller.model.kinds import CRONJOB
from controller.model.names import LAST_RESULT, type_in
from controller.model.objects import Json, recorded
from controller.plan.changes import ApplyResult, Change
from controller.runs.history import FAILED, SUCCEEDED, PastRun, history_of

# From the time of a small database to that of a day.
BOUNDS = (10, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400)
OTHER = "Other"
_GOOD = (SUCCEEDED, "Succeeded")
# Reasons of failures that a workload has a series for.
_REASONS = 2


@dataclass(slots=True, kw_only=True)
class Durations:
    """How long the runs of one engine took: by bound how many took no longer, and all seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one run."""
        self.seconds += seconds
        place = next((i for i, bound in enumerate(BOUNDS) if seconds <= bound), len(BOUNDS))
        self.counts[place] += 1

    def buckets(self) -> Iterator[tuple[str, int]]:
        """Yield each bound with the number of runs that took no longer."""
        total = 0
        for bound, count in zip((*map(float, BOUNDS), float("inf")), self.counts, strict=True):
            total += count
            yield ("+Inf" if bound == float("inf") else str(bound)), total


@dataclass(slots=True, kw_only=True)
class RunCounts:
    """Runs by CronJob, outcome and reason, and their durations by engine."""

    runs: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)
    durations: dict[str, Durations] = field(default_factory=dict)

    def count(self, results: Iterable[ApplyResult]) -> None:
        """Count the runs that a pass has recorded, and forget the CronJobs that are gone."""
        kept: dict[str, Counter[tuple[str, str]]] = {}
        for result in results:
            name = result.workload_plan.cronjob
            if name and result.cronjob is not None:
                kept[name] = self.runs.get(name) or Counter({_GOOD: 0})
                for change in result.done:
                    self._count_change(change, kept[name])
        self.runs = kept

    def _count_change(self, change: Change, counts: Counter[tuple[str, str]]) -> None:
        if change.kind != CRONJOB or change.before is None or change.after is None:
            return
        for run in new_runs(change.before, change.after):
            counts[_key(run, counts)] += 1
            if run.seconds > 0:
                engine = type_in(change.name)
                self.durations.setdefault(engine, Durations()).add(run.seconds)


def new_runs(before: Json, after: Json) -> list[PastRun]:
    """The runs that a CronJob records now and did not record before; one that only grew is none."""
    known = {(run.finished, run.outcome) for run in history_of(before)}
    added = [run for run in history_of(after) if (run.finished, run.outcome) not in known]
    is_same = _job(before) and _job(before) == _job(after)
    return added[1:] if is_same else added


def _job(cronjob: Json) -> str:
    record: Mapping[str, object] = recorded(cronjob, LAST_RESULT)
    return str(record.get("job", ""))


def _key(run: PastRun, counts: Mapping[tuple[str, str], int]) -> tuple[str, str]:
    """Outcome and reason under which a run is counted: a workload has few reasons of its own."""
    if run.is_good:
        return _GOOD
    key = (FAILED, run.reason)
    failures = [outcome for outcome, reason in counts if outcome == FAILED and reason != OTHER]
    return key if key in counts or len(failures) < _REASONS else (FAILED, OTHER)
