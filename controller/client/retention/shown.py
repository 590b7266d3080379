"""Verdicts about backups as tables for people."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from controller.client.retention.told import Documents
from controller.client.terminal.output import Column, age, clock, moment_of, note, size, write_table
from dumpers.contract.retention.result import DeleteResult, PruneResult

_VERDICTS = (
    Column(title="WORKLOAD", shrink=True),
    Column(title="ID"),
    Column(title="STARTED"),
    Column(title="AGE", right=True),
    Column(title="STORED", right=True),
    Column(title="VERDICT"),
    Column(title="WHY", shrink=True),
)
_DELETIONS = (*_VERDICTS[:5], Column(title="GOES"), Column(title="WHY", shrink=True))
_SWEEPS = (
    *_VERDICTS[:4],
    Column(title="CRASHED RUN LEFT", right=True),
    Column(title="OBJECTS", right=True),
    Column(title="OPEN UPLOADS", right=True),
)
_LEFT = (
    Column(title="STAYS IN THE BUCKET", shrink=True),
    Column(title="UNTIL"),
    Column(title="WHY", shrink=True),
)


def write_verdicts(verdicts: Documents, now: datetime) -> None:
    """Write one row for each backup that prune judged."""
    rows = [
        [
            *_backup(item, now),
            f"{'keep' if item.get('keep') else 'delete'}{', shrunk' if item.get('shrunk') else ''}",
            "; ".join(map(str, item.get("reasons") or ())),
        ]
        for item in verdicts
    ]
    write_table(_VERDICTS, rows)


def write_sweeps(sweeps: Documents, now: datetime) -> None:
    """Write one row for each crashed run that is cleared away; nothing without any."""
    if not sweeps:
        return
    rows = [
        [
            *_backup(item, now)[:4],
            size(item.get("bytes") or None),
            str(item.get("objects", "")),
            str(item.get("uploads", "")),
        ]
        for item in sweeps
    ]
    write_table(_SWEEPS, rows)


def write_deletions(backups: Documents, now: datetime) -> None:
    """Write one row for each backup that somebody wants deleted; nothing without any."""
    if not backups:
        return
    rows = [
        [*_backup(item, now), "yes" if item.get("deleted") else "no", str(item.get("why") or "")]
        for item in backups
    ]
    write_table(_DELETIONS, rows)


def write_left(left: Documents) -> None:
    """Write what stays in the bucket although its backup goes; nothing where all of it goes."""
    if left:
        write_table(
            _LEFT,
            [[str(item.get(name) or "") for name in ("key", "until", "why")] for item in left],
        )


def note_workloads(workloads: Documents) -> None:
    """Tell on stderr of each workload what somebody should look at."""
    for item in workloads:
        name = item.get("workload") or item.get("cronjob")
        if fault := item.get("fault"):
            note(f"{name}: not judged: {fault}")
        if held := item.get("held_back"):
            note(f"{name}: {held} backups are held back: no newer, proved one covers them")
        if shrunk := item.get("shrunk"):
            note(
                f"{name}: {shrunk} backups are much smaller than the ones before, and cover nothing"
                " until `ksnapshot accept` says that this is right"
            )


def prune_line(result: PruneResult) -> str:
    """What a prune came to."""
    would = "would be " if result.dry_run else ""
    swept = f", {result.swept} crashed runs {would}cleared away" if result.swept else ""
    return (
        f"{result.workloads} workloads: {result.kept} backups kept, {result.deleted} {would}deleted"
        f" ({size(result.freed_bytes)}){swept}"
    )


def delete_line(result: DeleteResult, key: str) -> str:
    """What a deletion came to."""
    left = f"; {result.left} things stay" if result.left else ""
    return f"{key}: {result.deleted} backups deleted, {size(result.freed_bytes)} freed{left}"


def _backup(item: Mapping[str, Any], now: datetime) -> list[str]:
    started = moment_of(item.get("started"))
    return [
        str(item.get("workload") or item.get("cronjob") or ""),
        str(item.get("id", "")),
        clock(started),
        age(started, now),
        size(item.get("stored_bytes") or None),
    ]
