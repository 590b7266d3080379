"""Finds what a pass changed: the one place that compares before and after.

Pure functions yield typed transitions; readers (today the log) decide what to make of each.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from controller.model.kinds import CRONJOB
from controller.model.names import LAST_RESULT
from controller.model.objects import Json, recorded
from controller.model.status import Reason, State, WorkloadStatus
from controller.plan.changes import Action, ApplyResult, Change

# A workload by its owner key, and its CronJob by name, empty where there is none.
Subject: TypeAlias = tuple[str, str]


# Reasons of workloads that are backed up, about which somebody has to do something.
_TROUBLES = frozenset(
    {Reason.RUN_BLOCKED, Reason.WAITING, Reason.RESTORE_FAILED, Reason.RESTORE_REFUSED}
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The last result of a workload's runs was recorded on its CronJob.

    `notes` are the codes of the notes on its backup that nobody accepted.
    """

    workload: str
    cronjob: str
    job: str
    succeeded: bool
    reason: str
    message: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadForgotten:
    """Nothing is left of a workload that the last pass knew: no annotation and no CronJob."""

    workload: str
    cronjob: str
    before: WorkloadStatus


Transition: TypeAlias = ObjectWritten | StatusChanged | RunFinished | WorkloadForgotten


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
        yield from _finished_run(workload, change)
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


def _finished_run(workload: str, change: Change) -> Iterator[RunFinished]:
    """Yield the run whose result this write recorded; a record that only grew is none."""
    if change.kind != CRONJOB or change.after is None:
        return
    before, after = _identity(change.before or {}), _identity(change.after)
    if after != before and after != _identity({}):
        record = recorded(change.after, LAST_RESULT)
        notes = record.get("notes")
        yield RunFinished(
            workload=workload,
            cronjob=change.name,
            job=str(record.get("job", "")),
            succeeded=record.get("succeeded") is True,
            reason=str(record.get("reason", "")),
            message=str(record.get("message", "")),
            notes=tuple(map(str, notes)) if isinstance(notes, list) else (),
        )


def _identity(cronjob: Json) -> tuple[object, ...]:
    """What tells a recorded run from another one."""
    record = recorded(cronjob, LAST_RESULT)
    return tuple(record.get(name) for name in ("job", "succeeded", "reason", "message"))
