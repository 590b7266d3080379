import os

import click

from dumpers.cli import process
from dumpers.cli.clock import now
from dumpers.contract.restore.jobs import BackupJob
from dumpers.contract.restore.result import BackupResult
from dumpers.runs.retention.marks import accept as run_accept


@click.command()
def accept() -> None:
    """Say that the size of a backup is right, however small it became."""
    process.run_to_end("accept", _accept, failed=BackupResult)


def _accept() -> BackupResult:
    job = BackupJob.from_env(os.environ)
    interrupt = process.interrupt_by_signals(job.deadline, work="change")
    return run_accept(job, interrupt=interrupt, now=now)
