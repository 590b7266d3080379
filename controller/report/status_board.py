"""The state of each workload as rows, for the status ConfigMap and for the boards of tenants.

Nothing in a row changes by time alone, so that a steady pass has nothing to write: `since` stays
until state or reason change, and `next` is the next run as of the row's last other change.
"""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from controller.model.names import (
    CLASS,
    LAST_PROOF,
    LAST_RESULT,
    LAST_SUCCESS,
    type_in,
)
from controller.model.objects import Json, annotations_of, recorded
from controller.model.status import WorkloadStatus
from controller.plan.absence import format_time
from controller.report.proof_rows import drill_member, proof_member, verification_member
from controller.report.status_subjects import RowKey, Rows, Subject, Subjects
from controller.runs.history import history_of, past_run
from controller.runs.restorable import last_proof_of, restorable_of
from controller.runs.results import finished_at
from controller.workloads.timing.run_times import next_run
from dumpers.contract.result import DumpResult

RESTORE_POINTS = 10
_UTC = "Etc/UTC"


def status_rows(subjects: Subjects, old: Rows, now: datetime) -> Rows:
    """Make the rows of the workloads that are not plainly backed up."""
    rows: dict[RowKey, Json] = {}
    for key, subject in subjects.items():
        if subject is None:
            rows[key] = old[key]
        elif not subject.is_calm:
            rows[key] = _row(key, subject, _since(subject.status, old.get(key), now))
    return rows


def board_rows(subjects: Subjects, old: Rows, now: datetime, status: Rows) -> Rows:
    """Make the rows of all workloads, with their runs; `status` are the rows of `status_rows`."""
    rows: dict[RowKey, Json] = {}
    for key, subject in subjects.items():
        before = old.get(key)
        if subject is None:
            rows[key] = old[key]
            continue
        since = (status.get(key) or {}).get("since") or _since(subject.status, before, now)
        row = _row(key, subject, since) | _runs(subject)
        if before is not None and {**before, "next": ""} == row:
            rows[key] = before
        else:
            rows[key] = row | {"next": _next_run(subject, before, row, now)}
    return rows


def _since(status: WorkloadStatus, old: Json | None, now: datetime) -> str:
    """Since when a workload has this state and reason."""
    if old and (old["state"], old["reason"]) == (status.state, status.reason):
        return str(old["since"])
    return format_time(now)


def _row(key: RowKey, subject: Subject, since: str) -> dict[str, Any]:
    workload, kind, cronjob = key
    status = subject.status
    return {
        "workload": workload,
        "kind": kind,
        "type": type_in(cronjob) if cronjob else subject.asked.type,
        "cronjob": cronjob,
        "state": str(status.state),
        "reason": str(status.reason),
        "message": status.message,
        "since": since,
    }


def _runs(subject: Subject) -> dict[str, Any]:
    """The members of a board's row that follow from the CronJob."""
    cronjob = subject.cronjob
    if cronjob is None:
        _, schedule, zone, backup_class = subject.asked
        runs: dict[str, Any] = {"last_success": "", "last_result": None, "restore_points": []}
        runs |= {"restorable": None, "last_proof": None}
        runs |= _class_member(backup_class)
        return {"schedule": schedule, "time_zone": zone, "next": "", **runs}
    spec = cronjob.get("spec") or {}
    success = recorded(cronjob, LAST_SUCCESS)
    proof = recorded(cronjob, LAST_PROOF)
    restorable, proven = restorable_of(success, proof), last_proof_of(success, proof)
    good = [run for run in history_of(cronjob) if run.is_good][:RESTORE_POINTS]
    return {
        "schedule": str(spec.get("schedule") or ""),
        "time_zone": str(spec.get("timeZone") or ""),
        "next": "",
        "last_success": "" if finished_at(success) is None else str(success["finished"]),
        "last_result": _last_result(cronjob),
        "restore_points": [
            {
                "finished": run.finished,
                "backup": run.backup,
                "bytes": run.bytes,
                "notes": list(run.notes),
            }
            for run in good
        ],
        "restorable": asdict(restorable) if restorable else None,
        "last_proof": proof_member(proven),
        **_class_member(annotations_of(cronjob).get(CLASS, "")),
        **verification_member(cronjob),
        **drill_member(cronjob),
    }


def _class_member(name: str) -> dict[str, str]:
    return {"class": name} if name else {}


def _last_result(cronjob: Json) -> Json | None:
    """How the last run ended; None before the first one, and where the record was edited."""
    record = recorded(cronjob, LAST_RESULT)
    if finished_at(record) is None:
        return None
    try:
        result = DumpResult.from_json(json.dumps(record))
    except ValueError:
        return None
    run = past_run(str(record["finished"]), result)
    return {
        "finished": run.finished,
        "outcome": run.told,
        "reason": run.reason,
        "message": result.message,
        "seconds": run.seconds,
        "bytes": run.bytes,
        "notes": list(run.notes),
    }


def _next_run(subject: Subject, before: Json | None, row: Json, now: datetime) -> str:
    """When the next run begins, in UTC; empty where none does, or nobody can say."""
    if subject.cronjob is None or subject.cronjob["spec"].get("suspend") is True:
        return ""
    is_same = before and all(before[name] == row[name] for name in ("schedule", "time_zone"))
    known = str(before["next"]) if before and is_same else ""
    return following_run(known, row["schedule"], row["time_zone"], now)


def following_run(known: str, schedule: str, zone: str, now: datetime) -> str:
    """When the next run of a schedule begins, in UTC; empty where none does, or nobody can say.

    `known` is what was found earlier, empty for nothing, and stays as long as it lies ahead.
    """
    # Finding it costs much for thousands of workloads; what lies ahead is still the next one.
    if known > format_time(now):
        return known
    try:
        following = next_run(schedule, zone or _UTC, now)
    except (ValueError, TypeError, KeyError):
        return ""
    return format_time(following) if following else ""
