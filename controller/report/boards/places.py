"""Where boards lie when all namespaces are watched: not in those that have nothing to show."""

import logging
from collections.abc import Container, Mapping

from controller.kube.client import CONFIG_MAPS, Kube, KubeError
from controller.model.objects import metadata
from controller.report.written_status import DocumentMemory, StatusMemory
from dumpers.runtime.log import fields

_log = logging.getLogger(__name__)


def find_boards(kube: Kube, memory: StatusMemory, name: str, watched: Mapping[str, bool]) -> None:
    """Remember boards that are there already, which may show what is not there any more.

    Those of earlier processes, and of namespaces that come back. One request, where a namespace is
    watched that was not before; a failure is logged once, and the next pass tries again.
    """
    memory.searched &= watched.keys()
    if watched.keys() <= memory.searched:
        return
    try:
        listed = kube.list(CONFIG_MAPS, "", fields=f"metadata.name={name}", metadata_only=True)
    except KubeError as error:
        if memory.complaint != str(error):
            memory.complaint = str(error)
            line = fields(namespace="", name=name, why=str(error))
            _log.warning("status not written", extra=line)
        return
    for item in listed:
        memory.boards.setdefault(str(metadata(item).get("namespace", "")), DocumentMemory())
    memory.searched, memory.complaint = frozenset(watched), ""


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
