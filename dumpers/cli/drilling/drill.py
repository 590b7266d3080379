import os

import click

from dumpers.cli import process
from dumpers.cli.clock import now
from dumpers.contract.drill.jobs import DrillJob
from dumpers.contract.drill.result import DrillResult
from dumpers.contract.restore.jobs import exchange_folder
from dumpers.engines.registry import ENGINES
from dumpers.runs.drill.reader import drill as run_drill
from dumpers.runs.restore.exchange.serving import Listener


@click.command()
def drill() -> None:
    """Read a backup for the container that tries it, and record what that found."""
    process.run_to_end("drill", _drill, failed=DrillResult)


def _drill() -> DrillResult:
    # First of all, so that a client learns of whatever else is wrong.
    with Listener(exchange_folder(os.environ)) as listener:
        job = DrillJob.from_env(os.environ)
        interrupt = process.interrupt_by_signals(job.deadline, work="drill")
        return run_drill(job, listener, engines=ENGINES, interrupt=interrupt, now=now)
