"""Finds what a pass changed: the one place that compares before and after.

Pure functions yield typed transitions; readers (the log, the notifications) decide what to make of
each.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from controller.model.kinds import CRONJOB
from controller.model.names import LAST_RESULT
from controller.model.objects import Json, recorded
from controller.model.status import Reason, State, WorkloadStatus
from controller.plan.changes import Action, ApplyResult
from controller.report.proof_ends import ProofFinished, finished_proofs
from controller.runs.due import due_at

# A workload by its owner key, and its CronJob by name, empty where there is none.
Subject: TypeAlias = tuple[str, str]


# Reasons of workloads that are backed up, about which somebody has to do something.
_TROUBLES = frozenset(
    {
        Reason.RUN_BLOCKED,
        Reason.WAITING,
        Reason.OVERDUE,
        Reason.RESTORE_FAILED,
        Reason.RESTORE_REFUSED,
        Reason.DRILL_BLOCKED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectWritten:
    """An object of a workload was created, updated or deleted."""

    workload: str
    action: Action
    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChanged:
    """A workload has another status than after the last pass; `before` is None for a new one.

    `is_calm` is True where nobody has to do anything: it is backed up, no run of it is blocked, no
    restore that was asked for failed, and every write succeeded.
    """

    workload: str
    cronjob: str
    before: WorkloadStatus | None
    after: WorkloadStatus
    is_calm: bool


class RunBefore(NamedTuple):
    """How the run ended that a CronJob recorded before."""

    succeeded: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The last result of a workload's runs was recorded on its CronJob.

    `notes` are the codes of the notes on its backup that nobody accepted. `finished` is RFC 3339.
    `before` is None for the first run that is recorded. `due` is when a good one had to be there,
    in seconds since the epoch, and None where none had.
    """

    workload: str
    cronjob: str
    job: str
    succeeded: bool
    reason: str
    message: str
    notes: tuple[str, ...] = ()
    finished: str = ""
    before: RunBefore | None = None
    due: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadOverdue:
    """A good run of a workload should have ended by now, which the pass before did not find yet.

    `due` and `last_success` are RFC 3339, the latter empty where none is recorded. `reason` and
    `message` are of the last run, empty where that was good or none is recorded.
    """

    workload: str
    cronjob: str
    due: str
    last_success: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadForgotten:
    """Nothing is left of a workload that the last pass knew: no annotation and no CronJob."""

    workload: str
    cronjob: str
    before: WorkloadStatus


Transition: TypeAlias = (
    ObjectWritten
    | StatusChanged
    | RunFinished
    | ProofFinished
    | WorkloadOverdue
    | WorkloadForgotten
)


def subject_of(result: ApplyResult) -> Subject:
    """Return by what the status of a workload is remembered from pass to pass."""
    return result.workload_plan.workload, result.workload_plan.cronjob


def workload_transitions(before: WorkloadStatus | None, after: ApplyResult) -> Iterator[Transition]:
    """Yield what a pass changed for one workload, in the order in which that happened.

    `before` is the workload's status after the last pass, None if that pass did not know it.
    """
    workload, cronjob = subject_of(after)
    for change in after.done:
        yield ObjectWritten(
            workload=workload, action=change.action, kind=change.kind, name=change.name
        )
        if change.kind == CRONJOB and change.after is not None:
            yield from _finished_run(workload, change.name, change.before or {}, change.after)
            yield from finished_proofs(workload, change.name, change.before or {}, change.after)
    if after.status != before:
        yield StatusChanged(
            workload=workload,
            cronjob=cronjob,
            before=before,
            after=after.status,
            is_calm=after.status.state is State.WANTED
            and after.status.reason not in _TROUBLES
            and not after.failed,
        )


def forgotten_workloads(
    before: Mapping[Subject, WorkloadStatus], after: Collection[Subject]
) -> Iterator[WorkloadForgotten]:
    """Yield the workloads that only the last pass knew.

    A workload whose CronJob changed, as when its first one was made, is not forgotten.
    """
    known = {workload for workload, _ in after}
    cronjobs = {cronjob for _, cronjob in after}
    for (workload, cronjob), status in before.items():
        is_known = cronjob in cronjobs if cronjob else workload in known
        if not is_known:
            yield WorkloadForgotten(workload=workload, cronjob=cronjob, before=status)


def _finished_run(workload: str, cronjob: str, before: Json, after: Json) -> Iterator[RunFinished]:
    """Yield the run whose result this write recorded; a record that only grew is none."""
    now = _identity(after)
    is_recorded = now != _identity({})
    if not is_recorded or now == _identity(before):
        return
    record = recorded(after, LAST_RESULT)
    notes = record.get("notes")
    yield RunFinished(
        workload=workload,
        cronjob=cronjob,
        job=str(record.get("job", "")),
        succeeded=record.get("succeeded") is True,
        reason=str(record.get("reason", "")),
        message=str(record.get("message", "")),
        notes=tuple(map(str, notes)) if isinstance(notes, list) else (),
        finished=str(record.get("finished", "")),
        before=_run_before(before),
        due=due_at(before, 0),
    )


def _run_before(cronjob: Json) -> RunBefore | None:
    record = recorded(cronjob, LAST_RESULT)
    if not record:
        return None
    return RunBefore(record.get("succeeded") is True, str(record.get("reason", "")))


def _identity(cronjob: Json) -> tuple[object, ...]:
    """What tells a recorded run from another one."""
    record = recorded(cronjob, LAST_RESULT)
    return tuple(record.get(name) for name in ("job", "succeeded", "reason", "message"))
