"""Where boards lie when all namespaces are watched: not in those that have nothing to show."""

import logging
from collections.abc import Container, Mapping

from controller.kube.client import CONFIG_MAPS, Kube, KubeError
from controller.model.objects import metadata
from controller.report.written_status import DocumentMemory, StatusMemory
from dumpers.runtime.log import fields

_log = logging.getLogger(__name__)


def find_boards(kube: Kube, memory: StatusMemory, name: str) -> None:
    """Remember the boards of earlier processes, which may show what is not there any more.

    One request, once for each process; a failure is logged, and the next pass tries again.
    """
    if memory.are_boards_found:
        return
    try:
        listed = kube.list(CONFIG_MAPS, "", fields=f"metadata.name={name}", metadata_only=True)
    except KubeError as error:
        _log.warning("status not written", extra=fields(namespace="", name=name, why=str(error)))
        return
    for item in listed:
        memory.boards.setdefault(str(metadata(item).get("namespace", "")), DocumentMemory())
    memory.are_boards_found = True


def with_boards(
    memory: StatusMemory, shown: Container[str], watched: Mapping[str, bool]
) -> Mapping[str, bool]:
    """The watched namespaces that have a workload to show, or a board already.

    What is known of boards elsewhere is forgotten: a namespace of that name may come anew.
    """
    memory.boards = {name: known for name, known in memory.boards.items() if name in watched}
    return {
        name: may_exist
        for name, may_exist in watched.items()
        if name in shown or name in memory.boards
    }
