"""A row of `ksnapshot status` as JSON has it; the schema is in docs/command.md."""

from collections.abc import Container
from dataclasses import asdict
from typing import Any

from controller.client.status.past_run import run_document
from controller.client.status.rows import Row
from controller.client.terminal.output import utc
from controller.runs.proving.drills import LastDrill
from controller.runs.proving.verifications import LastVerification
from controller.runs.restorable import LastProof, Restorable


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
        "class": row.backup_class or None,
        "next_run": utc(row.next_run),
        "running": [{"job": item.job, "since": utc(item.since)} for item in row.running],
        "last_success": run_document(row.last_success),
        "last_result": run_document(row.last_result),
        "storages": {
            name: {"last_success": stored.finished or None, "bytes": stored.bytes or None}
            for name, stored in row.storages.items()
        },
        "restorable": _known(row.restorable),
        "last_proof": _known(row.last_proof),
        "verify_schedule": row.verify_schedule or None,
        "last_verification": _known(row.last_verification, unknown=("",)),
        "drill_schedule": row.drill_schedule or None,
        "last_drill": _drill(row.last_drill),
    }


def _drill(last: LastDrill | None) -> dict[str, Any] | None:
    """The last drill; None for what is not known of it."""
    found = _known(last)
    if found is None or last is None or not last.tables:
        return found
    return found | {"differing": last.differing}


def _known(
    found: Restorable | LastProof | LastVerification | LastDrill | None,
    unknown: Container[Any] = ("", 0),
) -> dict[str, Any] | None:
    """Its members, and None for those that are not known."""
    if found is None:
        return None
    return {
        name: None if value in unknown and value is not False else value
        for name, value in asdict(found).items()
    }
