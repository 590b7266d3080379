"""Restores that annotations ask for: what a CronJob records of them, and how their Jobs end."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum

from controller.model import names
from controller.model.objects import Json, Objects, annotations_of, created_at
from controller.runs.causes.pod_causes import cause_in_pod, container_end, pods_newest_first
from controller.runs.causes.stopped import why_stopped
from controller.runs.job_status import end_of, ended_at, is_complete
from controller.runs.reasons import shortened
from dumpers.contract.restore.result import RestoreResult
from dumpers.runtime.errors import (
    BootstrappedBeforeError,
    ConfigurationError,
    EncryptionError,
    TargetRefusedError,
)

_FAILED = "Failed"
# Nothing was changed, and somebody has to change something first.
_REFUSALS = frozenset(
    {TargetRefusedError.reason, EncryptionError.reason, ConfigurationError.reason}
)


class Stage(StrEnum):
    """How far a restore has come."""

    WAITING = "waiting"  # its CronJob is held, its Job is yet to be made
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


OPEN = frozenset({Stage.WAITING, Stage.RUNNING})


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRecord:
    """What is known of the last value of an annotation that had a Job.

    `asked` is that value, `at` when the Job was made, or since when it waits, `finished` when it
    ended, in RFC 3339; what is not known is empty. `backup` is the id of the run that was restored,
    `began` when that began. `beside` are the names of what the Job left beside the database;
    `left_out` counts more of them.
    """

    asked: str
    stage: Stage
    job: str = ""
    at: str = ""
    finished: str = ""
    reason: str = ""
    message: str = ""
    backup: str = ""
    began: str = ""
    beside: tuple[str, ...] = field(default=())
    left_out: int = 0

    @property
    def is_open(self) -> bool:
        """Whether its end is yet to come."""
        return self.stage in OPEN

    @property
    def is_refused(self) -> bool:
        """Whether it failed before it changed anything, and a person has to act."""
        return self.stage is Stage.FAILED and self.reason in _REFUSALS and not self.beside

    def to_json(self) -> str:
        """Compact JSON, as the CronJob's annotation holds it; without what is empty."""
        members = {name: value for name, value in asdict(self).items() if value}
        return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


def read_record(cronjob: Json | None, key: str) -> RestoreRecord | None:
    """The record in an annotation of a CronJob; None without one, or where it was edited."""
    text = annotations_of(cronjob or {}).get(key)
    if not text:
        return None
    try:
        members = json.loads(text)
        known = {
            item.name: members[item.name] for item in fields(RestoreRecord) if item.name in members
        }
        known |= {
            "stage": Stage(known["stage"]),
            "beside": tuple(map(str, known.get("beside", ()))),
        }
        known["left_out"] = int(known.get("left_out", 0))
        return RestoreRecord(**known)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def open_jobs(cronjob: Json) -> Iterator[str]:
    """The names of the Jobs whose end a CronJob does not record yet."""
    for key in (names.RESTORE_NOW, names.RESTORE_FORGET, names.BOOTSTRAP):
        record = read_record(cronjob, key)
        if record and record.is_open:
            yield record.job


def followed(record: RestoreRecord, job: Json | None, pods: Objects) -> RestoreRecord:
    """The record of a Job that was made, as it is now; `job` is None where it is gone for certain.

    A Job that was begun and is gone counts as failed: nobody knows what it left.
    """
    if job is None:
        return replace(
            record,
            stage=Stage.FAILED,
            reason="JobGone",
            message="its Job is gone, so nobody knows how it ended, or what it left",
        )
    record = replace(record, stage=Stage.RUNNING, at=created_at(job))
    end = end_of(job)
    if end is None:
        return record
    result = result_of_restore(end, pods)
    return replace(
        record,
        stage=Stage.DONE if is_done(result) else Stage.FAILED,
        finished=ended_at(job, end),
        reason=result.reason,
        message=shortened(result.message),
        backup=result.backup,
        began=result.began,
        # What failed and left a part is dropped by the same names.
        beside=_beside(result) if result.succeeded or result.target_partial else (),
        left_out=result.left_out,
    )


def _beside(result: RestoreResult) -> tuple[str, ...]:
    return tuple(now for was, now in result.restored if now != was)


def is_done(result: RestoreResult) -> bool:
    """Whether what was asked for is there, by this restore or by an earlier one."""
    return result.succeeded or result.reason == BootstrappedBeforeError.reason


def result_of_restore(end: Json, pods: Objects) -> RestoreResult:
    """How a Job ended: by its last pod that says so, else by what Kubernetes shows.

    The reader's word counts: a Job that was failed behind it has restored all the same. Only why
    it was told to stop others know better.
    """
    tries = pods_newest_first(pods)
    for pod in tries:
        try:
            told = RestoreResult.from_json(str((container_end(pod) or {}).get("message", "")))
        except ValueError:
            continue
        if cause := why_stopped(told.reason, pod, end):
            why = "; ".join(filter(None, (cause.message, told.message)))
            return replace(told, reason=str(cause.reason), message=why)
        return told
    if is_complete(end):
        return RestoreResult(succeeded=True, exit_code=0, reason="Succeeded", message="")
    cause = next(filter(None, map(cause_in_pod, tries)), None)
    return RestoreResult(
        succeeded=False,
        exit_code=cause.exit_code if cause else -1,
        reason=str(cause.reason if cause else end.get("reason") or _FAILED),
        message=cause.message if cause else shortened(end.get("message")),
    )
