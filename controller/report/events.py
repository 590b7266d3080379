"""What a workload's people are told by Events on their own owner; pure.

Whoever may not read logs, nor anything of the controller's namespace, sees these by
`kubectl describe`.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from controller.model.fixes import RUN_FIXES, STATE_FIXES, verification_fix
from controller.model.names import ASKED_SCHEDULE, LAST_RESULT
from controller.model.objects import Json, annotations_of, name_of, recorded
from controller.model.status import Reason, State
from controller.report.status_document import in_units
from controller.report.status_subjects import Subject
from controller.runs.results import finished_at
from controller.runs.retention.prunes import Prunes
from controller.runs.verifications import last_verification_of
from dumpers.runtime.errors import BackupDamagedError

# The API server takes 1,024 bytes; a message may have characters of several.
_LONGEST = 1000
_HASH_LENGTH = 16
_LONGEST_NAME = 200
SOURCE = "ksnapshot"
# Of what a failed read hides: it is told once two passes have found it so.
UNKNOWN = "BackupStateUnknown"
_REPORTER = "ksnapshot.clickandmortar.fr/controller"
# Kubernetes forgets an Event after an hour: what is not well is told anew before that.
REFRESH_SECONDS = 50 * 60
# What is well again soon after it was told so is told once more.
_NEWS_SECONDS = 10 * 60
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


class Place(NamedTuple):
    """The object that an Event is about; `uid` is empty where it is not known."""

    namespace: str
    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What one Event tells; `of` tells two equal ones apart, such as two good runs."""

    reason: str
    message: str
    is_warning: bool
    of: str = ""


def notices(subject: Subject) -> Iterator[tuple[str, Notice]]:
    """Yield what there is to tell of a workload, each with its topic: its state, its last run."""
    if state := _state_notice(subject):
        yield "state", state
    if subject.cronjob is not None and (run := _run_notice(subject.cronjob)):
        yield "run", run
    if subject.cronjob is not None and (seen := _verification_notice(subject.cronjob)):
        yield "verification", seen


def prune_notices(prunes: Prunes) -> Mapping[str, Notice]:
    """What the last good prune has to tell of workloads, by the names of their CronJobs."""
    last = prunes.last_success
    if last is None or last.result is None:
        return {}
    shrunk = _notice(
        "BackupsShrunk",
        "backups are much smaller than the ones before, and cover none of them: prune keeps the "
        "full ones. To do: see what is missing; `ksnapshot accept` says that nothing is",
        is_warning=True,
        of=last.finished,
    )
    held = _notice(
        "BackupsHeldBack",
        "ProofMissing: the retention policy wants backups gone, and no newer, proved one covers "
        "them. To do: `ksnapshot verify`, or see why the newer ones are not good",
        is_warning=True,
        of=last.finished,
    )
    # What is shrunk is mostly why the others are held back.
    return {
        **dict.fromkeys(last.result.held_back_cronjobs, held),
        **dict.fromkeys(last.result.shrunk_cronjobs, shrunk),
    }


def event(notice: Notice, place: Place, instance: str, now: datetime) -> Json:
    """Build the Event; its name follows from what it tells, so that no restart tells it twice."""
    moment = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    slot = int(now.timestamp()) // (REFRESH_SECONDS if notice.is_warning else _NEWS_SECONDS)
    told = f"{place}\n{notice.reason}\n{notice.message}\n{notice.of}\n{slot}"
    digest = hashlib.sha256(told.encode()).hexdigest()[:_HASH_LENGTH]
    kind, _, _ = place.kind.partition(".")
    about = {"kind": kind, "namespace": place.namespace, "name": place.name}
    if version := _VERSIONS.get(place.kind):
        about["apiVersion"] = version
    if place.uid:
        about["uid"] = place.uid
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{place.name[:_LONGEST_NAME]}.{digest}",
            "namespace": place.namespace,
        },
        "involvedObject": about,
        "type": "Warning" if notice.is_warning else "Normal",
        "reason": notice.reason,
        "message": notice.message,
        "source": {"component": SOURCE},
        "reportingComponent": _REPORTER,
        "reportingInstance": instance,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }


_VERSIONS = {
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "Pod": "v1",
}


def _state_notice(subject: Subject) -> Notice | None:
    """What the state of a workload asks to be told; None where it is on its way out."""
    status, cronjob = subject.status, subject.cronjob
    if status.state is State.WANTED:
        if status.reason in _LATE:
            return _notice(_LATE[status.reason], status.message, is_warning=True)
        # After a conflict the next pass tries again.
        if status.reason in {Reason.ANNOTATED, Reason.WRITE_CONFLICT} and cronjob is not None:
            return _notice("BackupAccepted", _schedule(cronjob), is_warning=False)
        if status.reason in {Reason.SUSPENDED, Reason.HELD}:
            return _notice("BackupSuspended", status.message, is_warning=False)
        return _notice("BackupNotUpToDate", _why(subject), is_warning=True)
    if status.state is State.UNKNOWN:
        is_hidden = status.reason in _HIDDEN
        reason = UNKNOWN if is_hidden else "BackupRejected"
        return _notice(reason, _why(subject), is_warning=True)
    return None


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
        return _notice(
            "BackupSucceeded", f"the run that ended {finished} is good{stored}{took}", of=finished
        )
    reason = str(record.get("reason", ""))
    fix = f". To do: {RUN_FIXES[reason]}" if reason in RUN_FIXES else ""
    message = f"the run that ended {finished} failed{took}: {reason}: {record.get('message')}{fix}"
    return _notice("BackupFailed", message, is_warning=True, of=finished)


def _verification_notice(cronjob: Json) -> Notice | None:
    """How the last run that verifies by schedule ended; None before the first one."""
    last = last_verification_of(cronjob)
    if last is None:
        return None
    if last.succeeded:
        what = f"{last.verified} backups were read back and are good" if last.verified else ""
        said = "; ".join(filter(None, (what, last.message))) or "there was nothing to read"
        return _notice(
            "BackupsVerified", f"the run that ended {last.finished}: {said}", of=last.job
        )
    is_damaged = last.reason == BackupDamagedError.reason
    fix = verification_fix(last.reason)
    message = f"the verification that ended {last.finished} failed: {last.reason}: {last.message}"
    return _notice(
        "BackupsDamaged" if is_damaged else "VerificationFailed",
        f"{message}{f'. To do: {fix}' if fix else ''}",
        is_warning=True,
        of=last.job,
    )


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


def _notice(reason: str, message: str, *, is_warning: bool = False, of: str = "") -> Notice:
    # Half a surrogate pair has no UTF-8 form.
    short = message.encode("utf-8", "replace")[:_LONGEST].decode(errors="ignore")
    return Notice(reason=reason, message=short or reason, is_warning=is_warning, of=of)
