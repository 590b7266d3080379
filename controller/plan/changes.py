"""The parts of a plan: writes to single objects, by workload and namespace, and their results."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from controller.model.objects import Json, ObjectRef, name_of
from controller.model.status import Reason, Rejected, WorkloadStatus
from controller.runs.retention.prunes import Prunes

FAULT = Rejected(Reason.INTERNAL_ERROR, "a fault of the controller, see its log")


class Action(StrEnum):
    """What is done with one object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One write. `before` is the object as listed, `after` the whole object to send.

    `owned_by` is the CronJob that the ownerReference of `after` names. The reference's uid is
    empty while that CronJob is yet to be created by an earlier change.
    """

    action: Action
    kind: str
    name: str
    owned_by: ObjectRef | None = None
    before: Json | None = field(default=None, repr=False)
    after: Json | None = field(default=None, repr=False)


def creation(kind: str, body: Json) -> Change:
    """The change that makes an object."""
    return Change(action=Action.CREATE, kind=kind, name=name_of(body), after=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadPlan:
    """One workload's part of a plan; no changes means that everything is kept as it is.

    `changes` are in order, and a failed one stops those behind it. `cronjob` names the dump
    CronJob, and is empty while there is none. `kept` is the dump CronJob as it will be after the
    pass, None without one, and `due` is when its next good run must have ended, see
    controller.runs.due.
    """

    namespace: str
    workload: str
    cronjob: str
    status: WorkloadStatus
    changes: tuple[Change, ...] = ()
    kept: Json | None = field(default=None, repr=False)
    due: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a pass does for one namespace; the next pass needs `gone_passes`, by CronJob uid."""

    items: tuple[WorkloadPlan, ...]
    gone_passes: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenObject:
    """An object as it was sent, and the resourceVersion that the API server gave it."""

    body: Json = field(repr=False)
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyResult:
    """What came of a workload's plan. `done` holds the changes that were carried out.

    `cronjob` is the dump CronJob as it is now, None without one, and `due` is when its next good
    run must have ended. With `failed` some change was not carried out, and `status` says why.
    `last_written` is what the next pass has to know of the writes, by uid.
    """

    workload_plan: WorkloadPlan
    status: WorkloadStatus
    done: tuple[Change, ...] = ()
    cronjob: Json | None = field(default=None, repr=False)
    due: int | None = None
    failed: bool = False
    last_written: dict[str, WrittenObject] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassResult:
    """What a pass found and did; `seconds` is wall time.

    `failures` holds a line for everything that could not be read, decided or written. With
    `stopped` the pass was abandoned on request. `running` holds by CronJob uid since when its
    oldest run goes on, in RFC 3339. `restores` are outcome and reason of each restore whose end
    this pass was the first to see, `prunes` what is known of prunes.
    """

    results: tuple[ApplyResult, ...]
    failures: tuple[str, ...]
    seconds: float
    stopped: bool = False
    running: Mapping[str, str] = field(default_factory=dict, repr=False)
    restores: tuple[tuple[str, str], ...] = ()
    prunes: Prunes = field(default_factory=Prunes, repr=False)

    @property
    def succeeded(self) -> bool:
        """Whether everything was read and all that was to be done was done."""
        return not self.failures and not self.stopped
