"""What a replica does about the Lease, by its own clock alone."""

from datetime import UTC, datetime
from typing import Any

import pytest

from controller.loop.lease import (
    LONGEST,
    Claim,
    Move,
    Sighting,
    claim_of,
    claimed,
    next_move,
    released,
    sighting_of,
)

ME, OTHER = "me", "other"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def claim(holder: str, seconds: int = 15, renewed: str = "1") -> Claim:
    return Claim(holder=holder, seconds=seconds, renewed=renewed)


def seen(holder: str, since: float, seconds: int = 15) -> Sighting:
    return Sighting(claim=claim(holder, seconds), since=since)


@pytest.mark.parametrize(
    ("found", "sighting", "now", "move"),
    [
        # No Lease, and none was ever seen.
        (None, None, 0, Move.CREATE),
        # It was deleted: its holder may not know that yet.
        (None, seen(OTHER, 100), 114.9, Move.WAIT),
        (None, seen(OTHER, 100), 115, Move.CREATE),
        (None, seen(ME, 100), 101, Move.CREATE),
        (None, seen("", 100), 101, Move.CREATE),
        # Its own.
        (claim(ME), seen(ME, 100), 100, Move.RENEW),
        # However late: nobody has taken it.
        (claim(ME), seen(ME, 100), 1000, Move.RENEW),
        # Nobody's.
        (claim(""), seen("", 100), 100, Move.TAKE),
        # Another one's: it waits as long as that one promised, from when it saw the claim.
        (claim(OTHER), seen(OTHER, 100), 100, Move.WAIT),
        (claim(OTHER), seen(OTHER, 100), 114.9, Move.WAIT),
        (claim(OTHER), seen(OTHER, 100), 115, Move.TAKE),
        (claim(OTHER, 60), seen(OTHER, 100, 60), 159, Move.WAIT),
        (claim(OTHER, 60), seen(OTHER, 100, 60), 160, Move.TAKE),
        # An own clock that stands anywhere.
        (claim(OTHER), seen(OTHER, -5e9), -5e9 + 14, Move.WAIT),
        (claim(OTHER), seen(OTHER, 5e9), 5e9 + 15, Move.TAKE),
    ],
)
def test_the_next_move(
    found: Claim | None, sighting: Sighting | None, now: float, move: Move
) -> None:
    assert next_move(found, sighting, ME, now) is move


def test_a_claim_is_as_old_as_the_time_since_it_was_seen_to_change() -> None:
    first = sighting_of(claim(OTHER, renewed="1"), None, 100)
    assert first.since == 100
    same = sighting_of(claim(OTHER, renewed="1"), first, 110)
    assert same.since == 100
    renewed = sighting_of(claim(OTHER, renewed="2"), same, 112)
    assert renewed.since == 112
    assert sighting_of(claim(ME, renewed="2"), renewed, 113).since == 113


@pytest.mark.parametrize("skew", ["1970-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"])
def test_the_times_in_a_lease_are_never_compared_with_a_clock(skew: str) -> None:
    lease = {"spec": {"holderIdentity": OTHER, "leaseDurationSeconds": 15, "renewTime": skew}}
    found = claim_of(lease, 15)
    assert next_move(found, sighting_of(found, None, 100), ME, 114) is Move.WAIT
    assert next_move(found, Sighting(claim=found, since=100), ME, 115) is Move.TAKE


@pytest.mark.parametrize(
    ("spec", "holder", "seconds"),
    [
        (None, "", 15),
        ({}, "", 15),
        ({"holderIdentity": None}, "", 15),
        ({"holderIdentity": OTHER}, OTHER, 15),
        ({"holderIdentity": OTHER, "leaseDurationSeconds": 40}, OTHER, 40),
        ({"holderIdentity": OTHER, "leaseDurationSeconds": LONGEST}, OTHER, LONGEST),
        ({"holderIdentity": OTHER, "leaseDurationSeconds": LONGEST + 1}, OTHER, 15),
        ({"holderIdentity": OTHER, "leaseDurationSeconds": 2**31 - 1}, OTHER, 15),
        ({"holderIdentity": OTHER, "leaseDurationSeconds": 0}, OTHER, 15),
    ],
)
def test_what_a_lease_says(spec: dict[str, Any] | None, holder: str, seconds: int) -> None:
    found = claim_of({"spec": spec}, 15)
    assert (found.holder, found.seconds) == (holder, seconds)


def _claimed(lease: dict[str, Any] | None, holder: str, second: int) -> dict[str, Any]:
    now = NOW.replace(second=second)
    return claimed(lease, holder, 15, namespace="backup", name="ksnapshot-leader", now=now)


def test_a_lease_from_its_making_over_a_change_to_its_release() -> None:
    made = _claimed(None, OTHER, 1)
    assert made["metadata"]["name"] == "ksnapshot-leader"
    assert made["spec"] == {
        "holderIdentity": OTHER,
        "leaseDurationSeconds": 15,
        "acquireTime": "2026-01-01T00:00:01.000000Z",
        "renewTime": "2026-01-01T00:00:01.000000Z",
        "leaseTransitions": 0,
    }
    renewed = _claimed(made, OTHER, 2)["spec"]
    assert renewed == made["spec"] | {"renewTime": "2026-01-01T00:00:02.000000Z"}
    annotated = made | {"metadata": made["metadata"] | {"resourceVersion": "7", "labels": {}}}
    taken = _claimed(annotated, ME, 3)
    assert taken["metadata"] == annotated["metadata"]
    assert taken["spec"]["leaseTransitions"] == 1
    assert taken["spec"]["acquireTime"] == "2026-01-01T00:00:03.000000Z"
    free = released(taken, NOW)
    assert free["metadata"]["resourceVersion"] == "7"
    assert claim_of(free, 15).holder == ""
    assert _claimed(free, OTHER, 4)["spec"]["leaseTransitions"] == 2
