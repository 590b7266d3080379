"""What a workload's people are told of what proves its backups: verifications, and drills; pure."""

from collections.abc import Iterator

from controller.model.fixes import drill_fix, verification_fix
from controller.model.objects import Json
from controller.report.events.notice import Notice, make_notice
from controller.runs.proving.drills import LastDrill, failed_drill_of, last_drill_of
from controller.runs.proving.verifications import last_verification_of


def proof_notices(cronjob: Json) -> Iterator[tuple[str, Notice]]:
    """Yield what there is to tell of a dump CronJob's proofs, each with its topic."""
    if seen := _verification_notice(cronjob):
        yield "verification", seen
    if drilled := _drill_notice(cronjob):
        yield "drill", drilled
    if doubt := _doubt_notice(cronjob):
        yield "doubt", doubt


def _verification_notice(cronjob: Json) -> Notice | None:
    """How the last run that verifies by schedule ended; None before the first one."""
    last = last_verification_of(cronjob)
    if last is None:
        return None
    if last.succeeded:
        what = f"{last.verified} backups were read back and are good" if last.verified else ""
        said = "; ".join(filter(None, (what, last.message))) or "there was nothing to read"
        return make_notice(
            "BackupsVerified", f"the run that ended {last.finished}: {said}", of=last.job
        )
    message = f"the verification that ended {last.finished} failed: {last.reason}: {last.message}"
    return make_notice(
        "BackupsDamaged" if last.found_damage else "VerificationFailed",
        f"{message}{_to_do(verification_fix(last.reason))}",
        is_warning=True,
        of=last.job,
    )


def _drill_notice(cronjob: Json) -> Notice | None:
    """How the last drill ended; None before the first one, and where that is nobody's concern."""
    last = last_drill_of(cronjob)
    if last is None:
        return None
    if last.succeeded:
        return make_notice("BackupDrilled", _passed(last), of=last.job)
    fix = _to_do(drill_fix(last.reason))
    if last.is_impossible:
        message = f"the drill that ended {last.finished} was not possible: {last.message}{fix}"
        return make_notice("BackupNotDrillable", message, of=last.job)
    if failed_drill_of(cronjob) is None:
        return None
    message = f"the drill that ended {last.finished} failed: {last.reason}: {last.message}{fix}"
    reason = "BackupInDoubt" if last.is_against else "DrillFailed"
    return make_notice(reason, message, is_warning=True, of=last.job)


def _doubt_notice(cronjob: Json) -> Notice | None:
    """Which backup an earlier drill spoke against, and none has cleared since; None without one."""
    last = last_drill_of(cronjob)
    if last is None or not last.in_doubt or last.is_against:
        return None
    which = f"the backup {last.doubted}" if last.doubted else "a backup"
    message = f"{which} did not pass a drill before the last one, and no drill"
    fix = _to_do("drill it once more, or see its record")
    return make_notice(
        "BackupInDoubt", f"{message} has passed since of it or of a newer one{fix}", is_warning=True
    )


def _passed(last: LastDrill) -> str:
    which = f"the backup {last.backup} " if last.backup else "a backup "
    took = f" in {last.seconds:g} s" if last.seconds else ""
    tables = f", {last.tables} tables compared" if last.tables else ""
    remark = f"; {last.message}" if last.message else ""
    ended = f"the drill that ended {last.finished} is good: "
    return f"{ended}{which}was restored{took} and holds what was dumped{tables}{remark}"


def _to_do(fix: str) -> str:
    return f". To do: {fix}" if fix else ""
