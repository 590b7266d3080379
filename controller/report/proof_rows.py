"""The members of a board's row about what proves backups, and what its summary says of them."""

from collections.abc import Iterator
from typing import Any

from controller.model.names import DRILL_SCHEDULE, VERIFY_SCHEDULE
from controller.model.objects import Json, annotations_of
from controller.runs.proving.drills import failed_drill_of, last_drill_of
from controller.runs.proving.verifications import last_verification_of
from controller.runs.restorable import LastProof
from dumpers.contract.drill.result import Outcome

# The members of a row that only workloads have which verify by a schedule, or are drilled.
VERIFICATION = "verification"
DRILL = "drill"
_SUCCEEDED = "succeeded"


def verification_member(cronjob: Json) -> dict[str, Any]:
    """The member about what verifies its backups by a schedule; nothing without one."""
    schedule = annotations_of(cronjob).get(VERIFY_SCHEDULE)
    if schedule is None:
        return {}
    last = last_verification_of(cronjob)
    return {
        VERIFICATION: {
            "schedule": schedule,
            "finished": last.finished if last else "",
            "outcome": last.outcome if last else "",
            "reason": last.reason if last else "",
            "message": last.message if last else "",
            "verified": last.verified if last else 0,
            "damaged": last.damaged if last else 0,
            "oldest_unread": last.oldest_unread if last else "",
            "last_success": last.last_success if last else "",
        }
    }


def drill_member(cronjob: Json) -> dict[str, Any]:
    """The member about its drills; nothing without a schedule and before the first one."""
    schedule = annotations_of(cronjob).get(DRILL_SCHEDULE, "")
    last = last_drill_of(cronjob)
    if last is None and not schedule:
        return {}
    is_problem = last is not None and (last.in_doubt or failed_drill_of(cronjob) is not None)
    return {
        DRILL: {
            "schedule": schedule,
            "finished": last.finished if last else "",
            "outcome": str(last.outcome) if last else "",
            "reason": last.reason if last else "",
            "message": last.message if last else "",
            "backup": last.backup if last else "",
            "tables": last.tables if last else 0,
            "differing": last.differing if last else 0,
            "seconds": last.seconds if last else 0.0,
            "age_seconds": last.age_seconds if last else 0.0,
            "last_success": last.last_success if last else "",
            "in_doubt": last.in_doubt if last else False,
            "doubted": last.doubted if last else "",
            "problem": is_problem,
        }
    }


def proof_member(proof: LastProof | None) -> dict[str, Any] | None:
    """The member about the last proof; None before the first one."""
    if proof is None:
        return None
    return {
        "when": proof.when,
        "good": proof.good,
        "backup": proof.backup,
        "grade": str(proof.grade),
    }


def proof_lines(row: Json) -> Iterator[str]:
    """What a summary says of the proofs of a row."""
    if proof := row.get("last_proof"):
        # An older controller wrote no grade.
        grade = proof.get("grade") or "verified"
        verdict = f"{grade}, good" if proof["good"] else _against(grade)
        which = f", backup {proof['backup']}" if proof["backup"] else ""
        yield f"  last proof: {verdict} {proof['when']}{which}"
    elif row.get("last_success"):
        yield "  last proof: none; the last backup is stored"
    if found := row.get(VERIFICATION):
        yield f"  verified by schedule: {found['schedule']}, {_verified(found)}"
    if found := row.get(DRILL):
        asked = f"by schedule: {found['schedule']}" if found["schedule"] else "when asked for"
        yield f"  drilled {asked}, {_drilled(found)}"
        if found["in_doubt"]:
            which = f"the backup {found['doubted']}" if found["doubted"] else "a backup"
            yield f"  in doubt: {which}, which a drill found not to be what was dumped"


def _against(grade: str) -> str:
    return "DIFFERS" if grade == "drilled" else "DAMAGED"


def _verified(found: Json) -> str:
    """How the last run ended that verifies by schedule."""
    if not found["finished"]:
        return "not yet"
    text = f"{found['outcome']} {found['finished']}"
    if found["outcome"] == _SUCCEEDED:
        remark = f"; {found['message']}" if found["message"] else ""
        return f"{text}, {found['verified']} backups read{remark}"
    return f"{text}, {found['reason']}{_why(found)}"


def _drilled(found: Json) -> str:
    """How the last drill ended."""
    if not found["finished"]:
        return "not yet"
    text = f"{found['outcome']} {found['finished']}"
    if found["outcome"] != Outcome.PASSED:
        return f"{text}, {found['reason']}{_why(found)}"
    took = f" in {found['seconds']:g} s" if found["seconds"] else ""
    tables = f", {found['tables']} tables compared" if found["tables"] else ""
    remark = f"; {found['message']}" if found["message"] else ""
    return f"{text}{took}{tables}{remark}"


def _why(found: Json) -> str:
    return f": {found['message']}" if found["message"] else ""
