"""`ksnapshot status`: what is backed up, what is not, and why."""

import gc
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.cluster.install import Install
from controller.client.cluster.known import Known, read_known
from controller.client.cluster.unprotected import (
    find_unprotected,
    running_pods,
    watched_namespaces,
)
from controller.client.status.documents import document_of
from controller.client.status.past_run import told_history
from controller.client.status.prune import prune_line
from controller.client.status.rows import Row, make_rows
from controller.client.status.view import write_details, write_list, write_unprotected
from controller.client.terminal.errors import VerbCommand
from controller.client.terminal.output import note, output_option, write_document


@click.command(cls=VerbCommand)
@click.argument("workload", required=False, shell_complete=complete_workloads)
@click.option("--namespace", "-n", default="", metavar="NS", help="Of this namespace only.")
@click.option("--all-namespaces", "-A", is_flag=True, help="Of all namespaces; the default.")
@click.option("--failed", is_flag=True, help="Only those whose last run failed.")
@click.option("--problems", is_flag=True, help="Only those that somebody should look at.")
@click.option(
    "--unprotected", is_flag=True, help="Databases that run and that nothing backs up, instead."
)
@output_option
@connected
def status(
    connection: Connection,
    *,
    workload: str | None,
    namespace: str,
    all_namespaces: bool,
    failed: bool,
    problems: bool,
    unprotected: bool,
    output: str,
) -> None:
    """Show every workload's state, its last backup and its next one.

    WORKLOAD, such as production/database, shows one of them with all that is known.
    """
    if all_namespaces and namespace:
        raise click.UsageError("--namespace and --all-namespaces exclude each other")
    if unprotected and (workload or failed or problems):
        raise click.UsageError("--unprotected goes with --namespace only")
    # A process that ends in a second needs no cycles collected, which would cost a third of it.
    gc.disable()
    if unprotected:
        _show_unprotected(connection, namespace, output)
        return
    known = read_known(connection, with_jobs=True)
    wanted = known.workloads
    if workload:
        wanted = [known.find(workload, namespace)]
    now = datetime.now(UTC)
    rows = [
        row
        for row in make_rows(wanted, known.jobs or (), now, is_state_known=not known.status.fault)
        if namespace in {"", row.workload.namespace}
        and (workload or row.has_failed or not failed)
        and (workload or row.is_problem or not problems)
    ]
    if output != "table":
        document = _document(connection.install, known, rows)
        if workload:
            document["workloads"][0]["history"] = told_history(rows[0].workload)
        write_document(document, output)
        return
    for remark in _remarks(connection.install, known):
        note(remark)
    if workload:
        write_details(rows, now)
    else:
        write_list(rows, now)
        if known.status.prune:
            click.echo(f"\n{prune_line(known.status.prune, now)}")


def _show_unprotected(connection: Connection, namespace: str, output: str) -> None:
    known = read_known(connection)
    watched = watched_namespaces(connection.kubectl, connection.install.settings)
    pods, closed = running_pods(connection.kubectl, namespace, watched)
    if closed:
        note(f"you may not list pods in: {', '.join(closed)}")
    found = find_unprotected(pods, known.workloads, watched)
    if output != "table":
        document = {"version": 1, "unread_namespaces": closed}
        write_document(document | {"unprotected": [item.document() for item in found]}, output)
        return
    for remark in _remarks(connection.install, known):
        note(remark)
    write_unprotected(found)


def _document(install: Install, known: Known, rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "version": 1,
        "controller": install.to_document(),
        "status_known": not known.status.fault,
        "omitted": known.status.omitted,
        "prune": known.status.prune,
        "workloads": [document_of(row) for row in rows],
    }


def _remarks(install: Install, known: Known) -> Iterator[str]:
    """What the reader must know before believing the table."""
    if not install.running:
        yield (
            f"the controller {install.namespace}/{install.name} does not run: states are those"
            " that it last saw; dumps go on"
        )
    if known.status.fault:
        yield known.status.fault
    if known.status.omitted:
        yield f"{known.status.omitted} more workloads without a backup had no room in the status"
