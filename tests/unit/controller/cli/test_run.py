"""How the controller connects before it runs."""

from typing import Any

import pytest

from controller.cli import run
from controller.kube.client import CallCounts
from tests.fakes.kube_memory import MemoryApi
from tests.fakes.worlds import settings


def test_a_request_for_the_lease_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def connect(*_: Any, **options: Any) -> MemoryApi:
        asked.append((options["attempts"], options["timeout"]))
        return MemoryApi()

    monkeypatch.setattr(run, "connect", connect)
    run._leadership(settings(LEADER_ELECTION="true"), CallCounts())
    assert asked == [(1, 5)]
