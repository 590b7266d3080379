"""What a restore left, by its Job and what it said at its end; pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from controller.manifests.restore_job import variable_of
from controller.model.objects import Json, created_at
from controller.runs.job_status import end_of, ended_at, is_complete
from dumpers.contract import names as variables
from dumpers.contract.engine_spec import EngineSpec
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.contract.restore.result import RestoreResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a restore left: pairs of a live name and the name that is kept, to exchange back.

    `names` are those that can be dropped without touching what is live.
    """

    job: Json
    kept: tuple[tuple[str, str], ...] = ()
    names: tuple[str, ...] = ()


def what_is_left(
    job: Json, result: RestoreResult | None, engine: EngineSpec, *, is_undone: bool = False
) -> Left:
    """What a restore left, by what it was asked and what it said; None where it said nothing.

    With `is_undone` its swap was taken back. One that failed may have left what it loaded beside.
    """
    if result is None:
        return Left(job=job)
    kept = result.kept if result.succeeded else ()
    request = _request_of(job)
    droppable = tuple(name for _, name in kept)
    if request is not None and request.mode is RestoreMode.BESIDE:
        droppable = tuple(now for was, now in result.restored if now != was)
    elif (
        request is not None
        and request.mode is RestoreMode.SWAP
        and engine.swaps_aliases
        and (is_undone or not result.succeeded)
    ):
        given = request.names or {}
        # What had nothing to change places with was loaded under its last name, and is live.
        droppable = tuple(now for was, now in result.restored if now != given.get(was, was))
    return Left(job=job, kept=kept, names=droppable)


def is_undone(restore: Json, undos: Iterable[Json]) -> bool:
    """Whether one of these Jobs took back what a restore put in place."""
    end = end_of(restore)
    return end is not None and any(
        (last := end_of(job)) is not None
        and is_complete(last)
        and created_at(job) >= ended_at(restore, end)
        for job in undos
    )


def _request_of(job: Json) -> RestoreRequest | None:
    """What a restore's Job was asked; None where it cannot be read."""
    try:
        return RestoreRequest.from_json(variable_of(job, variables.RESTORE).replace("$$", "$"))
    except ValueError:
        return None
