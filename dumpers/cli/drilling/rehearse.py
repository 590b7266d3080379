import click

from dumpers.cli import process
from dumpers.cli.client_job import read_client_job
from dumpers.contract.drill.jobs import RehearseJob
from dumpers.contract.drill.result import DrillResult
from dumpers.runs.drill.client import not_drilled
from dumpers.runs.drill.client import rehearse as run_rehearse
from dumpers.runs.restore.client import READER_SECONDS
from dumpers.runs.restore.exchange.fetching import ReaderConnection
from dumpers.runtime.errors import NotDrillableError


@click.command()
def rehearse() -> None:
    """Restore a backup into a throwaway server, and compare it with what was dumped."""
    process.run_to_end("rehearse", _rehearse, failed=DrillResult)


def _rehearse() -> DrillResult:
    # The reader knows the deadline, and says when to stop.
    interrupt = process.interrupt_by_signals(None, work="drill")
    job, engine = read_client_job(RehearseJob.from_env, interrupt)
    try:
        with ReaderConnection(job.exchange, interrupt, seconds=READER_SECONDS) as reader:
            return run_rehearse(job, reader, engine=engine, interrupt=interrupt)
    except NotDrillableError as error:
        return not_drilled(job, error)
