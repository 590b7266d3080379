"""One decision of a pass, in words: only names and facts, never a value of a Secret."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What was decided about an object."""

    CHOSEN = "chosen"
    NOT_CHOSEN = "not chosen"
    KEPT = "kept"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    NOT_WRITTEN = "not written"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided about one object of a workload, and why.

    `about` is the object as `Kind/name`, or what stands for one: a container, a login.
    """

    workload: str
    about: str
    verdict: Verdict
    why: str


def choice(workload: str, about: str, why: str, *, chosen: bool) -> Decision:
    """The decision to take one of several, or not."""
    verdict = Verdict.CHOSEN if chosen else Verdict.NOT_CHOSEN
    return Decision(workload=workload, about=about, verdict=verdict, why=why)
