import os

import click

from dumpers.cli import process
from dumpers.cli.clock import now
from dumpers.cli.documents import print_document
from dumpers.contract.retention.jobs import DeleteJob
from dumpers.contract.retention.result import DeleteResult
from dumpers.runs.retention.delete import delete as run_delete


@click.command()
def delete() -> None:
    """Delete backups of one CronJob, or all of them."""
    process.run_to_end("delete", _delete, failed=DeleteResult)


def _delete() -> DeleteResult:
    job = DeleteJob.from_env(os.environ)
    interrupt = process.interrupt_by_signals(job.deadline, work="deletion")
    return run_delete(job, interrupt=interrupt, now=now, emit=print_document)
