"""Finds the container that the database runs in (contract sections 3 and 9.13)."""

from collections.abc import Collection
from functools import cache

from controller.model.objects import Json, Objects
from controller.model.status import Reason, RejectedError
from controller.workloads.annotations import CONTAINER
from controller.workloads.request import Request
from dumpers.contract.engine_spec import EngineSpec

# `X_FILE` names the file that holds what `X` would.
FILE = "_FILE"


def container_of(pods: Objects, request: Request) -> Json:
    """The container of the lowest-named pod that the database runs in.

    Init containers do not count. `pods` are sorted and not empty. RejectedError where the
    container that an annotation names does not exist.
    """
    containers: Objects = tuple((pods[0].get("spec") or {}).get("containers") or ({},))
    if request.container:
        for item in containers:
            if item.get("name") == request.container:
                return item
        names = ", ".join(str(item.get("name", "")) for item in containers)
        raise RejectedError(
            Reason.CONTAINER_MISSING,
            f"the annotation {CONTAINER.name} names {request.container!r}, "
            f"but its pods have these containers: {names}",
        )
    engine = request.engine
    if engine.marks:
        # 0.6.0's rule; where several containers matched, 0.6.0 took the pod's first one.
        marked = [item for item in containers if item.get("envFrom") or _sets(item, engine.marks)]
        if marked:
            return marked[0] if len(marked) == 1 else containers[0]
    known = variables_of(engine)
    for matching in (
        [item for item in containers if _sets(item, known)],
        [item for item in containers if _listens(item, engine.port)],
    ):
        if len(matching) == 1:
            return matching[0]
    return containers[0]


@cache
def variables_of(engine: EngineSpec) -> frozenset[str]:
    """The engine's variables, and their `_FILE` variants, which name a file instead."""
    return engine.source_variables | file_variables_of(engine)


@cache
def file_variables_of(engine: EngineSpec) -> frozenset[str]:
    """The `_FILE` variants of the engine's variables."""
    return frozenset(name + FILE for name in engine.source_variables)


def _sets(container: Json, names: Collection[str]) -> bool:
    return any(entry.get("name") in names for entry in container.get("env") or ())


def _listens(container: Json, port: int) -> bool:
    return any(item.get("containerPort") == port for item in container.get("ports") or ())
