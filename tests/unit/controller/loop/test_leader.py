"""Replicas on one Lease, with clocks that stand anywhere and requests that get lost."""

from collections.abc import Callable, Mapping
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.kube.client import LEASES, Resource
from controller.loop import leader as module
from controller.loop.leader import Alone, Leader, lease_name, request_seconds
from tests.fakes.kube_memory import Document, MemoryApi, unavailable
from tests.fakes.worlds import CONTROL, settings

SETTINGS = settings(LEASE_DURATION_SECONDS="15")
KEY = ("Lease", CONTROL, "ksnapshot-leader")


class _World:
    """One API server and one time for several replicas."""

    def __init__(self) -> None:
        self.api, self.now = MemoryApi(), 0.0

    def replica(self, name: str, skew: float = 0.0, api: MemoryApi | None = None) -> Leader:
        return Leader(api or self.api, SETTINGS, identity=name, clock=lambda: self.now + skew)

    def round(self, leader: Leader, at: float) -> bool:
        """A round at that time, and whether the replica leads then."""
        self.now = at
        leader.round()
        return leader.take_up(0)

    @property
    def holder(self) -> str:
        return str(self.api.items[KEY]["spec"]["holderIdentity"])


def test_the_first_one_leads_and_the_other_one_follows() -> None:
    world = _World()
    one, other = world.replica("one"), world.replica("other", skew=-1e6)
    assert not one.leads()
    assert not one.follows()
    assert world.round(one, 0)
    assert not world.round(other, 1)
    assert (one.follows(), other.follows()) == (False, True)
    assert lease_name(SETTINGS) == KEY[2]
    for second in range(2, 60, 2):
        assert world.round(one, second)
        assert not world.round(other, second)
    # A renewal is one write and no read.
    leases = [read for read in world.api.reads if read[1] == LEASES.kind]
    assert leases.count(("get", LEASES.kind, KEY[2])) == 1 + 29 + 1 + 29 - 1 + 1


def test_a_replica_that_cannot_renew_stops_before_another_one_begins() -> None:
    world = _World()
    one, other = world.replica("one"), world.replica("other")
    assert world.round(one, 0)
    assert not world.round(other, 2)
    world.api.unwritable["Lease", CONTROL] = unavailable("lease")
    world.round(one, 2)
    world.now = 9.9
    assert one.leads()
    assert 0 < one.seconds_left() < 0.2
    world.now = 10
    assert not one.leads()
    assert one.seconds_left() == 0
    world.api.unwritable.clear()
    assert not world.round(other, 16.9)
    assert world.round(other, 17)
    assert not world.round(one, 18)
    assert one.follows()
    assert world.holder == "other"


def test_a_term_that_ended_is_not_served_when_the_replica_leads_again() -> None:
    world = _World()
    one = world.replica("one")
    assert world.round(one, 0)
    # It was stopped for longer than the Lease; nobody else was there.
    world.now = 60
    assert not one.leads()
    one.round()
    assert not one.leads(), "its old work goes on"
    assert one.seconds_left() == 0
    assert one.take_up(0)
    assert one.leads()


def test_who_finds_another_one_leads_no_more_at_once() -> None:
    world = _World()
    one = world.replica("one")
    assert world.round(one, 0)
    lease = world.api.items[KEY]
    world.api.put(lease | {"spec": lease["spec"] | {"holderIdentity": "other"}})
    assert not world.round(one, 1)
    assert not world.round(one, 15.9)
    assert world.round(one, 16)


def test_a_lease_that_is_deleted_goes_to_nobody_else_while_its_holder_may_act() -> None:
    world = _World()
    one, other = world.replica("one"), world.replica("other")
    assert world.round(one, 0)
    assert not world.round(other, 1)
    world.api.remove(*KEY)
    assert not world.round(other, 2)
    assert world.round(one, 3)
    assert world.holder == "one"


