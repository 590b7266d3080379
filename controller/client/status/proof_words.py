"""What `ksnapshot status` says to people of what proves a workload's backups."""

from collections.abc import Iterator
from datetime import datetime

from controller.client.status.rows import Row
from controller.client.terminal.output import age, clock, duration, moment_of


def proof_cell(row: Row, now: datetime) -> str:
    """How and when a backup was proven last: drilled, verified, or as yet only stored."""
    if proof := row.last_proof:
        return f"{proof.verdict} {age(moment_of(proof.when), now)}"
    return f"stored {age(row.last_success.finished, now)}" if row.last_success else ""


def bad_proofs(row: Row) -> Iterator[str]:
    """What speaks against its backups, or keeps them from being proven."""
    if row.is_damaged and row.last_proof:
        proof = row.last_proof
        yield f"{_backup(proof.backup)} was found damaged at {proof.when}"
    if row.is_unverified and row.last_verification:
        seen = row.last_verification
        yield f"the last verification failed ({seen.reason}): {seen.message}"
    if row.is_in_doubt and row.last_drill:
        yield f"{_backup(row.last_drill.doubted)} did not pass a drill"
    if row.failed_drill:
        yield f"the last drill failed ({row.failed_drill.reason}): {row.failed_drill.message}"


def proof_details(row: Row, now: datetime) -> Iterator[tuple[str, str]]:
    """All that is known of what proves its backups, each with its name."""
    if proof := row.last_proof:
        yield "last proof", f"{proof_cell(row, now)}: backup {proof.backup or 'not named'}"
    if row.verify_schedule:
        yield "verification", f"{row.verify_schedule} ({row.zone}), {_verification(row, now)}"
    if row.drill_schedule:
        yield "drills", f"{row.drill_schedule} ({row.zone}), {_drill(row, now)}"
    elif row.last_drill:
        yield "drills", f"by no schedule, {_drill(row, now)}"
    if row.last_drill and row.last_drill.succeeded:
        yield "", _measured(row)


def moment_and_age(moment: datetime | None, now: datetime) -> str:
    """A moment, and how long ago that was."""
    return f"{clock(moment)} ({age(moment, now)})" if moment else "at an unknown time"


def _verification(row: Row, now: datetime) -> str:
    """How the last run ended that verifies by schedule."""
    last = row.last_verification
    if last is None:
        return "not yet"
    when = moment_and_age(moment_of(last.finished), now)
    if last.succeeded:
        remark = f"; {last.message}" if last.message else ""
        return f"succeeded {when}: {last.verified} backups read{remark}"
    return f"failed {when}: {last.reason}: {last.message}"


def _drill(row: Row, now: datetime) -> str:
    """How the last drill ended."""
    last = row.last_drill
    if last is None:
        return "not yet"
    text = f"{last.outcome} {moment_and_age(moment_of(last.finished), now)}: "
    if not last.succeeded:
        return f"{text}{last.reason}: {last.message}"
    tables = f", {last.tables} tables compared" if last.tables else ""
    checks = f", {last.checks} checks" if last.checks else ""
    remark = f"; {last.message}" if last.message else ""
    return f"{text}backup {last.backup or 'not named'}{tables}{checks}{remark}"


def _measured(row: Row) -> str:
    """How long the last drill took, and how old the data was; empty where it did not say."""
    last = row.last_drill
    if last is None:
        return ""
    stages = {
        "server started": last.start_seconds,
        "restored": last.restore_seconds,
        "compared": last.compare_seconds,
        "checked": last.check_seconds,
    }
    shown = [f"{what} in {duration(seconds)}" for what, seconds in stages.items() if seconds]
    if last.seconds:
        shown.append(f"{duration(last.seconds)} in all")
    if last.age_seconds:
        shown.append(f"the data was {duration(last.age_seconds)} old")
    return ", ".join(shown)


def _backup(id_: str) -> str:
    return f"the backup {id_}" if id_ else "a backup"
