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
from dumpers.runs.sharing.share import dump_share


def dump() -> NoReturn:
    """Make one backup (the default)."""
    process.run_to_end("dump", _dump)


def _dump() -> DumpResult:
    job = DumpJob.from_env(os.environ, ENGINES)
    interrupt = process.interrupt_by_signals(job.deadline)
    engine = load(job.engine)
    if job.share:
        return dump_share(job, engine=engine, started=now(), interrupt=interrupt, now=now)
    return backup.dump(
        job, engine=engine, started=now(), run_id=new_run_id(), interrupt=interrupt, now=now
    )
