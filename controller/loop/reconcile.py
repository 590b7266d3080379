"""One pass: read, decide and apply, namespace by namespace, and tell what came of it."""

import logging
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import TypeVar

from controller.kube.client import Kube
from controller.loop.apply import execute
from controller.loop.pass_state import PassState
from controller.model.status import Reason, State, WorkloadStatus
from controller.model.view import ClusterView, failed_reads
from controller.observe.cluster import observe_cluster
from controller.plan import changes, context, owned, planner
from controller.plan.changes import ApplyResult, PassResult, Plan
from controller.settings.settings import Settings
from controller.workloads.discovery import Workloads
from dumpers.runtime.log import fields

T = TypeVar("T")
_log = logging.getLogger(__name__)


def run(
    kube: Kube,
    settings: Settings,
    state: PassState,
    *,
    now: datetime | None = None,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[], None] = lambda: None,
) -> PassResult:
    """Carry out one pass; nothing of one namespace keeps the others from theirs.

    `progress` is called whenever a namespace was read or an item carried out.
    """
    started = time.monotonic()
    reading = observe_cluster(
        kube,
        settings,
        state.observation,
        now=now or datetime.now(UTC),
        gone_passes=state.gone_passes,
        isolate=isolate,
        progress=progress,
    )
    outcomes: list[ApplyResult] = []
    # One list that failed may be why many objects are not known.
    failures = list(dict.fromkeys(failed_reads(reading.view)))
    remembered: dict[str, int] = {}
    for namespace, plan in plans(reading.view, settings, reading.found):
        if plan is None:
            failures.append(f"{namespace}: {Reason.INTERNAL_ERROR}")
            continue
        remembered |= plan.gone_passes
        for item in plan.items:
            if stopping():
                break
            part = partial(
                execute, item, kube, settings.control_namespace, stopping, state.last_written
            )
            outcome = isolate(item.workload, part) or ApplyResult(
                workload_plan=item, status=WorkloadStatus.unknown(changes.FAULT), failed=True
            )
            progress()
            outcomes.append(outcome)
            _tell(outcome, state.last_logged)
    state.gone_passes = remembered
    state.last_logged = {_subject(outcome): outcome.status for outcome in outcomes}
    state.last_written = {uid: sent for outcome in outcomes for uid, sent in outcome.sent.items()}
    failures += [
        f"{item.workload_plan.workload}: {item.status.reason}"
        for item in outcomes
        if item.failed or item.status.reason is Reason.INTERNAL_ERROR
    ]
    result = PassResult(
        results=tuple(outcomes),
        failures=tuple(failures),
        seconds=time.monotonic() - started,
        stopped=stopping(),
    )
    _log.info("pass finished", extra=fields(**_summary(result)))
    return result


def plans(
    view: ClusterView,
    settings: Settings,
    found: Mapping[str, Workloads] = MappingProxyType({}),
) -> Iterator[tuple[str, Plan | None]]:
    """Yield the plan of each namespace; None where making it failed, which is then logged.

    `found` holds the workloads of namespaces where they were looked for already.
    """
    stock = owned.index_owned(view, settings)

    def plan(namespace: str) -> Plan:
        return planner.plan(
            context.build_context(view, stock, settings, namespace, found.get(namespace)), isolate
        )

    for namespace in planner.namespaces(view, stock):
        yield namespace, isolate(namespace, partial(plan, namespace))


def isolate(what: str, part: Callable[[], T], /) -> T | None:
    """See Isolate; a fault is logged with its place, and without its text, which could tell."""
    try:
        return part()
    except Exception as error:  # noqa: BLE001  the pass edge: a fault of ours stops nothing else
        place = "".join(traceback.format_tb(error.__traceback__))
        line = fields(of=what, fault=type(error).__name__, place=place)
        _log.error("a fault of the controller", extra=line)
        return None


def _subject(outcome: ApplyResult) -> tuple[str, str]:
    return outcome.workload_plan.workload, outcome.workload_plan.cronjob


def _tell(outcome: ApplyResult, told: Mapping[tuple[str, str], WorkloadStatus]) -> None:
    """Log what was written, and a workload's state when it is not as it was told before."""
    item, verdict = outcome.workload_plan, outcome.status
    for step in outcome.done:
        line = fields(action=step.action, kind=step.kind, name=step.name, workload=item.workload)
        _log.info("object written", extra=line)
    if told.get(_subject(outcome)) == verdict:
        return
    calm = verdict.state is State.WANTED and not outcome.failed
    _log.log(
        logging.INFO if calm else logging.WARNING,
        "workload status changed",
        extra=fields(
            workload=item.workload,
            cronjob=item.cronjob,
            state=verdict.state,
            reason=verdict.reason,
            why=verdict.message,
        ),
    )


def _summary(result: PassResult) -> Mapping[str, object]:
    states = Counter(item.status.state for item in result.results)
    writes = Counter(step.action for item in result.results for step in item.done)
    return {
        "seconds": round(result.seconds, 3),
        **{str(state): states[state] for state in State},
        **{f"{verb}d": writes[verb] for verb in changes.Action},
        "failures": list(result.failures),
        "stopped": result.stopped,
    }
