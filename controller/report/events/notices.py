"""What a workload's people are told by Events on their own owner; pure.

Whoever may not read logs, nor anything of the controller's namespace, sees these by
`kubectl describe`.
"""

from collections.abc import Container, Iterator, Mapping

from controller.model.fixes import RUN_FIXES, STATE_FIXES
from controller.model.names import ASKED_SCHEDULE, LAST_RESULT
from controller.model.objects import Json, annotations_of, name_of, recorded
from controller.model.status import Reason, State, WorkloadStatus
from controller.report.events.notice import Notice, make_notice
from controller.report.events.proof_notices import proof_notices
from controller.report.status_document import in_units
from controller.report.status_subjects import Subject
from controller.runs.results import finished_at
from controller.runs.retention.prunes import Prunes
from dumpers.contract.result import PARTIAL

# Of what a failed read hides: it is told once two passes have found it so.
UNKNOWN = "BackupStateUnknown"
# A read that failed hides the workload; nothing of it has to be changed.
_HIDDEN = frozenset(
    {Reason.FORBIDDEN, Reason.UNAVAILABLE, Reason.CLUSTER_UNKNOWN, Reason.INTERNAL_ERROR}
)
# What keeps a workload that is accepted from its backup.
_LATE = {
    Reason.RUN_BLOCKED: "BackupBlocked",
    Reason.WAITING: "BackupBlocked",
    Reason.OVERDUE: "BackupOverdue",
}
# What keeps its backups from being proved as it asks, and whether somebody has to be warned.
_UNPROVED = {
    Reason.NOT_DRILLABLE: ("BackupNotDrillable", False),
    Reason.DRILL_IMAGE_MISSING: ("BackupNotDrillable", True),
    Reason.DRILL_BLOCKED: ("DrillBlocked", True),
    Reason.READER_REFUSED: ("BackupNotUpToDate", True),
}


def notices(subject: Subject) -> Iterator[tuple[str, Notice]]:
    """Yield what there is to tell of a workload, each with its topic: its state, its last run."""
    if state := _state_notice(subject):
        yield "state", state
    if subject.cronjob is not None and (run := _run_notice(subject.cronjob)):
        yield "run", run
    if subject.cronjob is not None:
        yield from proof_notices(subject.cronjob)


def prune_notices(prunes: Prunes, drilled: Container[str] = ()) -> Mapping[str, Notice]:
    """What the last good prunes have to tell of workloads, by the names of their CronJobs.

    A backup of those that are `drilled` covers others only once a drill has restored it.
    """
    held: dict[str, Notice] = {}
    shrunk: dict[str, Notice] = {}
    for prune in prunes.good:
        if prune.result:
            for name in prune.result.held_back_cronjobs:
                held[name] = _held(prune.finished, is_drilled=name in drilled)
            shrunk |= dict.fromkeys(prune.result.shrunk_cronjobs, _shrunk(prune.finished))
    # What is shrunk is mostly why the others are held back.
    return held | shrunk


def _shrunk(finished: str) -> Notice:
    return make_notice(
        "BackupsShrunk",
        "backups are much smaller than the ones before, and cover none of them: prune keeps the "
        "full ones. To do: see what is missing; `ksnapshot accept` says that nothing is",
        is_warning=True,
        of=finished,
    )


def _held(finished: str, *, is_drilled: bool) -> Notice:
    verb = "ksnapshot drill" if is_drilled else "ksnapshot verify"
    return make_notice(
        "BackupsHeldBack",
        "ProofMissing: the retention policy wants backups gone, and no newer, proved one covers "
        f"them. To do: `{verb}`, or see why the newer ones are not good",
        is_warning=True,
        of=finished,
    )


def _state_notice(subject: Subject) -> Notice | None:
    """What the state of a workload asks to be told; None where it is on its way out."""
    status, cronjob = subject.status, subject.cronjob
    if status.state is State.WANTED:
        if status.reason in {*_LATE, *_UNPROVED}:
            return _hindrance(status)
        # After a conflict the next pass tries again.
        if status.reason in {Reason.ANNOTATED, Reason.WRITE_CONFLICT} and cronjob is not None:
            return make_notice("BackupAccepted", _schedule(cronjob), is_warning=False)
        if status.reason in {Reason.SUSPENDED, Reason.HELD}:
            return make_notice("BackupSuspended", status.message, is_warning=False)
        return make_notice("BackupNotUpToDate", _why(subject), is_warning=True)
    if status.state is State.UNKNOWN:
        is_hidden = status.reason in _HIDDEN
        reason = UNKNOWN if is_hidden else "BackupRejected"
        return make_notice(reason, _why(subject), is_warning=True)
    return None


def _hindrance(status: WorkloadStatus) -> Notice:
    """What keeps a workload from its backup, or that from being proved as the workload asks."""
    if status.reason in _LATE:
        return make_notice(_LATE[status.reason], status.message, is_warning=True)
    reason, is_warning = _UNPROVED[status.reason]
    fix = STATE_FIXES[status.reason]
    message = f"{status.message}; its backups go on. To do: {fix}"
    return make_notice(reason, message, is_warning=is_warning)


def _run_notice(cronjob: Json) -> Notice | None:
    """How the last run ended; None before the first one."""
    record = recorded(cronjob, LAST_RESULT)
    if finished_at(record) is None:
        return None
    finished, seconds = str(record["finished"]), record.get("seconds")
    took = f" in {seconds:g} s" if isinstance(seconds, int | float) and seconds > 0 else ""
    if record.get("succeeded") is True:
        size = record.get("stored_bytes")
        stored = f", {in_units(size)} stored" if isinstance(size, int) and size > 0 else ""
        lacking = (
            f"; it is partial: {record.get('message')}" if record.get("outcome") == PARTIAL else ""
        )
        message = f"the run that ended {finished} is good{stored}{took}{lacking}"
        return make_notice("BackupSucceeded", message, of=finished)
    reason = str(record.get("reason", ""))
    fix = f". To do: {RUN_FIXES[reason]}" if reason in RUN_FIXES else ""
    message = f"the run that ended {finished} failed{took}: {reason}: {record.get('message')}{fix}"
    return make_notice("BackupFailed", message, is_warning=True, of=finished)


def _why(subject: Subject) -> str:
    reason = str(subject.status.reason)
    fix = f". To do: {STATE_FIXES[reason]}" if reason in STATE_FIXES else ""
    kept = "; its CronJob goes on as it was" if subject.cronjob is not None else ""
    return f"{reason}: {subject.status.message}{kept}{fix}"


def _schedule(cronjob: Json) -> str:
    spec = cronjob.get("spec") or {}
    asked = annotations_of(cronjob).get(ASKED_SCHEDULE)
    what = f"{spec.get('schedule')} ({spec.get('timeZone')})" + (f", for {asked}" if asked else "")
    return f"it is backed up by the CronJob {name_of(cronjob)}: {what}"
