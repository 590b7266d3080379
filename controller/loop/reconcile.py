"""One pass: read the cluster, decide and write, namespace by namespace, and report."""

import logging
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import TypeVar

from controller.kube.client import Kube
from controller.loop.apply import execute
from controller.loop.pass_state import PassState
from controller.loop.pass_summary import failures, summary
from controller.loop.release import release_runs
from controller.model.status import ReadFailure, Reason, WorkloadStatus
from controller.model.view import ClusterView
from controller.observe.cluster import Observation, observe_cluster
from controller.plan import changes, context, owned, planner
from controller.plan.changes import ApplyResult, PassResult, Plan, WorkloadPlan
from controller.plan.laid_manifests import LaidManifests
from controller.report.decision_log import log_changes, log_choices
from controller.report.events.event_writer import EventWriter
from controller.report.page.findings import findings_of
from controller.report.status_subjects import Unseen, list_subjects
from controller.report.status_writer import StatusWriter
from controller.report.transition_log import log_transition
from controller.report.transitions import (
    Transition,
    forgotten_workloads,
    subject_of,
    workload_transitions,
)
from controller.runs.job_status import running_since
from controller.settings.settings import Settings
from controller.workloads.discovery import Workloads
from dumpers.runtime.log import fields

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class _Progress:
    """How far a pass has come; `unplanned` are the namespaces of which no plan could be made."""

    results: list[ApplyResult] = field(default_factory=list)
    gone_passes: dict[str, int] = field(default_factory=dict)
    unplanned: set[str] = field(default_factory=set)


def run(
    kube: Kube,
    settings: Settings,
    state: PassState,
    *,
    now: datetime | None = None,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[], None] = lambda: None,
    tell: Callable[[Transition], None] = log_transition,
) -> PassResult:
    """Carry out one pass and update `state`; no namespace keeps the others from theirs.

    `progress` is called whenever a namespace was read or a workload's plan carried out, `tell` with
    each thing that the pass changed.
    """
    started = time.monotonic()
    observation = observe_cluster(
        kube,
        settings,
        state.observation,
        now=now or datetime.now(UTC),
        gone_passes=state.gone_passes,
        isolate=isolate,
        progress=progress,
    )
    release = partial(release_runs, kube, settings, observation.view.control, stopping)
    unreleased = isolate("releases", release)
    unreleased = [f"releases: {Reason.INTERNAL_ERROR}"] if unreleased is None else unreleased
    done = _apply_plans(
        plans(observation.view, settings, observation.found, state.laid),
        partial(_apply, kube=kube, settings=settings, state=state, stopping=stopping, tell=tell),
        stopping=stopping,
        progress=progress,
    )
    if not stopping():
        # A pass that was stopped has not come to all workloads.
        writer = StatusWriter(
            kube=kube,
            settings=settings,
            now=observation.view.now,
            isolate=isolate,
            progress=progress,
        )
        isolate("status", partial(_write_status, writer, state, observation, done))
    control = observation.view.control
    result = PassResult(
        results=tuple(done.results),
        failures=(*failures(observation.view, done.results, done.unplanned), *unreleased),
        seconds=time.monotonic() - started,
        stopped=stopping(),
        running=running_since(control.jobs, control.unread),
        restores=observation.restores,
        prunes=observation.prunes,
    )
    _tell_forgotten(result, done, state, tell)
    _remember(result, done, state)
    _log.info("pass finished", extra=fields(**summary(result)))
    return result


def plans(
    view: ClusterView,
    settings: Settings,
    found: Mapping[str, Workloads] = MappingProxyType({}),
    laid: LaidManifests | None = None,
) -> Iterator[tuple[str, Plan | None]]:
    """Yield the plan of each namespace; None where making it failed, which is then logged.

    `found` holds workloads that were looked for already, `laid` what is known of their manifests.
    """
    owned_objects = owned.index_owned(view, settings)

    def plan(namespace: str) -> Plan:
        known = context.build_context(
            view, owned_objects, settings, namespace, found.get(namespace), laid=laid
        )
        made = planner.plan(known, isolate)
        isolate(namespace, partial(log_choices, known))
        return made

    for namespace in planner.namespaces(view, owned_objects):
        yield namespace, isolate(namespace, partial(plan, namespace))


