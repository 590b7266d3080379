"""What a plan is made of: the writes to single objects, by workload and namespace."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from controller.model.objects import (
    Json,
)
from controller.model.status import Reason, Rejected, WorkloadStatus

FAULT = Rejected(Reason.INTERNAL_ERROR, "a fault of the controller, see its log")


class Action(StrEnum):
    """What is done with one object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One write. `before` is the object as listed, `after` the whole object to send.

    The uid of a CronJob that is yet to be created is empty in its Secret's ownerReference.
    """

    action: Action
    kind: str
    name: str
    before: Json | None = field(default=None, repr=False)
    after: Json | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadPlan:
    """One workload's part of a plan; no steps means that everything is kept as it is.

    `steps` are in order, and a failed one stops those behind it. `cronjob` is empty while there
    is none. `kept` is the CronJob as it will be after the pass, None without one.
    """

    namespace: str
    workload: str
    cronjob: str
    status: WorkloadStatus
    changes: tuple[Change, ...] = ()
    kept: Json | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a pass does for one namespace; `gone_passes` is to be remembered for the next."""

    items: tuple[WorkloadPlan, ...]
    gone_passes: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenObject:
    """An object as it was sent, and the resourceVersion that the API server made of it."""

    body: Json = field(repr=False)
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyResult:
    """An item as it came out. `done` are the steps that were carried out.

    `cronjob` is the CronJob as it is now, None without one; `failed` says that a step was not
    done, as `status` then says. `last_written` is to be remembered for the next pass, by uid.
    """

    workload_plan: WorkloadPlan
    status: WorkloadStatus
    done: tuple[Change, ...] = ()
    cronjob: Json | None = field(default=None, repr=False)
    failed: bool = False
    last_written: dict[str, WrittenObject] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassResult:
    """What a pass found and did; `seconds` is wall time.

    `failures` says what could not be read, decided or written, one line each; `stopped` that the
    pass was abandoned on request.
    """

    results: tuple[ApplyResult, ...]
    failures: tuple[str, ...]
    seconds: float
    stopped: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether everything was read and all that was to be done was done."""
        return not self.failures and not self.stopped
