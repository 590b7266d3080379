import os

import click

from dumpers.cli import process
from dumpers.cli.clock import now
from dumpers.cli.documents import print_document
from dumpers.contract.proof.delivery import PROOF, READING
from dumpers.contract.proof.jobs import ProveJob
from dumpers.contract.restore.result import BackupResult
from dumpers.runs.proof.prove import prove as run_prove
from dumpers.runtime.errors import ExitCode


@click.command("prove")
def prove() -> None:
    """Print what was proved of backups, as a Statement that is signed where there is a key."""
    process.run_to_end("prove", _prove, failed=BackupResult)


def _prove() -> BackupResult:
    job = ProveJob.from_env(os.environ)
    interrupt = process.interrupt_by_signals(job.deadline, work="prove")
    count = 0
    for document in run_prove(job, interrupt=interrupt, now=now):
        print_document(document)
        if document[PROOF] == READING:
            count = int(document["backups"])
    return BackupResult(
        succeeded=True, exit_code=ExitCode.DONE, reason="Succeeded", message="", objects=count
    )
