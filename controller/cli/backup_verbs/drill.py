"""`ksnapshot drill`: restores a backup into a throwaway server, and compares."""

from collections.abc import Iterator
from typing import Any

import click

from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.cluster.known import find
from controller.client.drill.start import start_drill
from controller.client.jobs.chosen_storages import read_option
from controller.client.jobs.follow import JobRef
from controller.client.jobs.following import failure_of, follow_on_screen
from controller.client.jobs.progress import Outcome
from controller.client.jobs.results import document_of_end, result_of, words_of_failure
from controller.client.restore.identity import identity_options
from controller.client.restore.options import OptionError
from controller.client.terminal.errors import CommandError, Exit, VerbCommand
from controller.client.terminal.output import (
    clock_of,
    duration,
    note,
    output_option,
    size,
    write_document,
)
from controller.manifests.reading.drill_pod import CLIENT
from controller.model.names import CONTAINER
from controller.model.objects import Json, name_of
from dumpers.contract.drill.result import DrillResult
from dumpers.contract.drill.result import Outcome as Verdict
from dumpers.contract.restore.request import LATEST


@click.command(cls=VerbCommand)
@click.argument("workload", shell_complete=complete_workloads)
@click.option("--namespace", "-n", default="", metavar="NS", help="Namespace of the workload.")
@click.option("--backup", default=LATEST, show_default=True, metavar="ID", help="Which backup.")
@click.option(
    "--image",
    default="",
    metavar="IMAGE",
    help="The throwaway server's image; by default as drills by schedule have it.",
)
@identity_options("; the operator's by default")
@click.option("--follow", "-f", is_flag=True, help="Show the drill until it ends.")
@read_option
@output_option
@connected
def drill(connection: Connection, **given: Any) -> None:
    """Restore a backup of WORKLOAD into a throwaway server, and compare it with what was dumped.

    The server lives in the Job's own pod, and ends with it; the workload's database is not asked.
    With --follow the exit code is that of the drill.
    """
    if given["identity"] and given["identity_secret"]:
        raise click.UsageError("give --identity or --identity-secret, not both")
    try:
        workload = find(connection, given["workload"], given["namespace"])
        job = start_drill(connection, workload, given)
    except OptionError as error:
        raise CommandError(str(error), Exit.USAGE) from error
    started = {"version": 1, "workload": workload.key, "job": name_of(job)}
    if given["follow"]:
        _follow(connection, job, started, given["output"])
    elif given["output"] != "table":
        write_document(started, given["output"])
    else:
        click.echo(f"started {name_of(job)}")
        follow = connection.command_line("logs", "--job", name_of(job), "--follow")
        note(f"follow it: {follow}")


def _follow(connection: Connection, job: Json, started: dict[str, Any], output: str) -> None:
    """Show a drill until it ends, and what came of it; CommandError unless it passed."""
    note(f"started {name_of(job)}")
    ref = JobRef.of(job, containers=(CONTAINER, CLIENT))
    end = follow_on_screen(connection, ref)
    result = result_of(end, DrillResult.from_json)
    if output != "table":
        write_document(document_of_end(started, end, result), output)
    what = f"the drill of {started['workload']}"
    if end.outcome is not Outcome.SUCCEEDED:
        raise failure_of(ref, end, what, words_of_failure(result))
    if result and result.outcome == Verdict.NOT_DRILLABLE:
        raise CommandError(f"{what} was not possible: {result.message}", Exit.REFUSED)
    if output == "table" and result:
        for line in _lines(result):
            click.echo(line)
        if result.message:
            note(result.message)


def _lines(result: DrillResult) -> Iterator[str]:
    yield (
        f"backup {result.backup} of {clock_of(result.began)} was restored and is what was dumped:"
        f" {result.tables} tables, {size(result.source_bytes)}, in {duration(result.seconds)}"
    )
    stages = (
        ("start of the server", result.start_seconds),
        ("restore", result.restore_seconds),
        ("comparison", result.compare_seconds),
        *([("checks", result.check_seconds)] if result.checks else []),
    )
    yield "took     " + ", ".join(f"{name} {duration(seconds)}" for name, seconds in stages)
    yield f"server   {result.server_version or 'unknown'} ({result.image or 'unknown image'})"
    yield f"data     {duration(result.age_seconds)} old"
    if result.checks:
        yield f"checks   {result.checks} of drill-sql, all true"
    if result.record:
        yield f"record   {result.record}"
