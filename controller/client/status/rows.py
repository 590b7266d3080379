"""What is known of a workload → one row of `ksnapshot status`; pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfoNotFoundError

from controller.client.cluster.workload_names import Workload
from controller.client.status.past_run import Run, read_run
from controller.client.terminal.output import moment_of
from controller.model import names
from controller.model.fixes import (
    DAMAGED_FIX,
    DOUBT_FIX,
    RUN_FIXES,
    STATE_FIXES,
    drill_fix,
    storage_fix,
    verification_fix,
)
from controller.model.objects import (
    Json,
    annotations_of,
    is_suspended,
    name_of,
    owner_references,
    recorded,
    uid_of,
)
from controller.model.status import Reason, State
from controller.runs.job_status import is_active, started_at
from controller.runs.proving.drills import LastDrill, failed_drill_of, last_drill_of
from controller.runs.proving.verifications import LastVerification, last_verification_of
from controller.runs.restorable import Grade, LastProof, Restorable, last_proof_of, restorable_of
from controller.runs.storage_marks import Stored, known_storages
from controller.workloads.timing.run_times import next_run
from dumpers.contract.result import StorageResult

# States and reasons in which nobody has to do anything.
FINE = {
    Reason.ANNOTATED,
    Reason.SUSPENDED,
    Reason.HELD,
    Reason.RESTORING_BESIDE,
    Reason.RESTORED_BESIDE,
    Reason.NOT_DRILLABLE,
}
# What another trouble of the workload says more about, or what is none.
_LESSER = {Reason.OVERDUE, Reason.NOT_DRILLABLE}
_SETTLED = {State.REPLACED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A Job that runs now."""

    job: str
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A workload as `status` shows it.

    `state` and `reason` are empty where the controller's status is not known. `failed_drill` is
    the last drill, where it failed and that is to be told.
    """

    workload: Workload
    state: str
    reason: str
    message: str
    since: str
    schedule: str = ""
    asked_schedule: str = ""
    zone: str = ""
    backup_class: str = ""
    suspended: bool = False
    next_run: datetime | None = None
    running: tuple[Running, ...] = ()
    last_result: Run | None = None
    last_success: Run | None = None
    restorable: Restorable | None = None
    last_proof: LastProof | None = None
    verify_schedule: str = ""
    last_verification: LastVerification | None = None
    drill_schedule: str = ""
    last_drill: LastDrill | None = None
    failed_drill: LastDrill | None = None
    storages: Mapping[str, Stored] = field(default_factory=dict)

    @property
    def has_failed(self) -> bool:
        """Whether its last run failed."""
        return self.last_result is not None and not self.last_result.succeeded

    @property
    def lacking(self) -> tuple[StorageResult, ...]:
        """The storages that the last run, a good one, has left no backup in."""
        return self.last_result.lacking if self.last_result else ()

    @property
    def is_damaged(self) -> bool:
        """Whether the last look at a backup found other bytes than were stored."""
        proof = self.last_proof
        return proof is not None and not proof.good and proof.grade is Grade.VERIFIED

    @property
    def is_unverified(self) -> bool:
        """Whether the last run that verifies by schedule failed, by a verdict or without one."""
        return self.last_verification is not None and not self.last_verification.succeeded

    @property
    def is_in_doubt(self) -> bool:
        """Whether a drill found that a backup is not what was dumped, and none has cleared it."""
        return self.last_drill is not None and self.last_drill.in_doubt

    @property
    def has_bad_proof(self) -> bool:
        """Whether what proves its backups found something against one, or could not prove them."""
        is_undrilled = self.failed_drill is not None or self.is_in_doubt
        return self.is_damaged or self.is_unverified or is_undrilled

    @property
    def is_problem(self) -> bool:
        """Whether somebody should look at it."""
        settled = self.state in {"", *_SETTLED} or self.reason in FINE
        return self.has_failed or bool(self.lacking) or self.has_bad_proof or not settled

    @property
    def fix(self) -> str:
        """What to do about its reason, else about its last run; empty where nothing is."""
        # What its last run failed by says more than that none came in time.
        is_explained = self.reason in _LESSER and self.has_failed
        if self.reason not in {"", Reason.ANNOTATED} and not is_explained:
            return STATE_FIXES.get(self.reason, "")
        if self.has_failed and self.last_result:
            return RUN_FIXES.get(self.last_result.reason, "")
        if self.lacking:
            return storage_fix(self.lacking[0].name, self.lacking[0].reason)
        if self.is_damaged:
            return DAMAGED_FIX
        last = self.last_verification
        if last and not last.succeeded:
            return verification_fix(last.reason)
        return self._drill_fix()

    def _drill_fix(self) -> str:
        """What to do about its drills; empty where nothing is."""
        last, failed = self.last_drill, self.failed_drill
        if failed and (failed.is_against or not self.is_in_doubt):
            return drill_fix(failed.reason)
        if self.is_in_doubt:
            return DOUBT_FIX
        return drill_fix(last.reason) if last and last.is_impossible else ""


def make_rows(
    workloads: Iterable[Workload], jobs: Sequence[Json], now: datetime, *, is_state_known: bool
) -> list[Row]:
    """Make a row of each workload; `jobs` are those of the control namespace that may run."""
    by_owner: dict[str, list[Running]] = defaultdict(list)
    for job in jobs:
        if is_active(job):
            running = Running(job=name_of(job), since=moment_of(started_at(job)))
            for owner in owner_references(job):
                by_owner[str(owner.get("uid", ""))].append(running)
    return [_row(workload, by_owner, now, is_state_known) for workload in workloads]


def _row(
    workload: Workload,
    running: Mapping[str, Sequence[Running]],
    now: datetime,
    is_state_known: bool,  # noqa: FBT001  private
) -> Row:
    cronjob: Json = workload.cronjob or {}
    spec = cronjob.get("spec") or {}
    schedule, zone = str(spec.get("schedule") or ""), str(spec.get("timeZone") or "Etc/UTC")
    suspended = is_suspended(cronjob)
    entry: Json = workload.reported or {}
    state, reason = str(entry.get("state") or ""), str(entry.get("reason") or "")
    if workload.reported is None and is_state_known:
        state = State.WANTED
        reason = Reason.SUSPENDED if suspended else Reason.ANNOTATED
    annotations = annotations_of(cronjob)
    result, success, proof = (
        recorded(cronjob, key) for key in (names.LAST_RESULT, names.LAST_SUCCESS, names.LAST_PROOF)
    )
    return Row(
        workload=workload,
        state=state,
        reason=reason,
        message=str(entry.get("message") or ""),
        since=str(entry.get("since") or ""),
        schedule=schedule,
        asked_schedule=annotations.get(names.ASKED_SCHEDULE, ""),
        zone=zone if schedule else "",
        backup_class=annotations.get(names.CLASS, ""),
        suspended=suspended,
        next_run=_next_run(schedule, zone, now, cronjob) if schedule and not suspended else None,
        running=tuple(running.get(uid_of(cronjob), ())) if cronjob else (),
        last_result=read_run(result),
        last_success=read_run(success),
        restorable=restorable_of(success, proof),
        last_proof=last_proof_of(success, proof),
        verify_schedule=annotations.get(names.VERIFY_SCHEDULE, ""),
        last_verification=last_verification_of(cronjob),
        drill_schedule=annotations.get(names.DRILL_SCHEDULE, ""),
        last_drill=last_drill_of(cronjob),
        failed_drill=failed_drill_of(cronjob),
        storages=known_storages(cronjob),
    )


def _next_run(schedule: str, zone: str, now: datetime, cronjob: Json) -> datetime | None:
    """When the next run is due; None if never, or if the schedule cannot be read."""
    try:
        if schedule.startswith("@every"):
            last = moment_of((cronjob.get("status") or {}).get("lastScheduleTime"))
            after = next_run(schedule, zone, last) if last else None
            return after if after and after > now else None
        return _next_run_after(schedule, zone, now)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        # This machine may lack the time zone.
        return None


@lru_cache(maxsize=4096)
def _next_run_after(schedule: str, zone: str, now: datetime) -> datetime | None:
    """Workloads share schedules."""
    found = next_run(schedule, zone, now)
    return found.astimezone(UTC) if found else None
