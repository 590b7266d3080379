"""What a drill leaves: a result, and a record beside the backup where there is a verdict on it."""

from dataclasses import dataclass, replace
from datetime import datetime

from dumpers.contract.drill.jobs import DrillJob
from dumpers.contract.drill.result import DrillResult, Outcome
from dumpers.repository.added_records import Drill, DrilledCheck, DrilledTable
from dumpers.repository.catalogue import Entry, rfc3339
from dumpers.repository.keys import MANIFEST, drill_name
from dumpers.repository.record_json import read_record
from dumpers.repository.records import Manifest
from dumpers.runs.drill.result import result_of
from dumpers.runs.restore.exchange.messages import Rehearsal, Verdict, failed_verdict
from dumpers.runs.restore.last_record import record_at_end
from dumpers.runs.verify.verdict_time import verdict_time
from dumpers.runtime.errors import (
    DRILL_VERDICTS,
    KsnapshotError,
    StorageFailedError,
)
from dumpers.storage.run_storage import RunStorage

_LAST_SECONDS = 3.0
_UNRECORDED = (
    "no record of this drill lies beside the backup: the keys of this job may only read, or the "
    "store did not take it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """The backup that a drill is about."""

    job: DrillJob
    storage: RunStorage
    entry: Entry
    manifest: Manifest
    started: datetime

    def age(self, moment: datetime) -> float:
        """How old the data is at a moment, in seconds."""
        return round((moment - self.entry.started).total_seconds(), 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The verdict that counts, and the key of its record; empty where there is none."""

    verdict: Verdict
    key: str = ""


def record(drilled: Drilled, verdict: Verdict, *, finished: datetime, source_bytes: int) -> Kept:
    """Record a verdict on the backup beside it; any other failure is not recorded.

    A backup that was removed meanwhile gets no record, and no verdict.
    """
    if not (verdict.succeeded or verdict.reason in DRILL_VERDICTS):
        return Kept(verdict=verdict)
    if not _is_there(drilled):
        gone = StorageFailedError(
            "the backup was removed or changed while it was drilled, or its manifest could not be "
            "read again: what was found says nothing of it"
        )
        return Kept(verdict=failed_verdict(gone))
    finished = verdict_time(drilled.entry.drill, finished, good=verdict.succeeded)
    found = _make(drilled, verdict, finished=finished, source_bytes=source_bytes)
    key = f"{drilled.entry.record}{drill_name(finished, good=found.good)}"
    unrecorded = "the drill is not recorded beside the backup"
    if record_at_end(drilled.storage, key, found, unrecorded=unrecorded):
        return Kept(verdict=verdict, key=key)
    return Kept(verdict=verdict)


def make_result(
    drilled: Drilled | None,
    verdict: Verdict,
    *,
    finished: datetime,
    seconds: float,
    read: int = 0,
    key: str = "",
) -> DrillResult:
    """The result of a drill; `drilled` is None where there is no backup."""
    result = replace(
        result_of(verdict),
        finished=rfc3339(finished),
        source_bytes=read,
        seconds=seconds,
        record=key,
    )
    if result.outcome is Outcome.PASSED and not key:
        result = replace(result, message=verdict.message or _UNRECORDED)
    if drilled is None:
        return result
    return replace(
        result,
        backup=drilled.entry.id,
        began=rfc3339(drilled.entry.started),
        engine=drilled.manifest.begun.engine,
        image=drilled.job.image,
        age_seconds=drilled.age(finished),
    )


def _make(drilled: Drilled, verdict: Verdict, *, finished: datetime, source_bytes: int) -> Drill:
    found, job = verdict.rehearsal or Rehearsal(), drilled.job
    tables = tuple(
        DrilledTable(name=item.name, rows=item.rows, good=item.good, why=item.why)
        for item in found.tables
    )
    checks = tuple(
        DrilledCheck(number=item.number, good=item.good, seconds=item.seconds, why=item.why)
        for item in found.checks
    )
    faults = found.faults
    if not verdict.succeeded and not faults and all(table.good for table in tables):
        # Checks do not hold, or it did not come as far as a comparison.
        faults = (verdict.message,)
    return Drill(
        run=drilled.entry.id,
        started=drilled.started,
        finished=finished,
        by=job.requested_by,
        engine=drilled.manifest.begun.engine,
        server_version=found.server_version,
        image=job.image,
        reason=verdict.reason,
        message=verdict.message,
        method=found.method,
        tables=tables,
        faults=faults,
        unproved=found.unproved,
        source_bytes=source_bytes,
        age_seconds=drilled.age(finished),
        start_seconds=found.start_seconds,
        restore_seconds=found.restore_seconds,
        compare_seconds=found.compare_seconds,
        checks=checks,
        check_seconds=found.check_seconds,
    )


def _is_there(drilled: Drilled) -> bool:
    """Whether the backup still has the manifest by which it was drilled."""
    storage, key = drilled.storage, f"{drilled.entry.record}{MANIFEST}"
    try:
        body = storage.call_at_end(lambda: storage.bucket.get(key), last_seconds=_LAST_SECONDS)
    except (KsnapshotError, TimeoutError):
        return False
    return read_record(body) == drilled.manifest
