"""`ksnapshot backups`: what there is in the store, as one Job reads it."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.cluster.known import read_known
from controller.client.cluster.workload_names import find_workload
from controller.client.jobs.any_cronjob import any_cronjob
from controller.client.jobs.asked import create_job, new_job_name
from controller.client.jobs.follow import JobRef
from controller.client.jobs.following import failure_of, follow_lines
from controller.client.jobs.of_workload import cronjob_of
from controller.client.jobs.progress import Outcome
from controller.client.jobs.results import result_of, words_of_failure
from controller.client.terminal.errors import CommandError, VerbCommand
from controller.client.terminal.output import (
    Column,
    age,
    clock,
    duration,
    moment_of,
    note,
    output_option,
    seconds_between,
    size,
    write_document,
    write_table,
)
from controller.manifests.verb_job import LIST, VerbJob, build_verb_job, reader_account
from controller.model.objects import Json
from dumpers.contract import names as variables
from dumpers.contract.restore.result import BackupResult

CATALOGUE = "catalogue"
_ALL = "all"
_SECONDS, _KEEP = 900, 600
_COLUMNS = (
    Column(title="ID"),
    Column(title="STARTED"),
    Column(title="AGE", right=True),
    Column(title="STATE"),
    Column(title="WORKLOAD", shrink=True),
    Column(title="CLUSTER", shrink=True),
    Column(title="STORED", right=True),
    Column(title="TOOK", right=True),
    Column(title="PROOF"),
    Column(title="NOTES", shrink=True),
    Column(title="WHY", shrink=True),
)


@click.command(cls=VerbCommand)
@click.argument("workload", required=False, shell_complete=complete_workloads)
@click.option("--namespace", "-n", default="", metavar="NS", help="Namespace of the workload.")
@click.option(
    "--cluster",
    default="",
    metavar="NAME|all",
    help="Backups of another cluster that uses the same bucket, or of all.",
)
@click.option("--id", "wanted", default="", metavar="ID", help="Only this one, in full.")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="Of a workload."
)
@click.option("--before", default="", metavar="CURSOR", help="Go on where a page ended.")
@output_option
@connected
def backups(connection: Connection, **given: Any) -> None:
    """List the backups of WORKLOAD, or of every workload, the newest first.

    The Job that reads the store has its keys; nothing of them reaches this machine.
    """
    known = read_known(connection)
    found = (
        find_workload(given["workload"], given["namespace"], known.workloads)
        if given["workload"]
        else None
    )
    cronjobs = [item.cronjob for item in known.workloads if item.cronjob]
    cronjob = cronjob_of(found) if found else any_cronjob(connection.install, cronjobs)
    key = found.key if found else f"{connection.install.namespace}/{connection.install.name}"
    wanted = VerbJob(
        name=new_job_name(CATALOGUE, key),
        verb=LIST,
        deadline=_SECONDS,
        keep=_KEEP,
        env=_environment(given, of_workload=found is not None),
        account=reader_account(connection.install.settings),
    )
    documents = run_list(connection, build_verb_job(cronjob, wanted), is_page=not given["wanted"])
    runs = [item for item in documents if item[CATALOGUE] == "run"]
    if given["output"] != "table":
        write_document({"version": 1, "backups": runs, "pages": _pages(documents)}, given["output"])
        return
    write_table(_COLUMNS, [_row(run, datetime.now(UTC)) for run in runs])
    for page in _pages(documents):
        if page["next"] and found:
            note(f"older ones: {connection.command_line('backups', key, '--before', page['next'])}")


def run_list(
    connection: Connection, body: Json, *, is_page: bool = True
) -> list[Mapping[str, Any]]:
    """Run a Job that lists, and return its documents; CommandError where it failed.

    What came here in part is an error, too, never a shorter list. `is_page` is false where one run
    is asked for, behind which no `end` follows.
    """
    job = create_job(connection.kubectl, body)
    documents: list[Mapping[str, Any]] = []

    def read(text: str) -> None:
        if document := parse_document(text):
            documents.append(document)

    ref = JobRef.of(job)
    end = follow_lines(connection, ref, read)
    result = result_of(end, BackupResult.from_json)
    if end.outcome is not Outcome.SUCCEEDED:
        raise failure_of(ref, end, "the list of backups", words_of_failure(result))
    if why := why_not_whole(documents, result.objects if result else None, is_page=is_page):
        raise CommandError(
            f"the list did not come here as a whole: {why}; try again, with a smaller --limit if "
            f"it is a long one (the log of the Job {ref.name} was cut)"
        )
    return documents


def why_not_whole(
    documents: Sequence[Mapping[str, Any]], listed: int | None, *, is_page: bool
) -> str:
    """What the documents of a catalogue lack of those that were printed; empty for nothing.

    `listed` is how many runs the Job counted, None where it did not say: then nothing is proven.
    """
    runs = sum(item[CATALOGUE] == "run" for item in documents)
    if listed is None:
        return f"{runs} backups arrived, and the Job did not say how many there are"
    if runs != listed:
        return f"{listed} backups were listed, and {runs} arrived"
    if not is_page:
        return ""
    open_runs = 0
    for item in documents:
        if item[CATALOGUE] == "run":
            open_runs += 1
        elif item[CATALOGUE] == "end":
            if item.get("runs") != open_runs:
                return f"of {item.get('records')} {open_runs} of {item.get('runs')} arrived"
            open_runs = 0
    return f"the end behind the last {open_runs} backups is missing" if open_runs else ""


def parse_document(text: str) -> Mapping[str, Any] | None:
    """A document of the catalogue in a line of a Job's log; None for any other line."""
    try:
        document = json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        return None
    is_ours = isinstance(document, dict) and isinstance(document.get(CATALOGUE), str)
    return document if is_ours else None


def _environment(given: Mapping[str, Any], *, of_workload: bool) -> dict[str, str]:
    cluster = given["cluster"]
    scope = "cronjob" if of_workload and cluster != _ALL else "cluster"
    return {
        variables.LIST_SCOPE: _ALL if cluster == _ALL else scope,
        variables.LIST_LIMIT: str(given["limit"]),
        **({variables.CLUSTER: cluster} if cluster and cluster != _ALL else {}),
        **({variables.LIST_BEFORE: given["before"]} if given["before"] else {}),
        **({variables.BACKUP: given["wanted"]} if given["wanted"] else {}),
    }


def _pages(documents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"records": item["records"], "runs": item["runs"], "next": item["next"]}
        for item in documents
        if item[CATALOGUE] == "end"
    ]


def _row(run: Mapping[str, Any], now: datetime) -> list[str]:
    started, finished = moment_of(run.get("started")), moment_of(run.get("finished"))
    proof = run.get("proof") or {}
    verdict = "" if not proof else ("verified " if proof["good"] else "DAMAGED ")
    state = f"{run.get('state')}{', pinned' if run.get('pinned') else ''}"
    return [
        str(run.get("id", "")),
        clock(started),
        age(started, now),
        state,
        str(run.get("workload", "")),
        str(run.get("cluster", "")),
        size(run.get("stored_bytes") or None),
        duration(seconds_between(started, finished)),
        verdict + age(moment_of(proof.get("when")), now) if proof else "",
        ", ".join(run.get("notes") or ()),
        str(run.get("why") or ""),
    ]
