"""A run that has ended, as its workload's CronJob records it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from controller.client.cluster.workload_names import Workload
from controller.client.terminal.output import moment_of, utc
from controller.model import names
from controller.model.objects import Json, annotations_of, recorded
from dumpers.contract.result import PARTIAL, PARTIAL_REASON, StorageResult, read_storage

_SUCCEEDED = "succeeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that has ended, as its CronJob records it; None stands for what is not recorded.

    `source_bytes` left the dump tool, `stored_bytes` reached S3, `seconds` is wall time. `notes`
    are codes, `accepted` those that the workload's annotation accepts. `storages` are those that
    the run was to write to; none where `main` is the only one.
    """

    job: str
    finished: datetime | None
    succeeded: bool
    reason: str
    message: str
    exit_code: int | None = None
    seconds: float | None = None
    source_bytes: int | None = None
    stored_bytes: int | None = None
    notes: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    storages: tuple[StorageResult, ...] = ()

    @property
    def lacking(self) -> tuple[StorageResult, ...]:
        """The storages that a good run has left no backup in."""
        return tuple(item for item in self.storages if self.succeeded and not item.stored)

    @property
    def outcome(self) -> str:
        """One word for how it ended."""
        if not self.succeeded:
            return "failed"
        return PARTIAL if self.lacking else _SUCCEEDED

    @property
    def shown_notes(self) -> str:
        """The codes of the notes on its backup, those that the workload accepts said to be so."""
        accepted = [f"{code} (accepted)" for code in self.accepted]
        return ", ".join((*self.notes, *accepted))


def read_run(record: Mapping[str, Any]) -> Run | None:
    """Read a run that a CronJob records; None where it records none that can be read."""
    if not record:
        return None
    try:
        return Run(
            job=str(record.get("job", "")),
            finished=moment_of(record.get("finished")),
            succeeded=record.get("succeeded") is True,
            reason=str(record.get("reason", "")),
            message=str(record.get("message", "")),
            exit_code=_number(record.get("exit_code")),
            seconds=record["seconds"] if _number(record.get("seconds")) else None,
            # A dumper of 0.6.0 leaves no sizes.
            source_bytes=_number(record.get("source_bytes")) or None,
            stored_bytes=_number(record.get("stored_bytes")) or None,
            notes=tuple(map(str, record.get("notes") or ())),
            accepted=tuple(map(str, record.get("accepted") or ())),
            storages=tuple(map(read_storage, record.get("storages") or ())),
        )
    except (ValueError, TypeError):
        return None


def recorded_jobs(cronjob: Json) -> set[str]:
    """Name the Jobs whose ends a CronJob records."""
    runs = (read_run(recorded(cronjob, key)) for key in (names.LAST_RESULT, names.LAST_SUCCESS))
    return {run.job for run in runs if run and run.job}


def run_document(run: Run | None) -> dict[str, Any] | None:
    """The run as JSON, by the schema of docs/command.md."""
    if run is None:
        return None
    return {
        "job": run.job,
        "finished": utc(run.finished),
        "outcome": run.outcome,
        "reason": run.reason,
        "message": run.message,
        "exit_code": run.exit_code,
        "seconds": run.seconds,
        "source_bytes": run.source_bytes,
        "stored_bytes": run.stored_bytes,
        "notes": list(run.notes),
        "accepted": list(run.accepted),
        "storages": [asdict(item) for item in run.storages],
    }


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def history_of(workload: Workload) -> list[Json]:
    """The last runs of a workload, newest first; empty where none that can be read is recorded."""
    text = annotations_of(workload.cronjob or {}).get(names.HISTORY)
    try:
        document = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return []
    runs = document if isinstance(document, list) else []
    return [run for run in runs if isinstance(run, dict)]


def told_history(workload: Workload) -> list[Json]:
    """As `history_of` for people: it counts a partial run as a good one, which they are told."""
    return [_told(run) for run in history_of(workload)]


def _told(run: Json) -> Json:
    is_partial = (run.get("outcome"), run.get("reason")) == (_SUCCEEDED, PARTIAL_REASON)
    return {**run, "outcome": PARTIAL} if is_partial else run
