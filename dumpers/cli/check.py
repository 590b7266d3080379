import os

import click

from dumpers.cli import process
from dumpers.cli.clock import now
from dumpers.contract.jobs import DumpJob
from dumpers.contract.result import DumpResult
from dumpers.engines.registry import ENGINES, load
from dumpers.runs import check as run_check
from dumpers.runs.naming import new_run_id


@click.command()
def check() -> None:
    """Try everything that a dump needs, and dump nothing."""
    process.run_to_end("check", _check)


def _check() -> DumpResult:
    job = DumpJob.from_env(os.environ, ENGINES)
    return run_check.check(
        job,
        engine=load(job.engine),
        started=now(),
        run_id=new_run_id(),
        interrupt=process.interrupt_by_signals(job.deadline, work="check"),
    )
