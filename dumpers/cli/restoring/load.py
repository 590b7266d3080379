import os

import click

from dumpers.cli import process
from dumpers.contract.restore.jobs import LoadJob, exchange_folder
from dumpers.contract.restore.result import RestoreResult
from dumpers.engines.registry import ENGINES
from dumpers.engines.registry import load as load_engine
from dumpers.runs.restore.client import READER_SECONDS, refuse
from dumpers.runs.restore.client import load as run_load
from dumpers.runs.restore.exchange.fetching import ReaderConnection
from dumpers.runtime.errors import ConfigurationError


@click.command()
def load() -> None:
    """Load a backup into a database, as the container that reads it serves it."""
    process.run_to_end("load", _load, failed=RestoreResult)


def _load() -> RestoreResult:
    folder = exchange_folder(os.environ)
    # The reader knows the deadline, and says when to stop.
    interrupt = process.interrupt_by_signals(None, work="restore")
    try:
        job = LoadJob.from_env(os.environ, ENGINES)
        engine = load_engine(job.engine)
    except ConfigurationError as error:
        refuse(folder, error, interrupt)
        raise
    with ReaderConnection(folder, interrupt, seconds=READER_SECONDS) as reader:
        return run_load(job, reader, engine=engine, interrupt=interrupt)
