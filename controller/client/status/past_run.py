"""A run that has ended, as its workload's CronJob records it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controller.client.terminal.output import moment_of, utc


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that has ended, as its CronJob records it; None stands for what is not recorded.

    `source_bytes` left the dump tool, `stored_bytes` reached S3, `seconds` is wall time. `notes`
    are codes, `accepted` those that the workload's annotation accepts.
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
        )
    except (ValueError, TypeError):
        return None


def run_document(run: Run | None) -> dict[str, Any] | None:
    """The run as JSON, by the schema of docs/command.md."""
    if run is None:
        return None
    return {
        "job": run.job,
        "finished": utc(run.finished),
        "outcome": "succeeded" if run.succeeded else "failed",
        "reason": run.reason,
        "message": run.message,
        "exit_code": run.exit_code,
        "seconds": run.seconds,
        "source_bytes": run.source_bytes,
        "stored_bytes": run.stored_bytes,
        "notes": list(run.notes),
        "accepted": list(run.accepted),
    }


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None
