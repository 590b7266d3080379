"""The figures behind /metrics, written once after each pass; a scrape costs no more than sending.

A scrape between two passes, or while one goes on, gets all figures of the earlier one.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from controller.kube.client import CallCounts
from controller.model.objects import Json, name_of, uid_of
from controller.plan.changes import ApplyResult, PassResult
from controller.report.metrics import families
from controller.report.metrics.exposition import (
    EMPTY,
    Exposition,
    Sample,
    pack,
    render,
    render_durations,
)
from controller.report.metrics.family import Family
from controller.report.metrics.figure import Figure, Figures
from controller.report.metrics.prune_figures import PruneFigures
from controller.report.metrics.run_counts import RunCounts
from controller.report.metrics.storage_figures import storage_figures
from controller.report.metrics.workload_figures import (
    labels_of_workload,
    workload_figures,
)
from controller.report.status_subjects import Rows
from controller.runs.due import seconds_of, slack_of
from controller.settings.settings import Settings
from dumpers.runtime.version import VERSION


class _Remembered(NamedTuple):
    """The figures of a CronJob as it was in a pass; `running` is since when a run goes on."""

    cronjob: Json
    running: str
    figures: Figures
    of_storages: tuple[tuple[Family, Figure], ...]


class Metrics:
    """What a process tells Prometheus: figures of the last pass, and counts of all of them.

    `leads` is asked at each scrape: a replica that stands by tells nothing of workloads.
    """

    def __init__(
        self,
        settings: Settings,
        calls: CallCounts,
        notifications: Callable[[], Mapping[tuple[str, str], int]] = dict,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self._calls, self._leads = calls, leads
        self._notifications = notifications
        self._slack, self._drill_deadline = slack_of(settings), settings.drill_deadline
        self._succeeded: float | None = None
        self._runs = RunCounts()
        self._restores: Counter[tuple[str, str]] = Counter()
        self._prunes = PruneFigures(settings=settings, slack=self._slack)
        self._figures: dict[str, _Remembered] = {}
        self._workloads: tuple[Mapping[Family, list[Sample]], bytes] = ({}, b"")
        self._exposition = EMPTY

    def update(self, result: PassResult, rows: Rows, now: float) -> None:
        """Write the figures of a pass that has ended at `now`, in seconds since the epoch.

        `rows` are those of the workloads that are not plainly backed up.
        """
        if result.succeeded:
            self._succeeded = now
        if not result.stopped:
            self._runs.count(result.results)
            self._restores.update(result.restores)
            self._prunes.count(result.prunes)
        samples = self._samples(result, rows)
        known, text = self._workloads
        if samples != known:
            # Most passes change nothing here, and it is by far the longest part.
            text = render(samples)
            self._workloads = (samples, text)
        durations = render_durations(families.DURATIONS, self._runs.durations)
        self._exposition = pack(text, durations, render(self._of_pass(result)))

    def forget(self) -> None:
        """Drop the figures of the last pass, which another replica makes untrue; counts go on."""
        self._succeeded = None
        self._figures = {}
        self._workloads = ({}, b"")
        self._exposition = EMPTY

    def exposition(self) -> Exposition:
        """Return the figures in Prometheus' text format; empty before the first pass."""
        return self._exposition if self._leads() else pack(render(self._of_process(leads=False)))

    def _samples(self, result: PassResult, rows: Rows) -> Mapping[Family, list[Sample]]:
        """Collect the series of all workloads."""
        found: dict[Family, list[Sample]] = defaultdict(list)
        remembered: dict[str, _Remembered] = {}
        for item in result.results:
            if item.cronjob is None:
                continue
            name = name_of(item.cronjob)
            labels = labels_of_workload(item.workload_plan.workload, name)
            running = result.running.get(uid_of(item.cronjob), "")
            remembered[name] = self._figures_of(name, item.cronjob, running, item.due)
            figures = (*remembered[name].figures.items(), *remembered[name].of_storages)
            for family, (more, value) in figures:
                found[family].append(((*labels, *more), value))
            for key, count in sorted(self._runs.runs.get(name, {}).items()):
                found[families.RUNS].append(((*labels, *key), count))
        self._figures = remembered
        found[families.STATE_SINCE] = list(_states(rows.values()))
        order = (*families.WORKLOAD_FAMILIES, families.RUNS)
        return {family: found[family] for family in order if found.get(family)}

    def _figures_of(self, name: str, cronjob: Json, running: str, due: int | None) -> _Remembered:
        """Read a CronJob anew only where it is another object than in the last pass."""
        known = self._figures.get(name)
        if known and known.cronjob is cronjob and known.running == running:
            return known
        return _Remembered(
            cronjob=cronjob,
            running=running,
            figures=workload_figures(cronjob, running, due, self._slack, self._drill_deadline),
            of_storages=tuple(storage_figures(cronjob, self._slack)),
        )

    def _of_pass(self, result: PassResult) -> Mapping[Family, Iterable[Sample]]:
        counted: Mapping[Any, int] = _by_status(result.results)
        found: dict[Family, Iterable[Sample]] = {
            families.RESTORES: sorted(self._restores.items()),
            **self._prunes.samples(result.prunes),
            families.WORKLOADS: sorted(counted.items()),
            families.PASS_DURATION: [((), result.seconds)],
            families.PASS_FAILURES: [((), len(result.failures))],
            families.NOTIFICATIONS: sorted(self._notifications().items()),
        }
        if self._succeeded is not None:
            found[families.LAST_GOOD_PASS] = [((), self._succeeded)]
        return found | self._of_process(leads=True)

    def _of_process(self, *, leads: bool) -> dict[Family, Iterable[Sample]]:
        return {
            families.API_REQUESTS: sorted(self._calls.counted().items()),
            families.LEADER: [((), leads)],
            families.BUILD_INFO: [((VERSION,), 1)],
        }


def _by_status(results: Iterable[ApplyResult]) -> Counter[tuple[str, str]]:
    return Counter((str(item.status.state), str(item.status.reason)) for item in results)


def _states(rows: Iterable[Json]) -> Iterable[Sample]:
    """Since when workloads have the state that they have; those that are backed up have no row."""
    for row in rows:
        since = seconds_of(row["since"])
        if since is not None:
            labels = labels_of_workload(row["workload"], row["cronjob"])
            yield (*labels, row["state"], row["reason"]), since
