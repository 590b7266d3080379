"""Chooses the Service of a namespace that leads to a workload (contract sections 4, 9.12).

Where servers may be replicas of each other, the Service has to lead to the primary or, if that is
asked for, to the replicas. The labels and names of operators say which one does.
"""

from collections.abc import Callable, Iterable

from controller.model.objects import Json, Objects, labels_of, name_of
from controller.model.status import Reason, Rejected
from controller.workloads.annotations import READ_FROM, SERVICE
from controller.workloads.services.candidates import Candidates, ServiceSearch
from controller.workloads.services.facts import (
    is_headless,
    is_of_operator,
    leads_to_unready,
    role_of_service,
    selector_of,
)
from controller.workloads.services.roles import ServerRole, role_of

_CURE = f"name the right one by the annotation {SERVICE.name}"


def named_service(services: Objects, name: str) -> str | Rejected:
    """The Service that an annotation names; it only has to exist."""
    if any(name_of(item) == name for item in services):
        return name
    return Rejected(
        Reason.SERVICE_MISSING, f"the annotation {SERVICE.name} names {name!r}, which is not there"
    )


def choose_service(
    services: Objects, pods: Objects, port: int, search: ServiceSearch | None = None
) -> str | Rejected:
    """Name of the Service to connect to on a port, or why there is no single one.

    Services that match every pod come before those that match some pod on that port. Serving the
    port then counts more than not being headless: a metrics Service must not win over the headless
    Service of the database. A Service of the primary comes before all of these, and a Service of
    replicas is never taken unasked.
    """
    found = Candidates(
        services=services,
        pods=pods,
        port=port,
        search=search or ServiceSearch(),
        pods_have_roles=any(role_of(labels_of(pod)) for pod in pods),
    )
    match found.search.read_from:
        case ServerRole.PRIMARY:
            return _of_primary(found)
        case ServerRole.REPLICA:
            return _of_replicas(found)
    return _single(_usual(found, found.whole) or _usual(found, found.partial)) or _missing(found)


def _of_primary(found: Candidates) -> str | Rejected:
    if primaries := found.of_role(ServerRole.PRIMARY):
        return name_of(_best(found, primaries))
    sound = [item for item in found.whole if not found.leads_to_replicas(item)]
    if sound and not found.pods_have_roles and (idle := found.idle_primaries):
        return Rejected(
            Reason.SERVICE_MISSING,
            f"none of its pods is the primary that {_names(idle)} selects: that is going to "
            f"change, or else {_CURE}",
        )
    usual = _usual(found, sound)
    if not usual or is_headless(usual[0]):
        # A headless Service of all pods is right only as long as there is a single one.
        written = found.without_selector(ServerRole.PRIMARY)
        if written and (found.pods_have_roles or not usual):
            return name_of(written[0])
        if (len(found.pods) > 1 or len(sound) != 1) and (proxies := found.proxies):
            return name_of(_best(found, proxies))
    if not usual:
        partial = (item for item in found.partial if not found.leads_to_replicas(item))
        usual = _usual(found, partial)
    return _single(usual) or _missing(found)


def _of_replicas(found: Candidates) -> str | Rejected:
    if replicas := found.of_role(ServerRole.REPLICA):
        return name_of(_best(found, replicas))
    if written := found.without_selector(ServerRole.REPLICA):
        return name_of(written[0])
    if not found.pods_have_roles:
        # Nothing but the annotation says that these pods are replicas.
        others = (item for item in found.whole if role_of_service(item) is None)
        if chosen := _single(_usual(found, others)):
            return chosen
    return Rejected(
        Reason.SERVICE_MISSING,
        f"the annotation {READ_FROM.name} asks for a replica, but no Service of replicas selects "
        f"its pods: {_CURE}",
    )


def _usual(found: Candidates, items: Iterable[Json]) -> list[Json]:
    """What is left of Services by the rules that need no roles."""
    items = _prefer(list(items), found.serves)
    if len(items) > 1:
        items = _prefer(items, lambda item: not found.leads_elsewhere(item))
    items = _prefer(items, lambda item: not is_headless(item))
    return _prefer(items, lambda item: not leads_to_unready(item))


def _best(found: Candidates, items: Iterable[Json]) -> Json:
    """The Service to take of several that lead to the same servers."""
    return min(_usual(found, items), key=_by_name)


def _single(items: list[Json]) -> str | Rejected | None:
    """The one Service that is left, or several that are one; None without any."""
    if not items:
        return None
    selectors = [selector_of(item) for item in items]
    is_same = all(selector == selectors[0] for selector in selectors)
    if len(items) == 1 or (is_same and is_of_operator(selectors[0])):
        return name_of(min(items, key=_by_name))
    return Rejected(
        Reason.SERVICE_AMBIGUOUS, f"several Services select its pods: {_names(items)}; {_CURE}"
    )


def _missing(found: Candidates) -> Rejected:
    """Why no Service is left."""
    if replicas := [item for item in found.partial if found.leads_to_replicas(item)]:
        idle = found.idle_primaries
        beside = f" ({_names(idle)} selects none of its pods now)" if idle else ""
        return Rejected(
            Reason.REPLICAS_ONLY,
            f"no Service leads to its primary alone, but {_names(replicas)} to replicas, which are "
            f"not read unasked{beside}; {_CURE}, or set the annotation {READ_FROM.name} to "
            f"{ServerRole.REPLICA}",
        )
    others = found.without_selector()
    beside = f" ({_names(others)} has no selector)" if others else ""
    return Rejected(Reason.SERVICE_MISSING, f"no Service selects its pods{beside}; {_CURE}")


def _prefer(items: list[Json], better: Callable[[Json], bool]) -> list[Json]:
    return [item for item in items if better(item)] or items


def _by_name(service: Json) -> tuple[int, str]:
    return len(name_of(service)), name_of(service)


def _names(services: Iterable[Json]) -> str:
    return ", ".join(sorted(map(name_of, services)))
