"""`ksnapshot prune`: judges every backup by its policy, and deletes what is not to be kept."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from controller.client.cluster.connection import Connection, connected
from controller.client.cluster.known import read_known
from controller.client.jobs.any_cronjob import any_cronjob
from controller.client.jobs.chosen_storages import to_prune
from controller.client.retention.job import PRUNE, job_that_deletes, words_of
from controller.client.retention.rights import check_may_delete
from controller.client.retention.shown import (
    note_workloads,
    prune_line,
    write_sweeps,
    write_verdicts,
)
from controller.client.retention.told import Documents, check_whole, run_told
from controller.client.terminal.errors import CommandError, VerbCommand
from controller.client.terminal.output import note, output_option, write_document
from dumpers.contract import names as variables
from dumpers.contract.retention.result import PruneResult

_VERDICT, _SWEEP, _WORKLOAD = "verdict", "sweep", "workload"
_OF_A_VERDICT = {PRUNE}


@click.command(cls=VerbCommand)
@click.argument("workload", required=False, default="")
@click.option("--namespace", "-n", default="", metavar="NS", help="Show this namespace only.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@click.option("--storage", default="", metavar="NAME", help="Judge this storage, and not main.")
@output_option
@connected
def prune(connection: Connection, **given: Any) -> None:
    """Judge all backups by their policies, and delete what is not to be kept.

    Every verdict is shown. It is what the chart's CronJob does. WORKLOAD and --namespace choose
    what is shown: all of the cluster is judged, also what no workload has any more.
    """
    check_may_delete(connection)
    known, install = read_known(connection), connection.install
    cronjob = any_cronjob(install, known.cronjobs)
    cronjob = to_prune(cronjob, given["storage"], install.settings)
    env = {
        variables.RETENTION_FLOOR: install.settings.retention_floor,
        variables.DRY_RUN: words_of(yes=given["dry_run"]),
    }
    key = f"{install.namespace}/{install.name}"
    told = run_told(
        connection,
        job_that_deletes(connection, cronjob, PRUNE, key, env),
        PRUNE,
        PruneResult.from_json,
    )
    verdicts = _chosen(told.documents, _VERDICT, given)
    sweeps = _chosen(told.documents, _SWEEP, given)
    workloads = _chosen(told.documents, _WORKLOAD, given)
    result = told.result
    if given["output"] == "table":
        now = datetime.now(UTC)
        write_verdicts(verdicts, now)
        write_sweeps(sweeps, now)
        note_workloads(workloads)
        if result:
            click.echo(prune_line(result))
    else:
        document = {
            "version": 1,
            "job": told.job.name,
            "dry_run": given["dry_run"],
            "succeeded": told.has_succeeded,
            "verdicts": verdicts,
            "sweeps": sweeps,
            "workloads": workloads,
            "totals": next(iter(_of_kind(told.documents, "end")), None),
        }
        write_document(document, given["output"])
    told.check("the prune")
    counted = result.kept + result.deleted if result else None
    try:
        # Runs that left no backup are shown, and not counted.
        shown = [item for item in told.documents if _is_counted(item)]
        check_whole(shown, PRUNE, _VERDICT, counted)
    except CommandError as error:
        if given["dry_run"]:
            raise
        # What was to be done is done; only the list of it is not whole.
        note(f"all is done, but {error.format_message()}")


def _is_counted(document: Mapping[str, Any]) -> bool:
    return document[PRUNE] != _VERDICT or document.get("restorable") is True


def _of_kind(documents: Documents, kind: str) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in item.items() if name not in _OF_A_VERDICT}
        for item in documents
        if item[PRUNE] == kind
    ]


def _chosen(documents: Documents, kind: str, given: Any) -> list[dict[str, Any]]:
    """The documents of a kind about the workloads that are to be shown."""
    text, namespace = given["workload"], given["namespace"]
    found = []
    for item in _of_kind(documents, kind):
        key = str(item.get("workload") or "")
        space, _, name = key.partition("/")
        is_named = not text or text in {key, name, item.get("cronjob")}
        if is_named and (not namespace or space == namespace):
            found.append(item)
    return found
