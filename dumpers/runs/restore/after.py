"""Taking back what a restore exchanged, and dropping what it left beside."""

import time

from dumpers.contract.restore.after import AfterRestoreJob
from dumpers.contract.restore.result import RestoreResult
from dumpers.engines.protocol import Engine
from dumpers.runtime.errors import ExitCode
from dumpers.runtime.interrupt import Interrupt


def finish_restore(job: AfterRestoreJob, *, engine: Engine, interrupt: Interrupt) -> RestoreResult:
    """Do what the job asks; raises what Engine.undo and Engine.forget raise."""
    began = time.monotonic()
    if job.kept:
        engine.undo(job.connection, job.kept, interrupt)
        actions = tuple(f"{live} is again what {kept} held" for live, kept in job.kept)
    else:
        engine.forget(job.connection, job.names, interrupt)
        actions = tuple(f"{name} is dropped" for name in job.names)
    connection = job.connection
    return RestoreResult(
        succeeded=True,
        exit_code=ExitCode.DONE,
        reason="Succeeded",
        message="",
        engine=job.engine.type,
        target=f"{connection.host}:{connection.port}",
        kept=job.kept,
        actions=actions,
        seconds=round(time.monotonic() - began, 3),
    )
