"""Ends a prune at each of its requests: no backup is listed that cannot be read, and the next
prune brings about what an unhurt one does.

`KSNAPSHOT_FAULTS=all` ends it at every request in both ways, otherwise at a few by
`KSNAPSHOT_FAULT_SEED`.
"""

import os
import random

import pytest

from dumpers.runtime.errors import StorageFailedError
from tests.integration.dumpers.retention.pruned_world import World, fill
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Cut, Rule, Side
from tests.testbed.stores.s3 import S3Server

_SOME = 8
# The request does not arrive, or does its work and the answer is lost.
_SIDES: tuple[Side, Side] = ("request", "response")


@pytest.mark.timeout(7200)
def test_a_prune_that_is_ended_at_any_request(s3: S3Server, faults: Faults) -> None:
    proxy = faults.http(s3.port)
    unhurt = fill(_world(s3))
    assert unhurt.prune(url=proxy.url)[0].succeeded
    goal = unhurt.left()
    count = len(proxy.settled())
    cases = [(number, side) for number in range(1, count + 1) for side in _SIDES]
    if os.environ.get("KSNAPSHOT_FAULTS") != "all":
        dice = random.Random(os.environ.get("KSNAPSHOT_FAULT_SEED", "1"))
        cases = dice.sample(cases, _SOME)
    for number, side in cases:
        world = fill(_world(s3))
        before = world.ids()
        proxy.set(
            Rule(Cut(of=side), nth=number),
            Rule(Cut(of="request"), since=number + 1),
        )
        _end(world, proxy.url)
        at = f"request {number}, {side} cut"
        assert world.unreadable() == [], at
        assert unhurt.ids() <= world.ids() <= before, at
        proxy.clear()
        assert world.prune(url=proxy.url)[0].succeeded, at
        assert world.unreadable() == [], at
        assert world.left() == goal, at


def _world(s3: S3Server) -> World:
    return World(s3=s3, bucket=s3.create_bucket(f"b-{random.Random().getrandbits(40):x}"))


def _end(world: World, url: str) -> None:
    """A prune whose store is away from some request on."""
    try:
        assert not world.prune(url=url)[0].succeeded
    except StorageFailedError:
        return
