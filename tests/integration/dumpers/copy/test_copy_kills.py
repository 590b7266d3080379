"""Ends a copy at each of its requests: the target lists no backup that cannot be read, and the
copy that is repeated is whole.

`KSNAPSHOT_FAULTS=all` ends it at every request in both ways, otherwise at a few by
`KSNAPSHOT_FAULT_SEED`.
"""

import os
import random
from contextlib import suppress
from typing import Literal

import pytest

from dumpers.runtime.errors import StorageFailedError
from tests.integration.dumpers.copy.copied_world import World
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Cut, Rule, Side
from tests.testbed.stores.s3 import S3Server

_SOME = 8
# The request does not arrive, or does its work and the answer is lost.
_SIDES: tuple[Side, Side] = ("request", "response")
_OF: tuple[Literal["source_url", "target_url"], ...] = ("source_url", "target_url")


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("of", _OF)
def test_a_copy_that_is_ended_at_any_request(
    s3: S3Server, faults: Faults, of: Literal["source_url", "target_url"]
) -> None:
    proxy = faults.http(s3.port)
    assert _copy(World.make(s3), of, proxy.url)
    count = len(proxy.settled())
    assert count > 4
    cases = [(number, side) for number in range(1, count + 1) for side in _SIDES]
    if os.environ.get("KSNAPSHOT_FAULTS") != "all":
        dice = random.Random(os.environ.get("KSNAPSHOT_FAULT_SEED", "1"))
        cases = dice.sample(cases, _SOME)
    for number, side in cases:
        world = World.make(s3)
        proxy.set(
            Rule(Cut(of=side), nth=number),
            Rule(Cut(of="request"), since=number + 1),
        )
        with suppress(StorageFailedError):
            _copy(world, of, proxy.url)
        at = f"{of}, request {number}, {side} cut"
        entry = world.entry()
        assert entry is None or not entry.is_restorable or world.is_whole(), at
        proxy.clear()
        assert _copy(world, of, proxy.url), at
        entry = world.entry()
        assert entry is not None, at
        assert entry.is_restorable, at
        assert world.is_whole(), at


def _copy(world: World, of: Literal["source_url", "target_url"], url: str) -> bool:
    if of == "source_url":
        return world.copy(source_url=url).succeeded
    return world.copy(target_url=url).succeeded
