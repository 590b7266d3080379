import os

import click

from dumpers.cli import process
from dumpers.cli.clock import now
from dumpers.cli.documents import print_documents
from dumpers.contract.restore.jobs import ListJob
from dumpers.contract.restore.result import BackupResult
from dumpers.runs.list_backups import list_backups as run_list


@click.command("list")
def list_backups() -> None:
    """Print what there is of backups, one JSON document a line."""
    process.run_to_end("list", _list, failed=BackupResult)


def _list() -> BackupResult:
    job = ListJob.from_env(os.environ)
    interrupt = process.interrupt_by_signals(job.deadline, work="list")
    documents = run_list(job, interrupt=interrupt, now=now)
    return print_documents(documents, is_counted=lambda document: document["catalogue"] == "run")
