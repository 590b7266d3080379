"""`ksnapshot verify`: reads a backup from its first byte to its last."""

from typing import Any

import click

from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.jobs.one_backup import run_on_backup
from controller.client.terminal.errors import VerbCommand
from controller.client.terminal.output import (
    clock,
    duration,
    moment_of,
    note,
    output_option,
    size,
)
from dumpers.contract.restore.request import LATEST


@click.command(cls=VerbCommand)
@click.argument("workload", shell_complete=complete_workloads)
@click.option("--namespace", "-n", default="", metavar="NS", help="Namespace of the workload.")
@click.option("--backup", default=LATEST, show_default=True, metavar="ID", help="Which backup.")
@output_option
@connected
def verify(connection: Connection, **given: Any) -> None:
    """Read a backup of WORKLOAD back from the store, and compare it with its manifest.

    No key is needed: of an encrypted backup what is stored is compared, any other one is
    unpacked to its end, too. The verdict goes into the store beside the backup, and `ksnapshot
    backups` shows it.
    """
    result = run_on_backup(connection, "verify", "the verification of a backup", given)
    if result:
        began = clock(moment_of(result.began)) or result.began
        click.echo(
            f"backup {result.backup} of {began} is as it was stored: {result.objects} objects,"
            f" {size(result.stored_bytes)}, read in {duration(result.seconds)}"
        )
        if result.message:
            note(result.message)
