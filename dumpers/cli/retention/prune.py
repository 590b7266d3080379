import os

import click

from dumpers.cli import process
from dumpers.cli.clock import now
from dumpers.cli.documents import print_document
from dumpers.contract.retention.jobs import PruneJob
from dumpers.contract.retention.result import PruneResult
from dumpers.runs.retention.prune import prune as run_prune


@click.command()
def prune() -> None:
    """Delete the backups that are covered and not to be kept, of a whole cluster."""
    process.run_to_end("prune", _prune, failed=PruneResult)


def _prune() -> PruneResult:
    job = PruneJob.from_env(os.environ)
    interrupt = process.interrupt_by_signals(job.deadline, work="prune")
    return run_prune(job, interrupt=interrupt, now=now, emit=print_document)