def isolate(what: str, part: Callable[[], T], /) -> T | None:
    """See FaultBoundary; a fault is logged by its place: its text may hold a secret."""
    try:
        return part()
    except Exception as error:  # noqa: BLE001  the pass edge: a fault of ours stops nothing else
        place = "".join(traceback.format_tb(error.__traceback__))
        line = fields(of=what, fault=type(error).__name__, place=place)
        _log.error("a fault of the controller", extra=line)
        return None


def _apply(
    workload_plan: WorkloadPlan,
    *,
    kube: Kube,
    settings: Settings,
    state: PassState,
    stopping: Callable[[], bool],
    tell: Callable[[Transition], None],
) -> ApplyResult:
    """Carry out one workload's plan, and tell what that changed."""
    last_written, interner = state.last_written, state.observation.interner
    part = partial(
        execute, workload_plan, kube, settings, stopping, last_written, interner=interner
    )
    result = isolate(workload_plan.workload, part) or ApplyResult(
        workload_plan=workload_plan,
        status=WorkloadStatus.unknown(changes.FAULT),
        failed=True,
    )
    isolate(workload_plan.workload, partial(log_changes, result, settings))
    for transition in workload_transitions(state.last_logged.get(subject_of(result)), result):
        tell(transition)
    return result


def _apply_plans(
    namespace_plans: Iterable[tuple[str, Plan | None]],
    apply: Callable[[WorkloadPlan], ApplyResult],
    *,
    stopping: Callable[[], bool],
    progress: Callable[[], None],
) -> _Progress:
    """Carry out the plan of one namespace after the other, up to `stopping`."""
    done = _Progress()
    for namespace, plan in namespace_plans:
        if plan is None:
            done.unplanned.add(namespace)
            continue
        done.gone_passes |= plan.gone_passes
        for workload_plan in plan.items:
            if stopping():
                break
            done.results.append(apply(workload_plan))
            progress()
    return done


def _write_status(
    writer: StatusWriter, state: PassState, observation: Observation, done: _Progress
) -> None:
    """Write what the pass found of each workload where its people can see it."""
    view = observation.view
    if isinstance(view.control.cronjobs, ReadFailure):
        # Nothing is known of any workload then; what was known stays, and the log has the failure.
        return
    watched = {
        name: namespace.exists is not False
        for name, namespace in view.namespaces.items()
        if name not in done.unplanned
    }
    subjects = list_subjects(done.results, observation.found)
    unseen = Unseen.of(view, done.unplanned)
    writer.write(state.status, subjects, unseen, watched, observation.prunes)
    state.findings = findings_of(state.status, subjects, unseen, view.now)
    events = EventWriter(kube=writer.kube, settings=writer.settings, now=view.now)
    events.write(state.events, subjects, observation.found, observation.prunes)


def _tell_forgotten(
    result: PassResult, done: _Progress, state: PassState, tell: Callable[[Transition], None]
) -> None:
    """Tell of the workloads that are gone; a pass that was stopped has not come to all of them."""
    if result.stopped:
        return
    before = {
        subject: status
        for subject, status in state.last_logged.items()
        if _namespace_of(subject) not in done.unplanned
    }
    for transition in forgotten_workloads(before, {subject_of(item) for item in result.results}):
        tell(transition)


def _remember(result: PassResult, done: _Progress, state: PassState) -> None:
    """Leave for the next pass what it compares with."""
    unplanned = {
        subject: status
        for subject, status in state.last_logged.items()
        if _namespace_of(subject) in done.unplanned
    }
    state.laid.end_pass()
    state.gone_passes = done.gone_passes
    state.last_logged = unplanned | {subject_of(item): item.status for item in result.results}
    state.last_written = {
        uid: written for item in result.results for uid, written in item.last_written.items()
    }


def _namespace_of(subject: tuple[str, str]) -> str:
    workload, _ = subject
    return workload.partition("/")[0]
