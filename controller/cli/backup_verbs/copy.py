"""`ksnapshot copy`: brings a backup of a workload from one storage to another."""

from typing import Any

import click

from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.jobs.one_backup import run_on_backup
from controller.client.terminal.errors import CommandError, Exit, VerbCommand
from controller.client.terminal.output import clock_of, duration, output_option, size
from controller.manifests.storages.copy_job import COPY, build_copy_job, why_not_copied
from controller.manifests.storages.of_cronjob import storages_of
from controller.manifests.verb_job import VerbJob
from controller.model.objects import Json


@click.command(cls=VerbCommand)
@click.argument("workload", shell_complete=complete_workloads)
@click.argument("backup", metavar="ID")
@click.option("--namespace", "-n", default="", metavar="NS", help="Namespace of the workload.")
@click.option(
    "--from",
    "source",
    default="",
    metavar="NAME",
    help="The storage that it is in; without it the workload's first that is not the other one.",
)
@click.option(
    "--to", "target", required=True, metavar="NAME", help="The storage that it is to be in, too."
)
@output_option
@connected
def copy(connection: Connection, **given: Any) -> None:
    """Copy a backup of WORKLOAD to another storage, as it is stored.

    ID is as `ksnapshot backups` shows it, or `latest`. No private key is needed: nothing is
    decrypted. Each object is compared with the backup's manifest before its copy exists. Pins and
    verdicts are not copied.
    """
    settings, target = connection.install.settings, given["target"]

    def build(cronjob: Json, wanted: VerbJob) -> Json:
        source = given["source"] or nearest_other(storages_of(cronjob), target)
        if why := why_not_copied(cronjob, settings, source=source, target=target):
            raise CommandError(why, Exit.REFUSED)
        return build_copy_job(cronjob, wanted, settings, source=source, target=target)

    result = run_on_backup(connection, COPY, "the copy of a backup", given, build=build)
    if not result:
        return
    told = f"backup {result.backup} of {clock_of(result.began)} is in {target}"
    if result.message:
        click.echo(f"{told}: {result.message}")
    else:
        click.echo(
            f"{told}, too: {result.objects} objects, {size(result.stored_bytes)}, copied in"
            f" {duration(result.seconds)}"
        )


def nearest_other(storages: tuple[str, ...], target: str) -> str:
    """The first of a workload's storages that is not `target`; that itself where there is none."""
    return next((name for name in storages if name != target), target)
