import json
import os
import sys

import click

from dumpers.cli import process
from dumpers.cli.clock import now
from dumpers.contract.restore.jobs import ListJob
from dumpers.contract.restore.result import BackupResult
from dumpers.runs.list_backups import list_backups as run_list
from dumpers.runtime.errors import ExitCode


@click.command("list")
def list_backups() -> None:
    """Print what there is of backups, one JSON document a line."""
    process.run_to_end("list", _list, failed=BackupResult)


def _list() -> BackupResult:
    job = ListJob.from_env(os.environ)
    interrupt = process.interrupt_by_signals(job.deadline, work="list")
    runs = 0
    for document in run_list(job, interrupt=interrupt, now=now):
        sys.stdout.write(json.dumps(document, separators=(",", ":")) + "\n")
        runs += document["catalogue"] == "run"
    sys.stdout.flush()
    return BackupResult(
        succeeded=True, exit_code=ExitCode.DONE, reason="Succeeded", message="", objects=runs
    )
