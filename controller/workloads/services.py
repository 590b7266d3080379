"""Chooses the Service of a namespace that leads to a workload (contract sections 4, 9.12)."""

from collections.abc import Callable, Iterable, Mapping

from controller.model.objects import Json, Objects, labels_of, name_of
from controller.model.status import Reason, Rejected
from controller.workloads.annotations import SERVICE

_HEADLESS = "None"
_TCP = "TCP"


def named_service(services: Objects, name: str) -> str | Rejected:
    """The Service that an annotation names; it only has to exist."""
    if any(name_of(item) == name for item in services):
        return name
    return Rejected(
        Reason.SERVICE_MISSING, f"the annotation {SERVICE.name} names {name!r}, which is not there"
    )


def choose_service(services: Objects, pods: Objects, port: int) -> str | Rejected:
    """Name of the Service to connect to on a port, or why there is no single one.

    Services that match every pod come first; only without any, Services count that match some pod
    on that port. Serving the port then counts more than not being headless: a metrics Service must
    not win over the headless Service of the database.
    """
    labels = [labels_of(pod).items() for pod in pods]
    selecting = [item for item in services if _selector(item)]
    matching = [item for item in selecting if all(_selector(item).items() <= pod for pod in labels)]
    if not matching:
        matching = [
            item
            for item in selecting
            if _serves(item, port) and any(_selector(item).items() <= pod for pod in labels)
        ]
    matching = _prefer(matching, lambda item: _serves(item, port))
    matching = _prefer(matching, lambda item: not _headless(item))
    if not matching:
        return Rejected(Reason.SERVICE_MISSING, "no Service selects its pods")
    if len(matching) > 1:
        names = ", ".join(sorted(map(name_of, matching)))
        return Rejected(Reason.SERVICE_AMBIGUOUS, f"several Services select its pods: {names}")
    return name_of(matching[0])


def _prefer(items: list[Json], better: Callable[[Json], bool]) -> list[Json]:
    return [item for item in items if better(item)] or items


def _selector(service: Json) -> Mapping[str, str]:
    found: Mapping[str, str] = (service.get("spec") or {}).get("selector") or {}
    return found


def _headless(service: Json) -> bool:
    return (service.get("spec") or {}).get("clusterIP") == _HEADLESS


def _serves(service: Json, port: int) -> bool:
    """Whether a client reaches the port: of a headless Service, on the pod itself."""
    keys = ("port", "targetPort") if _headless(service) else ("port",)
    ports: Iterable[Json] = (service.get("spec") or {}).get("ports") or ()
    return any(
        item.get("protocol", _TCP) == _TCP and port in {item.get(key) for key in keys}
        for item in ports
    )
