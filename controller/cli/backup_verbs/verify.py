"""`ksnapshot verify`: reads a backup from its first byte to its last."""

from typing import Any

import click

from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.jobs.chosen_storages import in_chosen, read_option
from controller.client.jobs.one_backup import run_on_backup
from controller.client.terminal.errors import VerbCommand
from controller.client.terminal.output import (
    clock_of,
    duration,
    note,
    output_option,
    size,
)
from controller.manifests.verb_job import VerbJob, build_verb_job
from controller.model.objects import Json
from dumpers.contract.restore.request import LATEST


@click.command(cls=VerbCommand)
@click.argument("workload", shell_complete=complete_workloads)
@click.option("--namespace", "-n", default="", metavar="NS", help="Namespace of the workload.")
@click.option("--backup", default=LATEST, show_default=True, metavar="ID", help="Which backup.")
@read_option
@output_option
@connected
def verify(connection: Connection, **given: Any) -> None:
    """Read a backup of WORKLOAD back from the store, and compare it with its manifest.

    No key is needed: of an encrypted backup what is stored is compared, any other one is
    unpacked to its end, too. The verdict goes into the store beside the backup, and `ksnapshot
    backups` shows it.
    """

    def build(cronjob: Json, wanted: VerbJob) -> Json:
        chosen = in_chosen(cronjob, given["storage"], connection.install.settings)
        return build_verb_job(chosen, wanted)

    what = "the verification of a backup"
    result = run_on_backup(connection, "verify", what, given, build=build)
    if result:
        click.echo(
            f"backup {result.backup} of {clock_of(result.began)} is as it was stored:"
            f" {result.objects} objects, {size(result.stored_bytes)}, read in"
            f" {duration(result.seconds)}"
        )
        if result.message:
            note(result.message)
