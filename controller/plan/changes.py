"""What a plan is made of: the writes to single objects, by workload and namespace."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from controller.model.objects import (
    Json,
)
from controller.model.status import Reason, Rejected, Verdict

FAULT = Rejected(Reason.INTERNAL_ERROR, "a fault of the controller, see its log")


class Verb(StrEnum):
    """What is done with one object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One write. `before` is the object as listed, `after` the whole object to send.

    The uid of a CronJob that is yet to be created is empty in its Secret's ownerReference.
    """

    verb: Verb
    kind: str
    name: str
    before: Json | None = field(default=None, repr=False)
    after: Json | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One workload's part of a plan; no steps means that everything is kept as it is.

    `steps` are in order, and a failed one stops those behind it. `cronjob` is empty while there
    is none. `kept` is the CronJob as it will be after the pass, None without one.
    """

    namespace: str
    workload: str
    cronjob: str
    verdict: Verdict
    steps: tuple[Step, ...] = ()
    kept: Json | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a pass does for one namespace; `gone_passes` is to be remembered for the next."""

    items: tuple[Item, ...]
    gone_passes: Mapping[str, int]
