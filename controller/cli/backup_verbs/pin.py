"""`ksnapshot pin` and `unpin`: which backups are never pruned."""

from typing import Any

import click

from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.jobs.one_backup import run_on_backup
from controller.client.terminal.errors import VerbCommand
from controller.client.terminal.output import clock, moment_of, output_option


@click.command(cls=VerbCommand)
@click.argument("workload", shell_complete=complete_workloads)
@click.argument("backup", metavar="ID")
@click.option("--namespace", "-n", default="", metavar="NS", help="Namespace of the workload.")
@output_option
@connected
def pin(connection: Connection, **given: Any) -> None:
    """Keep a backup of WORKLOAD for good.

    ID is as `ksnapshot backups` shows it, or `latest`.
    """
    result = run_on_backup(connection, "pin", "pinning a backup", given)
    if result:
        began = clock(moment_of(result.began)) or result.began
        click.echo(f"backup {result.backup} of {began} is pinned")


@click.command(cls=VerbCommand)
@click.argument("workload", shell_complete=complete_workloads)
@click.argument("backup", metavar="ID")
@click.option("--namespace", "-n", default="", metavar="NS", help="Namespace of the workload.")
@output_option
@connected
def unpin(connection: Connection, **given: Any) -> None:
    """Let a pinned backup of WORKLOAD be pruned again, when its time comes."""
    result = run_on_backup(connection, "unpin", "unpinning a backup", given)
    if result:
        click.echo(f"backup {result.backup} is no longer pinned")
