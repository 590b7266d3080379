import json
import os
import sys

import click

from dumpers.cli import process
from dumpers.cli.clock import now
from dumpers.contract.restore.jobs import ListJob
from dumpers.contract.restore.result import BackupResult
from dumpers.runs.fetch.headers import read_headers
from dumpers.runtime.errors import ExitCode


@click.command()
def headers() -> None:
    """Print the age header of each workload's newest backup."""
    process.run_to_end("headers", _headers, failed=BackupResult)


def _headers() -> BackupResult:
    job = ListJob.from_env(os.environ)
    interrupt = process.interrupt_by_signals(job.deadline, work="list")
    count = 0
    for document in read_headers(job, interrupt=interrupt, now=now):
        sys.stdout.write(json.dumps(document, separators=(",", ":")) + "\n")
        count += document["keys"] == "backup"
    sys.stdout.flush()
    return BackupResult(
        succeeded=True, exit_code=ExitCode.DONE, reason="Succeeded", message="", objects=count
    )