def test_a_release_lets_another_one_lead_at_once_and_only_the_holder_can() -> None:
    world = _World()
    one, other = world.replica("one"), world.replica("other")
    assert world.round(one, 0)
    assert not world.round(other, 1)
    other.release()
    assert world.holder == "one"
    one.release()
    assert not one.leads()
    assert world.round(other, 2)
    one.release()
    assert world.holder == "other"


def test_alone_needs_no_lease() -> None:
    alone = Alone()
    assert alone.take_up(0)
    assert alone.leads()
    assert not alone.follows()
    assert alone.seconds_left() > 1e9


def test_two_requests_fit_into_the_time_that_a_renewal_counts() -> None:
    assert request_seconds(SETTINGS) == 5


def test_a_request_for_a_long_lease_is_no_long_one() -> None:
    assert request_seconds(settings(LEASE_DURATION_SECONDS="600")) == 10


class _Hanging(MemoryApi):
    """An API server whose answers to writes do not come, from some moment on."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answers = Event(), Event()
        self.answers.set()

    def replace(self, resource: Resource, namespace: str, body: Mapping[str, Any]) -> Document:
        self.asked.set()
        self.answers.wait(60)
        return super().replace(resource, namespace, body)


def test_the_end_waits_for_no_request_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LAST_ROUND", 0.01)
    world, api = _World(), _Hanging()
    one = world.replica("one", api=api)
    assert world.round(one, 0)
    api.answers.clear()
    one.start()
    api.asked.wait()
    one.release()
    assert not one.leads()
    # Nobody knows what becomes of the renewal: another write would cross it.
    assert api.items[KEY]["spec"]["holderIdentity"] == "one"
    api.answers.set()


class _Wire(MemoryApi):
    """A connection whose requests and answers take time, or are lost."""

    def __init__(self, world: _World) -> None:
        super().__init__()
        self._world = world
        self.before = self.after = 0.0
        self.lost = ""

    def get(self, resource: Resource, namespace: str, name: str, *, since: str = "") -> Document:
        return self._ask(lambda: self._world.api.get(resource, namespace, name))

    def create(self, resource: Resource, namespace: str, body: Mapping[str, Any]) -> Document:
        return self._ask(lambda: self._world.api.create(resource, namespace, body))

    def replace(self, resource: Resource, namespace: str, body: Mapping[str, Any]) -> Document:
        return self._ask(lambda: self._world.api.replace(resource, namespace, body))

    def _ask(self, ask: Callable[[], Document]) -> Document:
        self._world.now += self.before
        if self.lost == "request":
            raise unavailable("lost")
        try:
            return ask()
        finally:
            self._world.now += self.after
            if self.lost == "answer":
                raise unavailable("lost")


_TIMES = st.sampled_from([0.0, 0.1, 1.9, 4.0, 9.9, 10.0, 10.1, 15.0, 40.0])
_STEPS = st.tuples(
    st.sampled_from([0, 1, 2]), _TIMES, _TIMES, _TIMES, st.sampled_from(["", "request", "answer"])
)


@given(st.lists(_STEPS, max_size=40))
def test_two_never_lead_at_once_and_in_the_end_one_does(
    steps: list[tuple[int, float, float, float, str]],
) -> None:
    world = _World()
    wires = [_Wire(world) for _ in range(3)]
    skews = (0.0, 1e7, -3e6)
    leaders = [
        world.replica(str(at), skew, wire)
        for at, (wire, skew) in enumerate(zip(wires, skews, strict=True))
    ]

    def leading() -> int:
        return sum(leader.take_up(0) for leader in leaders)

    for which, pause, before, after, lost in steps:
        world.now += pause
        assert leading() <= 1
        wire = wires[which]
        wire.before, wire.after, wire.lost = before, after, lost
        leaders[which].round()
        assert leading() <= 1
    for wire in wires:
        wire.before = wire.after = 0.0
        wire.lost = ""
    for _ in range(20):
        world.now += 2
        for leader in leaders:
            leader.round()
            assert leading() <= 1
    assert leading() == 1
