import os

import click

from dumpers.cli import process
from dumpers.cli.clock import now
from dumpers.contract.restore.jobs import RestoreJob, exchange_folder
from dumpers.contract.restore.result import RestoreResult
from dumpers.runs.restore.bootstrap import bootstrap as run_bootstrap
from dumpers.runs.restore.exchange.serving import Listener
from dumpers.runs.restore.reader import restore as run_restore


@click.command()
def restore() -> None:
    """Read a backup for the container that loads it, and report how that went."""
    process.run_to_end("restore", _restore, failed=RestoreResult)


def _restore() -> RestoreResult:
    # First of all, so that a client learns of whatever else is wrong.
    with Listener(exchange_folder(os.environ)) as listener:
        job = RestoreJob.from_env(os.environ)
        interrupt = process.interrupt_by_signals(job.deadline, work="restore")
        if wanted := job.bootstrap:
            return run_bootstrap(job, wanted, listener, interrupt=interrupt, now=now)
        return run_restore(job, listener, interrupt=interrupt, now=now)
