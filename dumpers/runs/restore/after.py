"""Taking back what a restore exchanged, and dropping what it left beside."""

import time

from dumpers.contract.connection import Connection
from dumpers.contract.restore.after import AfterRestoreJob
from dumpers.contract.restore.result import RestoreResult
from dumpers.engines.leftovers import Left, MarkingEngine
from dumpers.engines.protocol import Engine
from dumpers.runtime.errors import ExitCode
from dumpers.runtime.interrupt import Interrupt


def finish_restore(job: AfterRestoreJob, *, engine: Engine, interrupt: Interrupt) -> RestoreResult:
    """Do what the job asks; raises what Engine.undo and Engine.forget raise.

    The result has no actions where the restores that the job names have left nothing.
    """
    began = time.monotonic()
    connection = job.connection
    kept, names = job.kept, job.names
    if job.undo_of:
        found = _find_left(engine, connection, job.undo_of, interrupt)
        kept = next((left.kept for left in found if left.kept), kept)
    if job.forget_of:
        found = _find_left(engine, connection, job.forget_of, interrupt)
        names = tuple(dict.fromkeys((*names, *(name for left in found for name in left.names))))
    if kept:
        engine.undo(connection, kept, interrupt)
    elif names:
        engine.forget(connection, names, interrupt)
    actions = (
        tuple(f"{live} is again what {name} held" for live, name in kept)
        if kept
        else tuple(f"{name} is dropped" for name in names)
    )
    return RestoreResult(
        succeeded=True,
        exit_code=ExitCode.DONE,
        reason="Succeeded",
        message="",
        engine=job.engine.type,
        target=f"{connection.host}:{connection.port}",
        kept=kept,
        actions=actions,
        seconds=round(time.monotonic() - began, 3),
    )


def _find_left(
    engine: Engine, connection: Connection, restores: tuple[str, ...], interrupt: Interrupt
) -> list[Left]:
    """What these restores have left, in their order; nothing where the engine cannot tell."""
    if not isinstance(engine, MarkingEngine):
        return []
    left = engine.find_left(connection, interrupt)
    return [left[name] for name in restores if name in left]
