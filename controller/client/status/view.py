"""`ksnapshot status` for people: a table of all workloads, or all about one."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import click

from controller.client.cluster.unprotected import Unprotected
from controller.client.status.past_run import told_history
from controller.client.status.proof_words import (
    bad_proofs,
    moment_and_age,
    proof_cell,
    proof_details,
)
from controller.client.status.rows import Row
from controller.client.terminal.output import (
    ABSENT,
    Column,
    age,
    clock,
    duration,
    moment_of,
    note,
    size,
    strong,
    write_table,
)
from controller.model.objects import Json
from controller.model.status import Reason

_COLUMNS = (
    Column(title="WORKLOAD", shrink=True),
    Column(title="TYPE"),
    Column(title="STATE", shrink=True),
    Column(title="LAST RUN", shrink=True),
    Column(title="LAST SUCCESS"),
    Column(title="SIZE", right=True),
    Column(title="TOOK", right=True),
    Column(title="NEXT RUN"),
    Column(title="OLDEST"),
    Column(title="PROOF"),
    Column(title="NOTES", shrink=True),
)
_UNPROTECTED = (
    Column(title="WORKLOAD", shrink=True),
    Column(title="KIND"),
    Column(title="TYPE"),
    Column(title="IMAGE", shrink=True),
    Column(title="PODS", right=True),
    Column(title="WHY", shrink=True),
)
# More than these would hide the table.
_MAX_TROUBLED = 20
_HISTORY = (
    Column(title="FINISHED"),
    Column(title="OUTCOME"),
    Column(title="REASON", shrink=True),
    Column(title="SIZE", right=True),
    Column(title="TOOK", right=True),
)


def write_list(rows: Sequence[Row], now: datetime) -> None:
    """Write a table of workloads, then what is wrong with each of those that are not well."""
    if not rows:
        note("no workload is shown: none is annotated, or none fits")
        return
    write_table(_COLUMNS, [_cells(row, now) for row in rows])
    troubled = [row for row in rows if row.is_problem]
    if not troubled:
        return
    click.echo()
    for row in troubled[:_MAX_TROUBLED]:
        click.echo(f"{strong(row.workload.key)}: {_why(row)}")
        if row.fix:
            click.echo(f"  to do: {row.fix}")
    if (more := len(troubled) - _MAX_TROUBLED) > 0:
        click.echo(f"and {more} more: name one of them, or take --output json")


def write_unprotected(found: Sequence[Unprotected]) -> None:
    """Write a table of databases that nothing backs up."""
    if not found:
        note("no running database is known that nothing backs up")
        return
    write_table(
        _UNPROTECTED,
        [
            (
                f"{item.namespace}/{item.owner.name}",
                item.owner.kind,
                item.type,
                item.image,
                str(item.pods),
                f"{item.reason}: {item.message}",
            )
            for item in found
        ],
    )


def _cells(row: Row, now: datetime) -> tuple[str, ...]:
    good = row.last_success
    return (
        row.workload.key,
        row.workload.type,
        _state(row),
        _last_run(row, now),
        age(good.finished, now) if good else "",
        size(good.stored_bytes) if good else "",
        duration(good.seconds) if good else "",
        age(row.next_run, now),
        age(moment_of(row.restorable.oldest), now) if row.restorable else "",
        proof_cell(row, now),
        ", ".join(good.notes) if good else "",
    )


def _state(row: Row) -> str:
    if row.reason in {"", Reason.ANNOTATED}:
        return row.state
    return f"{row.state}: {row.reason}"


def _last_run(row: Row, now: datetime) -> str:
    if row.running:
        since = row.running[0].since
        return f"runs since {duration((now - since).total_seconds())}" if since else "runs"
    last = row.last_result
    if last is None:
        return ""
    how = last.outcome if last.succeeded else f"failed: {last.reason}"
    return f"{how} {age(last.finished, now)}"


def _why(row: Row) -> str:
    """Why somebody should look at it, in one line."""
    parts = []
    if row.reason not in {"", Reason.ANNOTATED, Reason.SUSPENDED}:
        parts.append(f"{row.state} ({row.reason})" + (f": {row.message}" if row.message else ""))
    if row.has_failed and row.last_result:
        last = row.last_result
        parts.append(f"the last run failed ({last.reason}): {last.message}")
    parts += [
        f"the last backup is not in the storage {item.name} ({item.reason}): {item.message}"
        for item in row.lacking
    ]
    parts += bad_proofs(row)
    return "; ".join(parts)


def write_details(rows: Sequence[Row], now: datetime) -> None:
    """Write all that is known of some workloads, with their last runs."""
    for row in rows:
        for name, text in _details(row, now):
            if text:
                click.echo(f"{name + ':':14}{text}")
        if history := told_history(row.workload):
            click.echo()
            write_table(_HISTORY, [_past(run) for run in history])


def _details(row: Row, now: datetime) -> Iterator[tuple[str, str]]:
    workload, last, good = row.workload, row.last_result, row.last_success
    yield "workload", f"{workload.key} ({workload.kind or 'kind not recorded'})"
    yield "type", workload.type
    yield "state", f"{_state(row)}{f' since {row.since}' if row.since else ''}"
    yield "why", row.message
    yield "CronJob", workload.cronjob_name or "none"
    yield "class", row.backup_class
    asked = f", for {row.asked_schedule}" if row.asked_schedule else ""
    yield "schedule", f"{row.schedule} ({row.zone}){asked}" if row.schedule else ""
    due = f"{clock(row.next_run)} ({age(row.next_run, now)})" if row.next_run else "none"
    yield "next run", due
    for running in row.running:
        yield "running", f"{running.job} since {clock(running.since)}"
    if last:
        yield (
            "last run",
            f"{last.job}: {last.outcome} {moment_and_age(last.finished, now)}",
        )
        yield "", "" if last.succeeded else f"{last.reason}: {last.message}"
        for item in last.lacking:
            yield "", f"not in the storage {item.name}: {item.reason}: {item.message}"
    if good:
        yield "last success", f"{good.job}: {moment_and_age(good.finished, now)}"
        yield "size", f"{size(good.stored_bytes)} stored, {size(good.source_bytes)} dumped"
        yield "took", duration(good.seconds)
        yield "notes", good.shown_notes
    else:
        yield "last success", "none"
    for name, stored in row.storages.items():
        when = moment_and_age(moment_of(stored.finished), now) if stored.finished else "none"
        yield f"in {name}", f"last backup: {when}"
    if found := row.restorable:
        oldest = f"{clock(moment_of(found.oldest))} to " if found.oldest else "up to "
        count = f", {found.backups} backups" if found.backups else ""
        as_of = age(moment_of(found.as_of), now)
        yield "restorable", f"{oldest}{clock(moment_of(found.newest))}{count} (as of {as_of})"
    yield from proof_details(row, now)
    yield "to do", row.fix


def _past(run: Json) -> tuple[str, ...]:
    return (
        clock(moment_of(run.get("finished"))),
        str(run.get("outcome", ABSENT)),
        str(run.get("reason", ABSENT)),
        size(run.get("bytes")),
        duration(run.get("seconds")),
    )
