"""What the page shows of what proves a workload's backups."""

from collections.abc import Iterator

from controller.model.fixes import DOUBT_FIX, drill_fix, verification_fix
from controller.model.objects import Json
from controller.report.page.markup import Html, div, join
from controller.report.page.words import duration, fix, moment, shortened
from controller.report.proof_rows import DRILL, VERIFICATION
from controller.runs.history import FAILED
from controller.runs.restorable import Grade
from dumpers.contract.drill.result import Outcome


def proofs(row: Json) -> Iterator[Html | None]:
    """The last proof of a row, what is wrong with its verifications, and how its drills went."""
    yield _last_proof(row)
    yield _verification(row.get(VERIFICATION))
    yield _drill(row.get(DRILL))


def _last_proof(row: Json) -> Html | None:
    proof = row.get("last_proof")
    if not proof:
        is_stored = bool(row.get("last_success"))
        return div("soft", "stored, and not read since") if is_stored else None
    grade = proof.get("grade") or Grade.VERIFIED
    if proof["good"]:
        return div("good", f"{grade} ", moment(proof["when"]))
    verdict = "found to DIFFER" if grade == Grade.DRILLED else "found DAMAGED"
    return div("bad", f"{verdict} ", moment(proof["when"]))


def _verification(found: Json | None) -> Html | None:
    """What to do about a run that verifies by schedule and failed; a good one is the proof."""
    if not found or found["outcome"] != FAILED:
        return None
    reason = str(found["reason"])
    return join(
        div("bad", "verification failed ", moment(found["finished"])),
        div("", reason, ": " if found["message"] else "", shortened(found["message"])),
        fix(verification_fix(reason)),
    )


def _drill(found: Json | None) -> Html | None:
    """How long the last drill took, or what is wrong with it, and what to do about that."""
    if not found or not found["finished"]:
        return None
    reason, outcome = str(found["reason"]), found["outcome"]
    if outcome == Outcome.PASSED:
        took = f"restored and compared in {duration(found['seconds'])}" if found["seconds"] else ""
        age = f", the data {duration(found['age_seconds'])} old" if found["age_seconds"] else ""
        shown = div("soft", f"{took}{age}") if took else None
        return join(shown, _doubt(found))
    why = div("", reason, ": " if found["message"] else "", shortened(found["message"]))
    if outcome == Outcome.NOT_DRILLABLE:
        headline = div("warn", "not drillable ", moment(found["finished"]))
    else:
        kind = "bad" if found["problem"] else "soft"
        headline = div(kind, "drill failed ", moment(found["finished"]))
    return join(headline, why, fix(drill_fix(reason)), _doubt(found))


def _doubt(found: Json) -> Html | None:
    """Which backup is in doubt; None where there is none, or the last drill says it itself."""
    if not found["in_doubt"]:
        return None
    which = f"the backup {found['doubted']}" if found["doubted"] else "a backup"
    said = div("bad", f"in doubt: {which} did not pass a drill")
    is_said = found["outcome"] == Outcome.FAILED and drill_fix(found["reason"]) == DOUBT_FIX
    return said if is_said else join(said, fix(DOUBT_FIX))
