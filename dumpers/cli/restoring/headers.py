import os

import click

from dumpers.cli import process
from dumpers.cli.clock import now
from dumpers.cli.documents import print_documents
from dumpers.contract.restore.jobs import ListJob
from dumpers.contract.restore.result import BackupResult
from dumpers.runs.fetch.headers import read_headers


@click.command()
def headers() -> None:
    """Print the age header of each workload's newest backup."""
    process.run_to_end("headers", _headers, failed=BackupResult)


def _headers() -> BackupResult:
    job = ListJob.from_env(os.environ)
    interrupt = process.interrupt_by_signals(job.deadline, work="list")
    documents = read_headers(job, interrupt=interrupt, now=now)
    return print_documents(documents, is_counted=lambda document: document["keys"] == "backup")
