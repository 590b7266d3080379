"""Which moment `ksnapshot accept` writes on a CronJob."""

import json

import pytest

from controller.client.cluster.workload_names import Workload
from controller.client.retention.accepted import accepted_until, later_of
from controller.model.names import HISTORY
from controller.runs.history import PastRun
from controller.runs.retention.shrinking import is_shrunk

_ENDS = ("2026-01-04T03:05:00Z", "2026-01-03T03:05:00Z", "2026-01-02T03:05:00Z")


def _workload(*, failed: str = "", broken: str = "") -> Workload:
    runs = [
        {"finished": end, "outcome": "failed" if end == failed else "succeeded"} for end in _ENDS
    ]
    text = broken or json.dumps(runs)
    cronjob = {"metadata": {"name": "c", "annotations": {HISTORY: text}}}
    return Workload(namespace="n", name="db", kind="", type="postgresql", cronjob=cronjob)


@pytest.mark.parametrize(
    ("began", "until"),
    [
        ("2026-01-03T03:00:00Z", _ENDS[1]),
        ("2026-01-04T03:00:00Z", _ENDS[0]),
        # Older than all that are recorded, and newer.
        ("2025-06-01T03:00:00Z", _ENDS[2]),
        ("2026-01-05T03:00:00Z", "2026-01-05T03:00:00Z"),
        ("soon", "soon"),
    ],
)
def test_the_end_of_the_run_that_is_accepted(began: str, until: str) -> None:
    assert accepted_until(_workload(), began) == until


def test_a_run_that_failed_is_not_the_backups() -> None:
    began = "2026-01-03T03:00:00Z"
    assert accepted_until(_workload(failed=_ENDS[1]), began) == _ENDS[0]
    assert accepted_until(_workload(broken="{"), began) == began


def test_what_is_accepted_is_not_shrunk_any_more() -> None:
    sizes = (10, 100, 100, 100, 100)
    runs = tuple(
        PastRun(
            finished=f"2026-01-0{5 - age}T03:05:00Z",
            outcome="succeeded",
            reason="",
            seconds=1,
            bytes=size,
        )
        for age, size in enumerate(sizes)
    )
    assert is_shrunk(runs)
    text = json.dumps([{"finished": run.finished, "outcome": run.outcome} for run in runs])
    accepted = accepted_until(_workload(broken=text), "2026-01-05T03:00:00Z")
    assert not is_shrunk(runs, accepted)
    # The one before it was accepted, and not this one.
    assert is_shrunk(runs, accepted_until(_workload(broken=text), "2026-01-04T03:00:00Z"))


@pytest.mark.parametrize(
    ("one", "other", "later"),
    [
        (_ENDS[0], _ENDS[1], _ENDS[0]),
        (_ENDS[1], _ENDS[0], _ENDS[0]),
        ("", _ENDS[1], _ENDS[1]),
        ("yesterday", _ENDS[1], _ENDS[1]),
    ],
)
def test_the_later_of_two_moments(one: str, other: str, later: str) -> None:
    assert later_of(one, other) == later
