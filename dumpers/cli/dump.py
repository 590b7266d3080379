"""The verb without click, which a job that dumps does without."""

import os
from typing import NoReturn

from dumpers.cli import process
from dumpers.cli.clock import now
from dumpers.contract.jobs import DumpJob
from dumpers.contract.result import DumpResult
from dumpers.engines.registry import ENGINES, load
from dumpers.runs import backup
from dumpers.runs.naming import new_run_id


def dump() -> NoReturn:
    """Make one backup (the default)."""
    process.run_to_end("dump", _dump)


def _dump() -> DumpResult:
    job = DumpJob.from_env(os.environ, ENGINES)
    return backup.dump(
        job,
        engine=load(job.engine),
        started=now(),
        run_id=new_run_id(),
        interrupt=process.interrupt_by_signals(job.deadline),
        now=now,
    )
