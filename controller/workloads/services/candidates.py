"""The Services of a namespace as they look from one workload."""

from collections.abc import Callable
from dataclasses import dataclass, field

from controller.model.objects import Json, Objects, labels_of, name_of
from controller.workloads.services.facts import (
    index_keys,
    is_headless,
    is_of_operator,
    role_of_service,
    selector_of,
    serves,
)
from controller.workloads.services.roles import (
    ServerRole,
    is_of_proxy,
    names_by_role,
    role_of,
    role_of_name,
    shared_labels,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSearch:
    """What decides among Services, besides the pods of the workload.

    `read_from` is None for an engine whose servers are no replicas of each other. `databases` are
    the names that an operator may call the database by, `makers` the uids of the objects that own
    its pods, and of those above them. `neighbours` are all pods of the namespace.
    """

    read_from: ServerRole | None = None
    databases: frozenset[str] = frozenset()
    makers: frozenset[str] = frozenset()
    neighbours: Objects = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """The Services that may lead to a workload's pods on a port.

    `services` are all of the namespace, or those that `facts.index_keys` and `facts.index_labels`
    do not rule out. `pods_have_roles` says that the labels of the pods name roles, as those of
    operators do.
    """

    services: Objects = field(repr=False)
    pods: Objects = field(repr=False)
    port: int
    search: ServiceSearch
    pods_have_roles: bool

    @property
    def whole(self) -> list[Json]:
        """Services that select every pod of the workload."""
        return [item for item in self._selecting() if all(map(_selected_by(item), self.pods))]

    @property
    def partial(self) -> list[Json]:
        """Services that select some pod of the workload, on the port."""
        return [item for item in self._selecting() if self.serves(item) and self._reaches(item)]

    def serves(self, service: Json) -> bool:
        """Whether the Service serves the port."""
        return serves(service, self.port)

    def of_role(self, role: ServerRole) -> list[Json]:
        """Services of a role that select some pod of the workload, on the port."""
        return [item for item in self.partial if role_of_service(item) is role]

    def leads_to_replicas(self, service: Json) -> bool:
        """Whether the Service selects a replica, of this workload or of another one."""
        if role_of_service(service) is ServerRole.REPLICA:
            return True
        selected = _selected_by(service)
        return self.pods_have_roles and any(
            selected(pod) and role_of(labels_of(pod)) is ServerRole.REPLICA
            for pod in (*self.pods, *self.search.neighbours)
        )

    def leads_elsewhere(self, service: Json) -> bool:
        """Whether the Service selects pods of others, too, such as another database's."""
        own = {name_of(pod) for pod in self.pods}
        selected = _selected_by(service)
        return any(selected(pod) and name_of(pod) not in own for pod in self.search.neighbours)

    def without_selector(self, role: ServerRole | None = None) -> list[Json]:
        """Services without a selector on the port that seem to be the workload's, best ones first.

        Their endpoints are written by an operator, or by Patroni. With `role` only those of which
        an operator's naming, or their labels, say that role.
        """
        keys = self.search.databases | self.search.makers
        related = [
            item
            for item in self.services
            if not selector_of(item) and self.serves(item) and not keys.isdisjoint(index_keys(item))
        ]
        known = names_by_role(self.search.databases) if related else {}
        order = {name: place for place, name in enumerate(known)}
        found = [
            item
            for item in related
            if role in {None, known.get(name_of(item)) or self._role_by_mark(item)}
        ]
        return sorted(found, key=lambda item: (order.get(name_of(item), len(order)), name_of(item)))

    @property
    def proxies(self) -> list[Json]:
        """Client Services of the proxies that an operator sets before the database."""
        return [
            item
            for item in self._selecting()
            if is_of_proxy(selector_of(item))
            and self.serves(item)
            and not is_headless(item)
            and role_of_name(name_of(item)) is not ServerRole.REPLICA
            and self._is_beside(item)
        ]

    @property
    def idle_primaries(self) -> list[Json]:
        """Services of the primary that select no pod of the workload, but would if it were that."""
        return [
            item
            for item in self._selecting()
            if role_of_service(item) is ServerRole.PRIMARY
            and self.serves(item)
            and (self.pods_have_roles or is_of_operator(selector_of(item)))
            and self._is_beside(item)
            and not self._reaches(item)
        ]

    def _selecting(self) -> list[Json]:
        return [item for item in self.services if selector_of(item)]

    def _reaches(self, service: Json) -> bool:
        return any(map(_selected_by(service), self.pods))

    def _is_beside(self, service: Json) -> bool:
        """Whether the Service selects by what some pod of the workload shares with others."""
        shared = shared_labels(selector_of(service)).items()
        return bool(shared) and any(shared <= labels_of(pod).items() for pod in self.pods)

    def _role_by_mark(self, service: Json) -> ServerRole | None:
        """The role of a Service that its labels or owners, not only its name, mark as related."""
        marks = index_keys(service, by_name=False)
        keys = self.search.databases | self.search.makers
        return None if keys.isdisjoint(marks) else role_of_service(service)


def _selected_by(service: Json) -> Callable[[Json], bool]:
    selector = selector_of(service).items()
    return lambda pod: selector <= labels_of(pod).items()
