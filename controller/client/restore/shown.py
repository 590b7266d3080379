"""The end of `ksnapshot restore`: follow its Job, and say what came of it."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from controller.client.cluster.connection import Connection
from controller.client.jobs.follow import JobRef
from controller.client.jobs.following import failure_of, follow_on_screen
from controller.client.jobs.progress import Outcome
from controller.client.jobs.results import document_of_end, result_of, words_of_failure
from controller.client.terminal.output import clock_of, duration, note, size, write_document
from controller.manifests.restore_job import CLIENT
from controller.model.names import CONTAINER
from controller.model.objects import Json, name_of
from dumpers.contract.restore.result import RestoreResult

_TABLE = "table"


def finish(connection: Connection, job: Json, workload: str, options: Mapping[str, Any]) -> None:
    """Follow a restore's Job to its end and show its result, as the options of the verb say.

    Raises CommandError with the restore's own exit code where it failed.
    """
    started = {"version": 1, "workload": workload, "job": name_of(job)}
    follow = connection.command_line("logs", "--job", name_of(job), "--follow")
    if options["detach"]:
        if options["output"] != _TABLE:
            write_document(started, options["output"])
            return
        click.echo(f"started {name_of(job)}")
        note(f"follow it: {follow}")
        return
    note(f"started {name_of(job)}")
    ref = JobRef.of(job, containers=(CONTAINER, CLIENT))
    end = follow_on_screen(connection, ref)
    result = result_of(end, RestoreResult.from_json)
    if options["output"] != _TABLE:
        write_document(document_of_end(started, end, result), options["output"])
    if end.outcome is not Outcome.SUCCEEDED:
        what = "the plan of the restore" if options["plan"] else "the restore"
        raise failure_of(ref, end, f"{what} of {workload}", why_of(result))
    if options["output"] == _TABLE and result:
        for line in plan_lines(result) if options["plan"] else outcome_lines(result):
            click.echo(line)
        if result.kept:
            note(f"to take it back: {connection.command_line('restore', workload, '--undo')}")


def plan_lines(result: RestoreResult) -> Iterator[str]:
    """What a restore would do, for a person."""
    yield from _source(result)
    yield f"target   {result.target} ({result.server_version})"
    for number, action in enumerate(result.actions, 1):
        yield f"{number:>3}. {action}"
    yield from _notes(result)
    yield "nothing was changed"


def outcome_lines(result: RestoreResult) -> Iterator[str]:
    """What a restore did, for a person."""
    yield from _source(result)
    yield f"target   {result.target} ({result.server_version}), in {duration(result.seconds)}"
    for was, now in result.restored:
        yield f"restored {was}" + (f" as {now}" if now != was else "")
    for live, kept in result.kept:
        yield f"kept     what {live} held before, as {kept}"
    if result.left_out:
        yield f"         and {result.left_out} more, see {result.record or 'the log'}"
    yield from _notes(result)


def _source(result: RestoreResult) -> Iterator[str]:
    sizes = f"{size(result.stored_bytes)} stored"
    if result.source_bytes:
        sizes += f", {size(result.source_bytes)} unpacked"
    yield f"backup   {result.backup} of {clock_of(result.began)}, {sizes}"


def _notes(result: RestoreResult) -> Iterator[str]:
    for text in result.notes:
        yield f"note:    {text}"


def why_of(result: RestoreResult | None) -> str:
    """Reason and message of a failure, and what it means for the target; empty without one."""
    words = words_of_failure(result)
    if result is None or not words:
        return ""
    partial = "the target may hold a part" if result.target_partial else "the target is as it was"
    return f"{words} ({partial})"
