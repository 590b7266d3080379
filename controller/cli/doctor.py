"""`ksnapshot doctor`: every link from the controller to the store, and the first broken one."""

from typing import Any

import click

from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.diagnosis.links import Finding, examine
from controller.client.terminal.errors import CommandError, Exit, VerbCommand
from controller.client.terminal.output import output_option, write_document


@click.command(cls=VerbCommand)
@click.argument("workload", shell_complete=complete_workloads)
@click.option("--namespace", "-n", default="", metavar="NS", help="Namespace of the workload.")
@output_option
@connected
def doctor(connection: Connection, **given: Any) -> None:
    """Check every link of WORKLOAD's backups, and name the first that is broken.

    A Job tries what a dump does before its first byte; nothing is dumped, and nothing is left in
    the store. The exit code is 1 where a link is broken.
    """
    findings = []
    for finding in examine(connection, given["workload"], given["namespace"]):
        findings.append(finding)
        if given["output"] == "table":
            _show(finding)
        if not finding.good:
            break
    if given["output"] != "table":
        links = [finding.to_document() for finding in findings]
        write_document({"version": 1, "links": links}, given["output"])
    if not findings[-1].good:
        raise CommandError(f"broken: {findings[-1].link}", Exit.FAILED)


def _show(finding: Finding) -> None:
    mark = "ok    " if finding.good else "BROKEN"
    click.echo(f"{mark}  {finding.link:10}  {finding.seen}")
    if not finding.good:
        click.echo(f"        to do: {finding.fix}")
