import os

import click

from dumpers.cli import process
from dumpers.cli.clock import now
from dumpers.contract.copy.jobs import CopyJob
from dumpers.contract.restore.result import BackupResult
from dumpers.runs.copy.copy import copy as run_copy


@click.command()
def copy() -> None:
    """Copy a backup, as it is stored, from one storage to another."""
    process.run_to_end("copy", _copy, failed=BackupResult)


def _copy() -> BackupResult:
    job = CopyJob.from_env(os.environ)
    interrupt = process.interrupt_by_signals(job.deadline, work="copy")
    return run_copy(job, interrupt=interrupt, now=now)
