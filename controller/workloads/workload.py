"""A workload: a database that asks for backups, as its owner or group of owners shows it."""

from collections.abc import Collection
from dataclasses import dataclass, field

from controller.model.objects import Objects
from controller.model.owner import Owner
from controller.model.status import Reason, Rejected
from controller.workloads.request import Request

IDLE = Rejected(Reason.NO_RUNNING_POD, "no annotated pod of it is running")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A database that asks for backups, now or as soon as it runs.

    `owner` is the object that owns the pods, or a group of such objects, which `members` then
    holds. `pods` are the running annotated pods sorted by name, never empty where `request` is a
    Request. `type_by_template` says that the owner's own template, not only its present pods, asks
    for this engine. `group` names the group that the owner would form if it were not alone.
    """

    owner: Owner
    members: tuple[Owner, ...] = ()
    pods: Objects = field(repr=False)
    request: Request | Rejected
    type_by_template: bool
    group: str = ""

    @property
    def key(self) -> str:
        """Owner key of the workload."""
        return self.owner.key

    @property
    def objects(self) -> tuple[Owner, ...]:
        """The objects that make up the workload."""
        return self.members or (self.owner,)

    def is_rejected_for(self, reasons: Collection[Reason]) -> bool:
        """Whether the workload is rejected for one of these reasons."""
        return isinstance(self.request, Rejected) and self.request.reason in reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupName:
    """The name of an owner group; with `by_label` an operator's label says it, not an annotation.

    With `alone` even a single owner forms the group.
    """

    name: str
    by_label: bool = False
    alone: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One owner evaluated by itself, and the owner group it declares, None without one.

    `type` is the engine's, as far as the annotations say it. `asked` is what the owner asks for,
    whether or not its pods run; None where that is not known.
    """

    workload: Workload
    group: GroupName | None
    type: str
    asked: Request | Rejected | None
