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
    for this engine.
    """

    owner: Owner
    members: tuple[Owner, ...] = ()
    pods: Objects = field(repr=False)
    request: Request | Rejected
    type_by_template: bool

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
class Candidate:
    """One owner evaluated by itself, and the owner group it declares, empty without one.

    `asked` is what the owner asks for, whether or not its pods run; None where that is not known.
    """

    workload: Workload
    group: str
    asked: Request | Rejected | None
