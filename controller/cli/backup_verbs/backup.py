"""`ksnapshot backup`: one run now, as the schedule would make it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.cluster.known import read_known
from controller.client.jobs.asked import new_job_name
from controller.client.jobs.follow import JobRef
from controller.client.jobs.following import failure_of, follow_on_screen
from controller.client.jobs.of_workload import (
    cronjob_of,
    describe_job,
    is_a_run,
    jobs_of,
    unfinished,
)
from controller.client.jobs.progress import JobEnd, Outcome
from controller.client.jobs.results import document_of_end, result_of, words_of_failure
from controller.client.terminal.errors import CommandError, Exit, VerbCommand
from controller.client.terminal.output import duration, note, output_option, size, write_document
from controller.kube.client import JOBS
from controller.manifests.run_now_job import build_run_now_job
from controller.manifests.sharing.indexed_job import hostname_suffix
from controller.model import names
from controller.model.objects import Json, annotations_of, name_of
from dumpers.contract.result import DumpResult


@click.command(cls=VerbCommand)
@click.argument("workload", shell_complete=complete_workloads)
@click.option("--namespace", "-n", default="", metavar="NS", help="Namespace of the workload.")
@click.option("--follow", "-f", is_flag=True, help="Show the run until it ends.")
@click.option(
    "--even-if-running", is_flag=True, help="Start it even while another run of it is active."
)
@output_option
@connected
def backup(
    connection: Connection,
    *,
    workload: str,
    namespace: str,
    follow: bool,
    even_if_running: bool,
    output: str,
) -> None:
    """Back WORKLOAD up now, beside its schedule.

    With --follow the exit code is that of the run: 0, or what docs/operations.md says of it.
    """
    known = read_known(connection, with_jobs=True)
    found = known.find(workload, namespace)
    cronjob = cronjob_of(found)
    active = unfinished(jobs_of(cronjob, filter(is_a_run, known.jobs or ())))
    if active and not even_if_running:
        raise CommandError(
            f"{describe_job(active[0], datetime.now(UTC))} is not done yet ({name_of(active[0])}):"
            f" follow it by `{connection.command_line('logs', found.key, '--follow')}`, or add"
            " --even-if-running",
            Exit.REFUSED,
        )
    spare = hostname_suffix(cronjob["spec"]["jobTemplate"]["spec"])
    body = build_run_now_job(cronjob, new_job_name("backup", found.key, spare=spare))
    job = connection.kubectl.create(JOBS, connection.install.namespace, body)
    started = {"version": 1, "workload": found.key, "job": name_of(job)}
    if not follow:
        if output != "table":
            write_document(started, output)
            return
        click.echo(f"started {name_of(job)}")
        note(f"follow it: {connection.command_line('logs', found.key, '--follow')}")
        return
    note(f"started {name_of(job)}")
    ref = JobRef.of(job)
    end = follow_on_screen(connection, ref, expected_bytes=_last_size(cronjob))
    _show(ref, end, found.key, started, output)


def _show(job: JobRef, end: JobEnd, workload: str, started: Mapping[str, Any], output: str) -> None:
    """Show the result; raises CommandError with the run's exit code if there is no backup."""
    result = result_of(end, DumpResult.from_json)
    if output != "table":
        write_document(document_of_end(started, end, result), output)
    if end.outcome is not Outcome.SUCCEEDED:
        raise failure_of(job, end, f"the backup of {workload}", words_of_failure(result))
    if output == "table":
        click.echo(f"{workload} is backed up{_figures(result) if result else ''}")
        for item in result.storages if result else ():
            if not item.stored:
                note(f"not in the storage {item.name}: {item.reason}: {item.message}")
        if result and result.notes:
            note(f"notes on this backup: {', '.join(result.notes)} (docs/operations.md)")


def _figures(result: DumpResult) -> str:
    stored, source = size(result.stored_bytes), size(result.source_bytes)
    return f": {stored} stored of {source} in {duration(result.seconds)}; record {result.record}"


def _last_size(cronjob: Json) -> int | None:
    """The bytes that the last good run read; None where nothing says so."""
    try:
        record = json.loads(annotations_of(cronjob).get(names.LAST_SUCCESS, ""))
        return int(record["source_bytes"]) or None
    except (ValueError, TypeError, KeyError):
        return None
