"""`ksnapshot restore`: the verb and its options."""

from typing import Any

import click

from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.cluster.known import read_known
from controller.client.restore.after import FORGET, UNDO, finish_restore
from controller.client.restore.every import restore_all
from controller.client.restore.identity import identity_options
from controller.client.restore.options import OptionError
from controller.client.restore.shown import finish
from controller.client.restore.start import start_restore
from controller.client.restore.wanted import read_wanted
from controller.client.terminal.errors import CommandError, Exit, VerbCommand
from controller.client.terminal.output import output_option
from dumpers.contract.restore.request import MOST_SESSIONS

_WEEK = 7 * 86_400


@click.command(cls=VerbCommand)
@click.argument("workload", required=False, shell_complete=complete_workloads)
@click.option("--namespace", "-n", default="", metavar="NS", help="Namespace of the workload.")
@click.option("--all", "every", is_flag=True, help="All workloads of the namespace of -n.")
@click.option("--backup", default="", metavar="ID", help="Which backup; the latest by default.")
@click.option(
    "--at",
    default="",
    metavar="TIME",
    help="The newest backup that began at this time or before it: '2026-01-31 03:00' (UTC),"
    " '5 minutes ago'.",
)
@click.option(
    "--to",
    default="",
    metavar="HOST:PORT/DB",
    help="Another place than the workload's own database; each part may be left out.",
)
@click.option("--to-workload", default="", metavar="NS/NAME", help="Another workload's database.")
@click.option(
    "--credentials-secret",
    default="",
    metavar="SECRET",
    help="A Secret of the control namespace with the login to restore with.",
)
@identity_options()
@click.option("--databases", multiple=True, metavar="NAMES", help="Only these databases.")
@click.option("--tables", multiple=True, metavar="NAMES", help="Only these tables, or indices.")
@click.option(
    "--partitions", default="", metavar="TEXT", help="Only these partitions: shop.orders: 202401."
)
@click.option("--as", "renamed", multiple=True, metavar="OLD:NEW", help="Under a new name.")
@click.option("--globals", "with_globals", is_flag=True, help="Roles, accounts and settings, too.")
@click.option("--beside", is_flag=True, help="Load under new names, beside what is there.")
@click.option("--overwrite", is_flag=True, help="Replace what is there, once the backup is loaded.")
@click.option("--swap", is_flag=True, help="Exchange with what is there; keep that for --undo.")
@click.option("--suffix", default="", metavar="TEXT", help="End of new names, else _restored.")
@click.option(
    "--parallelism",
    default=1,
    show_default=True,
    type=click.IntRange(1, MOST_SESSIONS),
    metavar="N",
    help="Sessions that load a database of PostgreSQL at a time, with a mode.",
)
@click.option("--from-cluster", default="", metavar="NAME", help="A backup of another cluster.")
@click.option(
    "--storage",
    default="",
    metavar="NAME",
    help="From this storage only; else from the nearest of WORKLOAD's that has it whole.",
)
@click.option("--plan", is_flag=True, help="Check all, say what would happen, change nothing.")
@click.option("--undo", is_flag=True, help="Exchange back what the last --swap put in place.")
@click.option("--forget", is_flag=True, help="Drop what the last restore left beside, or kept.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before something is replaced.")
@click.option("--detach", is_flag=True, help="Do not wait for the end.")
@output_option
@click.option(
    "--deadline",
    default=_WEEK,
    show_default=True,
    type=click.IntRange(60),
    metavar="SECONDS",
    help="How long the restore may take.",
)
@connected
def restore(connection: Connection, **given: Any) -> None:
    """Restore a backup of WORKLOAD, or with --all those of a namespace.

    Without a mode the target must hold nothing of it: nothing is ever replaced unasked.
    """
    if bool(given["workload"]) == given["every"]:
        raise click.UsageError("name a workload, or a namespace by --all -n NS")
    try:
        if given["undo"] or given["forget"]:
            finish_restore(connection, UNDO if given["undo"] else FORGET, given)
            return
        wanted = read_wanted(given)
        if given["every"]:
            restore_all(connection, wanted, given)
            return
        known = read_known(connection, with_jobs=True)
        source = known.find(given["workload"], given["namespace"])
        job = start_restore(connection, known, source, wanted, given)
    except OptionError as error:
        raise CommandError(str(error), Exit.USAGE) from error
    finish(connection, job, source.key, given)
