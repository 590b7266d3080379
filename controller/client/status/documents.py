"""A row of `ksnapshot status` as JSON has it; the schema is in docs/command.md."""

from collections.abc import Container
from dataclasses import asdict
from typing import Any

from controller.client.status.past_run import run_document
from controller.client.status.rows import Row
from controller.client.terminal.output import utc
from controller.runs.restorable import LastProof, Restorable
from controller.runs.verifications import LastVerification


def document_of(row: Row) -> dict[str, Any]:
    """The row as JSON, by the schema of docs/command.md, without the history."""
    workload = row.workload
    return {
        "workload": workload.key,
        "namespace": workload.namespace,
        "name": workload.name,
        "kind": workload.kind,
        "type": workload.type,
        "cronjob": workload.cronjob_name,
        "state": row.state or None,
        "reason": row.reason or None,
        "message": row.message,
        "fix": row.fix,
        "since": row.since or None,
        "problem": row.is_problem,
        "suspended": row.suspended,
        "schedule": row.schedule or None,
        "asked_schedule": row.asked_schedule or row.schedule or None,
        "time_zone": row.zone or None,
        "next_run": utc(row.next_run),
        "running": [{"job": item.job, "since": utc(item.since)} for item in row.running],
        "last_success": run_document(row.last_success),
        "last_result": run_document(row.last_result),
        "restorable": _known(row.restorable),
        "last_proof": _known(row.last_proof),
        "verify_schedule": row.verify_schedule or None,
        "last_verification": _known(row.last_verification, unknown=("",)),
    }


def _known(
    found: Restorable | LastProof | LastVerification | None, unknown: Container[Any] = ("", 0)
) -> dict[str, Any] | None:
    """Its members, and None for those that are not known."""
    if found is None:
        return None
    return {
        name: None if value in unknown and value is not False else value
        for name, value in asdict(found).items()
    }
