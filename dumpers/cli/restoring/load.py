import click

from dumpers.cli import process
from dumpers.cli.client_job import read_client_job
from dumpers.contract.restore.jobs import LoadJob
from dumpers.contract.restore.result import RestoreResult
from dumpers.runs.restore.client import READER_SECONDS
from dumpers.runs.restore.client import load as run_load
from dumpers.runs.restore.exchange.fetching import ReaderConnection


@click.command()
def load() -> None:
    """Load a backup into a database, as the container that reads it serves it."""
    process.run_to_end("load", _load, failed=RestoreResult)


def _load() -> RestoreResult:
    # The reader knows the deadline, and says when to stop.
    interrupt = process.interrupt_by_signals(None, work="restore")
    job, engine = read_client_job(LoadJob.from_env, interrupt)
    with ReaderConnection(job.exchange, interrupt, seconds=READER_SECONDS) as reader:
        return run_load(job, reader, engine=engine, interrupt=interrupt)
