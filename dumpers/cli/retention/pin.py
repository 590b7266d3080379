import os
from functools import partial

import click

from dumpers.cli import process
from dumpers.cli.clock import now
from dumpers.contract.restore.jobs import BackupJob
from dumpers.contract.restore.result import BackupResult
from dumpers.runs.retention.marks import pin as run_pin


@click.command()
def pin() -> None:
    """Keep a backup from being pruned."""
    process.run_to_end("pin", partial(_pin, is_pinned=True), failed=BackupResult)


@click.command()
def unpin() -> None:
    """Let a backup be pruned again."""
    process.run_to_end("unpin", partial(_pin, is_pinned=False), failed=BackupResult)


def _pin(*, is_pinned: bool) -> BackupResult:
    job = BackupJob.from_env(os.environ)
    interrupt = process.interrupt_by_signals(job.deadline, work="change")
    return run_pin(job, interrupt=interrupt, now=now, is_pinned=is_pinned)
