import os

import click

from dumpers.cli import process
from dumpers.contract.restore.after import AfterRestoreJob
from dumpers.contract.restore.result import RestoreResult
from dumpers.engines.registry import ENGINES, load
from dumpers.runs.restore.after import finish_restore


@click.command()
def undo() -> None:
    """Exchange back what a restore with --swap put in place."""
    process.run_to_end("undo", _finish, failed=RestoreResult)


@click.command()
def forget() -> None:
    """Drop what a restore loaded beside, or kept."""
    process.run_to_end("forget", _finish, failed=RestoreResult)


def _finish() -> RestoreResult:
    job = AfterRestoreJob.from_env(os.environ, ENGINES)
    return finish_restore(
        job,
        engine=load(job.engine),
        interrupt=process.interrupt_by_signals(job.deadline, work="restore"),
    )
