"""How the controller connects, and in which order it ends."""

from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from controller.cli import run as module
from controller.kube.client import CallCounts
from tests.fakes.kube_memory import MemoryApi
from tests.fakes.worlds import settings


def test_another_replica_may_lead_before_the_last_messages_are_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = list[str]()
    leader = SimpleNamespace(
        start=lambda: done.append("start"),
        release=lambda: done.append("release"),
        leads=lambda: True,
        seconds_left=lambda: 1.0,
    )
    notifier = SimpleNamespace(close=lambda: done.append("close"))
    server = SimpleNamespace(shutdown=lambda: done.append("shutdown"))
    for name, stand_in in {
        "load_settings": settings,
        "connect": lambda *_, **__: None,
        "_leadership": lambda *_: leader,
        "start_notifier": lambda *_: notifier,
        "_serve": lambda *_: [server],
        "run_forever": lambda *_: done.append("passes"),
        "log": SimpleNamespace(configure=lambda **_: None),
    }.items():
        monkeypatch.setattr(module, name, stand_in)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    ended = CliRunner().invoke(module.run, [])
    assert (ended.exit_code, ended.output) == (0, "")
    assert done == ["start", "passes", "release", "close", "shutdown"]


def test_a_request_for_the_lease_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def connect(*_: Any, **options: Any) -> MemoryApi:
        asked.append((options["attempts"], options["timeout"]))
        return MemoryApi()

    monkeypatch.setattr(module, "connect", connect)
    module._leadership(settings(LEADER_ELECTION="true"), CallCounts())
    assert asked == [(1, 5)]
