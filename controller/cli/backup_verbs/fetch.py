"""`ksnapshot fetch`: a backup on this machine, decrypted here."""

import sys
from pathlib import Path
from typing import Any

import click

from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.cluster.known import find
from controller.client.fetch.asking import Asking
from controller.client.fetch.names import label_of
from controller.client.fetch.run import fetch_backup, open_source
from controller.client.fetch.wanted import read_wanted
from controller.client.jobs.chosen_storages import in_chosen, read_option
from controller.client.jobs.of_workload import cronjob_of
from controller.client.keys.age_tool import find_age
from controller.client.restore.options import OptionError
from controller.client.terminal.errors import CommandError, Exit, VerbCommand, failed
from controller.client.terminal.output import Column, size, write_table
from dumpers.contract.fetch.offer import Offer
from dumpers.runtime.errors import KsnapshotError

_COLUMNS = (
    Column(title="OBJECT", shrink=True),
    Column(title="SIZE", right=True),
    Column(title="STORED", right=True),
    Column(title="SHA256 AS STORED", shrink=True),
)


@click.command(cls=VerbCommand)
@click.argument("workload", shell_complete=complete_workloads)
@click.argument("backup", required=False, default="", metavar="[ID]")
@click.option("--namespace", "-n", default="", metavar="NS", help="Namespace of the workload.")
@click.option(
    "--at",
    default="",
    metavar="TIME",
    help="The newest backup that began at this time or before it: '2026-01-31 03:00' (UTC),"
    " '5 minutes ago'.",
)
@click.option(
    "--identity",
    "-i",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file with the private key; it stays on this machine.",
)
@click.option(
    "--output",
    "-o",
    default="",
    metavar="PATH",
    help="A file, or a folder for several objects; stdout without it.",
)
@click.option(
    "--object",
    "objects",
    multiple=True,
    metavar="NAMES",
    help="Only these objects, by the names that --list shows.",
)
@click.option("--list", "only_list", is_flag=True, help="Show what the backup holds, and end.")
@click.option("--stored", is_flag=True, help="As it lies in the store: encrypted and compressed.")
@click.option("--from-cluster", default="", metavar="NAME", help="A backup of another cluster.")
@click.option(
    "--through-cluster",
    is_flag=True,
    help="Over a port-forward to a Job, without trying the store's own address.",
)
@click.option(
    "--url-seconds",
    default=3600,
    show_default=True,
    type=click.IntRange(10, 7 * 86_400),
    metavar="SECONDS",
    help="How long a URL holds; new ones are made while a download goes on.",
)
@read_option
@connected
def fetch(connection: Connection, **given: Any) -> None:
    """Download a backup of WORKLOAD, prove it, and decrypt it on this machine.

    What is written is what the dump tool wrote, as a database's own client loads it.
    ID is as `ksnapshot backups` shows it; the latest by default. The private key does not leave
    this machine, and the store's keys do not leave the cluster.
    """
    try:
        wanted = read_wanted(given)
        if wanted.path is None and not wanted.only_list and sys.stdout.isatty():
            raise OptionError("stdout is a terminal: name a file by -o, or pipe it into a client")  # noqa: TRY301  told as the others
        age = find_age()
        workload = find(connection, given["workload"], given["namespace"])
        asking = Asking(
            connection=connection,
            cronjob=in_chosen(cronjob_of(workload), given["storage"], connection.install.settings),
            key=workload.key,
            cluster=wanted.from_cluster,
            age=age,
            requested_by=connection.kubectl.whoami(),
            url_seconds=given["url_seconds"],
        )
        source = open_source(asking, wanted)
        try:
            if wanted.only_list:
                _show(source.offer)
                return
            fetch_backup(source, wanted, age)
        finally:
            source.close()
    except OptionError as error:
        raise CommandError(str(error), Exit.USAGE) from error
    except KsnapshotError as error:
        raise failed(error) from error


def _show(offer: Offer) -> None:
    rows = [
        [label_of(item), size(item.source_size or None), size(item.size), item.sha256]
        for item in offer.objects
    ]
    write_table(_COLUMNS, rows)
