"""Passes begin and end with the lead; what one term knew is no use to the next."""

from collections.abc import Callable
from threading import Event

import pytest

from controller.kube.client import CallCounts
from controller.loop import runner
from controller.loop.runner import Reports, run_forever
from controller.report.http_server import Health
from controller.report.metrics.metrics import Metrics
from controller.report.notifications.notifier import Notifier
from controller.report.page.status_page import StatusPage
from tests.fakes.kube_memory import MemoryApi
from tests.fakes.worlds import cluster, settings, small

SETTINGS = settings(POLL_INTERVAL_SECONDS="1")


@pytest.fixture(autouse=True)
def _same_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """The garbage collector of all tests is left as it is."""
    monkeypatch.setattr(runner, "_tune_garbage_collection", lambda: None)


class _Leadership:
    """A lead that comes and goes as a test says: `looks` is called while it is waited for."""

    def __init__(self, looks: Callable[[], bool]) -> None:
        self.leading, self.looks = False, looks

    def start(self) -> None:
        raise AssertionError

    def release(self) -> None:
        raise AssertionError

    def take_up(self, seconds: float) -> bool:
        self.leading = self.looks()
        return self.leading

    def leads(self) -> bool:
        return self.leading

    def follows(self) -> bool:
        return True

    def seconds_left(self) -> float:
        raise AssertionError


class _Run:
    """A run that ends when the looks for the lead are used up; each write costs the lead."""

    def __init__(self, looks: str) -> None:
        self.api: MemoryApi = cluster(*small())
        self.api.on_write = self._lose
        self.stopping, self.health = Event(), Health(SETTINGS)
        self.looks = looks.split()
        self.seen: list[tuple[bool, str]] = []
        self.leadership = _Leadership(self._look)
        self.metrics = Metrics(SETTINGS, CallCounts(), leads=self.leadership.leads)

    def forever(self) -> None:
        run_forever(
            self.api,
            SETTINGS,
            self.stopping,
            Reports(
                health=self.health,
                metrics=self.metrics,
                page=StatusPage(SETTINGS),
                notifier=Notifier(settings=SETTINGS, outboxes=()),
            ),
            self.leadership,
        )

    def _look(self) -> bool:
        text = self.metrics.exposition().text.decode()
        self.seen.append((self.health.ready(), "of workloads" if "workloads" in text else ""))
        if not self.looks:
            self.stopping.set()
            return False
        return self.looks.pop(0) == "leads"

    def _lose(self, moment: str) -> None:
        if moment == "after":
            self.leadership.leading = False


def test_who_does_not_lead_does_no_pass_and_is_ready_once_it_follows() -> None:
    run = _Run("follows follows")
    run.forever()
    assert run.api.reads == []
    assert run.api.writes == []
    assert run.seen == [(False, ""), (True, ""), (True, "")]


def test_a_pass_ends_where_the_lead_is_lost_and_the_next_term_begins_anew() -> None:
    run = _Run("leads follows leads")
    run.forever()
    # The first term made the CronJob and nothing else, no ConfigMap either; the second its Secret.
    assert [kind for _, kind, _ in run.api.writes] == ["CronJob", "Secret"]
    assert run.api.shown == []
    # Who remembers the first pass would not read the pod again.
    assert run.api.reads.count(("get", "Pod", "db-0")) == 2
    # Ready is who follows, not who has just got the lead, or lost it in its first pass.
    assert run.seen == [(False, ""), (False, ""), (True, ""), (False, "")]
