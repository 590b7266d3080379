"""What passes tell people, until the process is asked to stop."""

from threading import Event

import pytest

from controller.kube.client import CallCounts
from controller.loop import runner
from controller.loop.leader import Alone
from controller.loop.runner import Reports
from controller.report.http_server import Health
from controller.report.metrics.metrics import Metrics
from controller.report.notifications.delivery import DeliveryCounts
from controller.report.notifications.notifier import Notifier
from controller.report.notifications.outbox import Outbox
from controller.report.page.status_page import StatusPage
from tests.fakes.kube_memory import MemoryApi
from tests.fakes.worlds import CONTROL, DB, cluster, job, one_pass, settings, small


@pytest.fixture(autouse=True)
def garbage_collection_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_tune_garbage_collection", lambda: None)


def failed_run() -> MemoryApi:
    """A cluster with a run that failed, which no pass has seen yet."""
    api = cluster(*small())
    one_pass(api)
    api.put(job(api.items["CronJob", CONTROL, DB], ended="2026-01-01T00:01:00Z", how="Failed"))
    return api


def told(api: MemoryApi) -> list[str]:
    """The titles of what one pass and the end of the process leave in an outbox."""
    stopping, titles = Event(), list[str]()

    class Box(Outbox):
        def close(self, seconds: float) -> None:
            titles.extend(item.title for item in self._waiting)
            super().close(seconds)

    how = settings()
    box = Box(target="t", deliver=lambda _: True, counts=DeliveryCounts())

    class Stopping(Notifier):
        """Ends the process once a pass has told what it found."""

        def tell(self, transitions: object) -> None:
            super().tell(transitions)  # type: ignore[arg-type]
            stopping.set()

    notifier = Stopping(settings=how, outboxes=(box,))
    reports = Reports(
        health=Health(how),
        metrics=Metrics(how, CallCounts()),
        page=StatusPage(how),
        notifier=notifier,
    )
    runner.run_forever(api, how, stopping, reports, Alone())
    notifier.close(0)
    return titles


def test_a_pass_tells_what_it_has_written() -> None:
    api = failed_run()
    assert told(api) == ["ksnapshot: 1 backup failed (other)"]
    assert told(api) == []


def test_a_pass_that_breaks_off_tells_what_it_has_written_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = failed_run()
    monkeypatch.setattr("controller.loop.reconcile.running_since", lambda *_: 1 / 0)
    assert told(api) == ["ksnapshot: 1 backup failed (other)"]
