import os

import click

from dumpers.cli import process
from dumpers.cli.clock import now
from dumpers.contract.restore.jobs import BackupJob
from dumpers.contract.restore.result import BackupResult
from dumpers.runs.verify import verify_backup


@click.command()
def verify() -> None:
    """Read a backup back, and record whether it is as it was stored."""
    process.run_to_end("verify", _verify, failed=BackupResult)


def _verify() -> BackupResult:
    job = BackupJob.from_env(os.environ)
    interrupt = process.interrupt_by_signals(job.deadline, work="verification")
    return verify_backup(job, interrupt=interrupt, now=now)
