"""What passes tell, over restarts of the controller; nothing twice, and nothing never."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from controller.kube.client import Resource
from controller.loop.pass_state import PassState
from controller.model.fault_boundary import FaultBoundary
from controller.model.names import OVERDUE_TOLD_UNTIL, cronjob_name, verify_cronjob_name
from controller.plan import planner
from controller.plan.changes import Plan
from controller.plan.context import PlanContext
from controller.report.notifications.delivery import DeliveryCounts
from controller.report.notifications.notifier import Notifier
from controller.report.notifications.outbox import Outbox
from controller.report.notifications.overdue import OverdueWatch
from controller.report.transitions import Transition
from controller.runs.due import slack_of
from tests.fakes.kube_memory import Document, MemoryApi, unavailable
from tests.fakes.worlds import CONTROL, DB, NOW, asks, cluster, job, one_pass, settings, small
from tests.unit.controller.report.shown import NAME

_HOUR = 60


@dataclass
class Controller:
    """One process over some passes, whose messages nobody takes away."""

    api: MemoryApi
    box: Outbox = field(
        default_factory=lambda: Outbox(target="t", deliver=lambda _: True, counts=DeliveryCounts())
    )

    def __post_init__(self) -> None:
        self.state = PassState()
        slack = slack_of(settings())
        watch = OverdueWatch(kube=self.api, settings=settings(), slack=slack)
        self.clock: Callable[[], float] = iter(range(0, 10**9, 10**4)).__next__
        self.notifier = Notifier(
            settings=settings(), outboxes=(self.box,), watch=watch, clock=self.clock
        )

    def heard(self, minutes: float) -> list[tuple[str, int]]:
        """Occasions and counts of what one pass tells."""
        changed: list[Transition] = []
        result = one_pass(self.api, memory=self.state, minutes=minutes, tell=changed.append)
        changed += self.notifier.look(result, NOW.timestamp() + 60 * minutes)
        self.notifier.tell(changed)
        left = [*self.box._waiting]
        self.box._waiting.clear()
        return [(str(item.occasion), item.count) for item in left]


def world() -> MemoryApi:
    """A cluster with one workload, whose CronJob was made at midnight."""
    api = cluster(*small())
    assert Controller(api).heard(0) == []
    return api


def ends(api: MemoryApi, name: str, ended: str, how: str = "Failed") -> None:
    api.put(job(api.items["CronJob", CONTROL, DB], name, ended=ended, how=how))


def told_until(api: MemoryApi) -> str:
    found = api.items["ConfigMap", CONTROL, NAME]["metadata"]["annotations"][OVERDUE_TOLD_UNTIL]
    assert isinstance(found, str)
    return found


def test_a_process_tells_each_thing_once() -> None:
    api = world()
    controller = Controller(api)
    ends(api, "run-1", "2026-01-01T00:01:00Z")
    assert controller.heard(2) == [("failure", 1)]
    assert controller.heard(3) == []
    ends(api, "run-2", "2026-01-01T03:05:00Z")
    assert controller.heard(3 * _HOUR + 6) == []
    # Due at three, and four hours that a run may take, and a little.
    assert controller.heard(7 * _HOUR + 5) == []
    assert controller.heard(7 * _HOUR + 7) == [("overdue", 1)]
    assert controller.heard(7 * _HOUR + 8) == []
    ends(api, "run-3", "2026-01-01T07:09:00Z", how="Complete")
    assert controller.heard(7 * _HOUR + 10) == [("recovery", 1)]
    assert controller.heard(7 * _HOUR + 11) == []


def test_a_restart_before_every_pass_changes_nothing() -> None:
    api = world()
    ends(api, "run-1", "2026-01-01T00:01:00Z")
    heard = {
        minutes: found
        for minutes in (2, 3, 7 * _HOUR + 5, 7 * _HOUR + 7, 7 * _HOUR + 8, 30 * _HOUR)
        if (found := Controller(api).heard(minutes))
    }
    assert heard == {2: [("failure", 1)], 7 * _HOUR + 7: [("overdue", 1)]}


def test_a_change_of_the_cronjob_that_verifies_tells_nothing_again() -> None:
    api = cluster(*small(asks(verify_schedule="0 6 1 1 *")))
    assert Controller(api).heard(0) == []
    assert Controller(api).heard(7 * _HOUR + 7) == [("overdue", 1)]
    verifier = api.items["CronJob", CONTROL, verify_cronjob_name(DB)]
    api.put({**verifier, "spec": {**verifier["spec"], "schedule": "0 5 * * *"}})
    assert Controller(api).heard(7 * _HOUR + 8) == []
    assert api.items["CronJob", CONTROL, verify_cronjob_name(DB)]["spec"]["schedule"] != "0 5 * * *"


def test_what_fell_due_while_no_controller_ran_is_told_by_the_next_one() -> None:
    api = world()
    assert Controller(api).heard(48 * _HOUR) == [("overdue", 1)]
    assert Controller(api).heard(72 * _HOUR) == []


def test_a_replica_that_leads_again_tells_nothing_that_the_other_one_told() -> None:
    api = world()
    first, second = Controller(api), Controller(api)
    assert first.heard(0) == []
    first.notifier.forget()
    assert second.heard(24 * _HOUR) == [("overdue", 1)]
    second.notifier.forget()
    assert first.heard(24 * _HOUR + 1) == []


def test_what_was_overdue_before_anybody_was_told_of_anything_is_no_news() -> None:
    api = cluster(*small())
    one_pass(api)
    assert Controller(api).heard(48 * _HOUR) == []
    assert told_until(api) == "2026-01-03T00:00:00Z"


def test_the_status_keeps_the_moment_and_is_written_only_where_something_is_told() -> None:
    api = world()
    controller = Controller(api)
    assert told_until(api) == "2026-01-01T00:00:00Z"
    controller.heard(60)
    assert told_until(api) == "2026-01-01T00:00:00Z"
    controller.heard(8 * _HOUR)
    assert told_until(api) == "2026-01-01T08:00:00Z"
    # The status changes, and with it the ConfigMap, which keeps what is noted there.
    api.remove("Pod", "demo", "db-0")
    controller.heard(9 * _HOUR)
    assert "NoRunningPod" in str(api.items["ConfigMap", CONTROL, NAME]["data"])
    assert told_until(api) == "2026-01-01T08:00:00Z"


OTHER = cronjob_name("postgresql", "demo/other")


def two() -> MemoryApi:
    """A cluster whose second workload has to be good an hour after the first one."""
    api = cluster(*small(), *small(asks(schedule="0 4 * * *"), "other")[1:])
    assert Controller(api).heard(0) == []
    return api


def test_what_falls_due_while_no_cronjob_can_be_read_is_told_once_it_can() -> None:
    api = world()
    controller = Controller(api)
    assert controller.heard(1) == []
    api.fail("CronJob", CONTROL)
    assert controller.heard(7 * _HOUR + 7) == []
    api.failing.clear()
    assert controller.heard(7 * _HOUR + 8) == [("overdue", 1)]
    assert controller.heard(7 * _HOUR + 9) == []
    assert Controller(api).heard(7 * _HOUR + 10) == []


def test_what_falls_due_while_its_namespace_has_no_plan_is_told_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = world()
    controller = Controller(api)
    assert controller.heard(1) == []
    with monkeypatch.context() as patched:
        patched.setattr(planner, "plan", lambda *_: 1 / 0)
        assert controller.heard(7 * _HOUR + 7) == [("overdue", 1)]
        assert controller.heard(7 * _HOUR + 8) == []
    assert controller.heard(7 * _HOUR + 9) == []


@pytest.mark.parametrize("news", ["overdue", "recovery"])
def test_a_restart_loses_nothing_of_what_could_not_be_seen(
    monkeypatch: pytest.MonkeyPatch, news: str
) -> None:
    api = two()
    controller = Controller(api)
    assert controller.heard(1) == []
    first = api.items.pop(("CronJob", CONTROL, DB))
    read = api.get

    def get(resource: Resource, namespace: str, name: str, *, since: str = "") -> Document:
        if name == DB:
            raise unavailable(name)
        return read(resource, namespace, name, since=since)

    def plan(context: PlanContext, isolate: FaultBoundary) -> Plan:
        made = planned(context, isolate)
        seen = tuple(item for item in made.items if item.cronjob != DB)
        return Plan(items=seen, gone_passes=made.gone_passes)

    planned = planner.plan
    with monkeypatch.context() as patched:
        patched.setattr(planner, "plan", plan)
        patched.setattr(api, "get", get)
        assert controller.heard(8 * _HOUR + 7) == [("overdue", 1)]
        # It is the moment of the one that was not seen.
        assert told_until(api) == "2026-01-01T00:01:00Z"
        shown = len(api.shown)
        assert controller.heard(8 * _HOUR + 8) == []
        assert len(api.shown) == shown
    api.items["CronJob", CONTROL, DB] = first
    if news == "recovery":
        ends(api, "run-1", "2026-01-01T08:08:00Z", how="Complete")
    assert controller.heard(8 * _HOUR + 9) == [(news, 1)]
    assert told_until(api) == "2026-01-01T08:09:00Z"
    assert Controller(api).heard(8 * _HOUR + 10) == []


@pytest.mark.parametrize("restarts", [False, True])
def test_a_deadline_that_is_lowered_until_it_has_passed_is_told(*, restarts: bool) -> None:
    api = world()
    controller = Controller(api)
    assert controller.heard(5 * _HOUR) == []
    for item in small(asks(deadline_seconds="600")):
        api.put(item)
    if restarts:
        # As if another workload had been told of.
        noted = api.items["ConfigMap", CONTROL, NAME]["metadata"]["annotations"]
        noted[OVERDUE_TOLD_UNTIL] = "2026-01-01T05:00:00Z"
        controller = Controller(api)
    assert controller.heard(5 * _HOUR + 1) == [("overdue", 1)]
    assert controller.heard(5 * _HOUR + 2) == []
    assert Controller(api).heard(5 * _HOUR + 3) == []


def test_a_cronjob_that_is_gone_is_asked_for_once() -> None:
    api = two()
    controller = Controller(api)
    assert controller.heard(1) == []
    for kind, space, name in [*api.items]:
        if "other" in name and kind != "Secret":
            api.remove(kind, space, name)
    assert controller.heard(2) == []
    asked = ("get", "CronJob", OTHER)
    before = api.reads.count(asked)
    assert before
    assert controller.heard(7 * _HOUR + 7) == [("overdue", 1)]
    assert api.reads.count(asked) == before
    assert told_until(api) == "2026-01-01T07:07:00Z"


def test_what_cannot_be_read_or_noted_waits_and_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = world()
    trouble = unavailable("status")
    controller = Controller(api)
    api.failing["ConfigMap", CONTROL] = trouble
    assert controller.heard(8 * _HOUR) == []
    assert controller.heard(8 * _HOUR + 1) == []
    api.failing.clear()
    api.unwritable["ConfigMap", CONTROL] = trouble
    assert controller.heard(8 * _HOUR + 2) == [("overdue", 1)]
    assert told_until(api) == "2026-01-01T00:00:00Z"
    assert controller.heard(8 * _HOUR + 3) == []
    api.unwritable.clear()
    assert controller.heard(8 * _HOUR + 4) == []
    assert told_until(api) == "2026-01-01T08:04:00Z"
    # Once for each trouble, however many passes have it.
    lines = [item.message for item in caplog.records]
    assert lines.count("what is overdue not noted") == 1
