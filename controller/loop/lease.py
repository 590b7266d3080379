"""Decides what a replica does about the Lease that says which one acts.

Clocks of two machines are never compared: a Lease is as old as the time since this process first
saw it as it is, by its own clock. The times in a Lease are for people.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from controller.model.names import COMPONENT_LABEL, PART_OF, PART_OF_LABEL
from controller.model.objects import Json

# No holder of ours may promise more; a number that somebody typed must not last for years.
LONGEST = 600
_COMPONENT = "leader"


class Move(StrEnum):
    """What a replica does next; with WAIT it does not lead."""

    CREATE = "create"
    TAKE = "take"
    RENEW = "renew"
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a Lease says: its holder, empty if nobody has it, and how long a renewal counts.

    `renewed` is never read as a time, but shows that the holder lives: each renewal changes it.
    """

    holder: str
    seconds: int
    renewed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A claim, and when this process first saw it, in seconds by its own clock."""

    claim: Claim
    since: float

    def is_over(self, now: float) -> bool:
        """Whether its holder has not renewed it for as long as a renewal counts."""
        return now - self.since >= self.claim.seconds


def claim_of(lease: Json, seconds: int) -> Claim:
    """Read a Lease; `seconds` count where it does not say how long, or what nobody promised."""
    spec = lease.get("spec") or {}
    given = spec.get("leaseDurationSeconds")
    return Claim(
        holder=str(spec.get("holderIdentity") or ""),
        seconds=given if isinstance(given, int) and 0 < given <= LONGEST else seconds,
        renewed=f"{spec.get('renewTime')} {spec.get('leaseTransitions')}",
    )


def sighting_of(claim: Claim, before: Sighting | None, now: float) -> Sighting:
    """The sighting of a claim that is read at `now`; that of before, if it is still the same."""
    return before if before and before.claim == claim else Sighting(claim=claim, since=now)


def next_move(found: Claim | None, seen: Sighting | None, identity: str, now: float) -> Move:
    """Decide; `found` is the claim as it was read, None where there is no Lease.

    `seen` is the last sighting, that of `found` where there is one.
    """
    is_held = seen is not None and seen.claim.holder not in {"", identity}
    may_act = is_held and seen is not None and not seen.is_over(now)
    if found is None:
        # Somebody deleted it, and its holder may not know that yet.
        return Move.WAIT if may_act else Move.CREATE
    if found.holder == identity:
        return Move.RENEW
    return Move.WAIT if may_act else Move.TAKE


def claimed(
    lease: Json | None, identity: str, seconds: int, *, namespace: str, name: str, now: datetime
) -> dict[str, Any]:
    """The Lease with this replica as its holder; None is one that is yet to be made."""
    moment = _format(now)
    before: Json = (lease or {}).get("spec") or {}
    is_renewal = before.get("holderIdentity") == identity
    changes = before.get("leaseTransitions")
    spec = {
        "holderIdentity": identity,
        "leaseDurationSeconds": seconds,
        "renewTime": moment,
        "acquireTime": before.get("acquireTime") if is_renewal else moment,
        "leaseTransitions": (changes if isinstance(changes, int) else 0)
        + (lease is not None and not is_renewal),
    }
    if lease is not None:
        return {**lease, "spec": {**before, **spec}}
    labels = {PART_OF_LABEL: PART_OF, COMPONENT_LABEL: _COMPONENT}
    meta = {"name": name, "namespace": namespace, "labels": labels}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": meta,
        "spec": spec,
    }


def released(lease: Json, now: datetime) -> dict[str, Any]:
    """The Lease without a holder, so that another replica takes it at once."""
    spec = {**(lease.get("spec") or {}), "holderIdentity": "", "renewTime": _format(now)}
    return {**lease, "spec": spec}


def _format(now: datetime) -> str:
    """A time with microseconds, as the API wants it."""
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
