"""What is read of prunes, how often, and what becomes of it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.kube.client import CallCounts
from controller.loop.pass_state import PassState
from controller.model.names import DRY_RUN, INSTANCE, STORAGE
from controller.plan.changes import PassResult
from controller.report.metrics.metrics import Metrics
from controller.runs.retention.prunes import prune_due
from dumpers.contract.retention.result import PruneResult
from tests.fakes.kube_memory import Document, MemoryApi, unavailable
from tests.fakes.worlds import CONTROL, DB, cluster, one_pass, settings, small

_RESULT = PruneResult(
    succeeded=True,
    exit_code=0,
    reason="Succeeded",
    message="",
    workloads=3,
    kept=9,
    deleted=4,
    freed_bytes=1024,
    held_back=2,
    shrunk=1,
    held_back_cronjobs=("ksnapshot-a",),
)


def _prune(
    api: MemoryApi, name: str, ended: str = "", how: str = "Complete", **marks: str
) -> Document:
    condition = {"type": how, "status": "True", "reason": "Test", "lastTransitionTime": ended}
    return api.put(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": name,
                "namespace": CONTROL,
                "uid": name,
                "creationTimestamp": "2025-12-31T04:17:00Z",
                "labels": {"app.kubernetes.io/component": "prune"},
                "annotations": {INSTANCE: settings().instance, **marks},
            },
            "spec": {"activeDeadlineSeconds": 600},
            "status": {
                "conditions": [condition] if ended else [],
                **({"completionTime": ended} if how == "Complete" else {}),
            },
        }
    )


def _pod(api: MemoryApi, of: Document, message: str, code: int = 0) -> None:
    name = of["metadata"]["name"]
    ended = {"exitCode": code, "message": message, "finishedAt": "2026-01-01T00:00:00Z"}
    api.put(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{name}-abcde",
                "namespace": CONTROL,
                "labels": {"job-name": name},
                "ownerReferences": [{"kind": "Job", "name": name, "uid": of["metadata"]["uid"]}],
            },
            "status": {
                "phase": "Succeeded" if code == 0 else "Failed",
                "containerStatuses": [{"name": "job", "state": {"terminated": ended}}],
            },
        }
    )


def _converged() -> tuple[MemoryApi, PassState]:
    api, state = cluster(*small()), PassState()
    for minutes in range(3):
        one_pass(api, memory=state, minutes=minutes)
    return api, state


def _status(api: MemoryApi) -> Mapping[str, Any]:
    found = api.items["ConfigMap", CONTROL, "ksnapshot-status"]["data"]["workloads.json"]
    document: Mapping[str, Any] = json.loads(found)
    return document


def _reads(api: MemoryApi, state: PassState, minutes: float) -> tuple[PassResult, list[Any], int]:
    """Do a pass; return its result, what it read of pods, and how much it wrote."""
    api.reads.clear()
    before = len(api.writes) + len(api.shown)
    result = one_pass(api, memory=state, minutes=minutes)
    pods = [read for read in api.reads if read[:2] == ("list", "Pod")]
    return result, pods, len(api.writes) + len(api.shown) - before


def test_a_prune_is_read_once_and_written_once() -> None:
    api, state = _converged()
    assert "prune" not in _status(api)
    running = _prune(api, "prune-1")
    result, pods, writes = _reads(api, state, 3)
    assert (result.prunes.last, pods, writes) == (None, [], 0)

    done = _prune(api, "prune-1", ended="2026-01-01T00:03:30Z")
    assert done["metadata"]["uid"] == running["metadata"]["uid"]
    _pod(api, done, _RESULT.to_json())
    result, pods, writes = _reads(api, state, 4)
    assert (len(pods), writes) == (1, 1)
    assert [prune.job for prune in result.prunes.new] == ["prune-1"]
    shown = _status(api)["prune"]
    assert (shown["outcome"], shown["deleted"], shown["held_back"]) == ("succeeded", 4, 2)
    assert shown["held_back_cronjobs"] == ["ksnapshot-a"]
    assert shown["last_success"] == "2026-01-01T00:03:30Z"

    result, pods, writes = _reads(api, state, 5)
    assert (result.prunes.new, pods, writes) == ((), [], 0)
    assert result.prunes.last


def test_another_process_reads_it_again_and_counts_it_not() -> None:
    api, state = _converged()
    _pod(api, _prune(api, "prune-1", ended="2026-01-01T00:03:30Z"), _RESULT.to_json())
    _reads(api, state, 4)
    result, pods, writes = _reads(api, PassState(), 5)
    assert result.prunes.last
    assert result.prunes.last.result == _RESULT
    assert (result.prunes.new, len(pods), writes) == ((), 1, 0)


def test_no_answer_leaves_what_is_known() -> None:
    api, state = _converged()
    _pod(api, _prune(api, "prune-1", ended="2026-01-01T00:03:30Z"), _RESULT.to_json())
    _reads(api, state, 4)
    shown = _status(api)
    api.fail("Job", CONTROL, unavailable("jobs"))
    result, _, _ = _reads(api, state, 5)
    assert result.prunes.last
    assert _status(api) == shown
    # Not even by a process that never saw it.
    result, _, _ = _reads(api, PassState(), 6)
    assert not result.prunes.is_known
    assert _status(api)["prune"] == shown["prune"]


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        (
            PruneResult(
                succeeded=False, exit_code=21, reason="StorageRefused", message="no right"
            ).to_json(),
            21,
            "StorageRefused",
        ),
        ("", 137, "Error"),
        ("{}", 1, "Test"),
    ],
)
def test_a_prune_that_failed_says_why(message: str, code: int, reason: str) -> None:
    api, state = _converged()
    good = _prune(api, "prune-0", ended="2026-01-01T00:02:30Z")
    _pod(api, good, _RESULT.to_json())
    _pod(api, _prune(api, "prune-1", ended="2026-01-01T00:03:30Z", how="Failed"), message, code)
    result, _, _ = _reads(api, state, 4)
    last, success = result.prunes.last, result.prunes.last_success
    assert last
    assert success
    assert (last.job, last.succeeded, success.job) == ("prune-1", False, "prune-0")
    if reason != "Test":
        assert last.reason == reason


def test_a_rehearsal_is_no_prune() -> None:
    api, state = _converged()
    made = _prune(api, "prune-1", ended="2026-01-01T00:03:30Z", **{DRY_RUN: "true"})
    _pod(api, made, _RESULT.to_json())
    result, pods, writes = _reads(api, state, 4)
    assert (result.prunes.last, pods, writes) == (None, [], 0)


def test_figures_of_prunes() -> None:
    known = settings(PRUNE_ENABLED="true", PRUNE_SCHEDULE="17 4 * * *")
    api, state = _converged()
    metrics = Metrics(known, CallCounts())

    def figures(minutes: float) -> dict[str, float]:
        result = one_pass(api, known, state, minutes)
        metrics.update(result, {}, 0)
        lines = metrics.exposition().text.decode().splitlines()
        found = [line.rsplit(" ", 1) for line in lines if line.startswith("ksnapshot_prune_")]
        return {name.removeprefix("ksnapshot_prune_"): float(value) for name, value in found}

    # Nobody knows a deadline before the first one; the chart's is six hours.
    assert figures(3) == {"due_timestamp_seconds": 1767241020.0 + 21600 + 360}
    _pod(api, _prune(api, "prune-1", ended="2026-01-01T00:03:30Z"), _RESULT.to_json())
    ended = 1767225810.0
    expected = {
        "last_success_timestamp_seconds": ended,
        "last_attempt_timestamp_seconds": ended,
        # 04:17 of that day, ten minutes for the run, and what a pass may take.
        "due_timestamp_seconds": 1767241020.0 + 600 + 360,
        'last_status{reason="Succeeded"}': 1,
        "held_back_backups": 2,
        "shrunk_backups": 1,
        "left_objects": 0,
        "deleted_backups_total": 4,
        "freed_bytes_total": 1024,
    }
    assert figures(4) == expected
    assert figures(5) == expected
    # Another storage, later: what is due is of the older one, what is held back of both.
    more = _prune(api, "prune-far", ended="2026-01-01T00:05:30Z", **{STORAGE: "offsite"})
    _pod(api, more, _RESULT.to_json())
    assert figures(6) == expected | {
        "last_attempt_timestamp_seconds": ended + 120,
        "held_back_backups": 4,
        "shrunk_backups": 2,
        "deleted_backups_total": 8,
        "freed_bytes_total": 2048,
    }


def test_a_prune_that_never_ran_is_late_however_often_the_controller_restarts() -> None:
    known = settings(PRUNE_ENABLED="true", PRUNE_SCHEDULE="17 4 * * *")
    api, _ = _converged()
    pod = {"containers": [], "serviceAccountName": "pruner"}
    template = {
        "labels": {"app.kubernetes.io/component": "prune"},
        "annotations": {INSTANCE: known.instance},
    }
    api.put(
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {
                "name": "ksnapshot-prune",
                "namespace": CONTROL,
                "uid": "prune",
                "creationTimestamp": "2025-12-01T00:00:00Z",
                "labels": {"app.kubernetes.io/component": "prune"},
            },
            "spec": {
                "jobTemplate": {
                    "metadata": template,
                    "spec": {"template": {"spec": pod}},
                }
            },
        }
    )

    def due(state: PassState, minutes: float) -> float:
        result = one_pass(api, known, state, minutes)
        found = prune_due(result.prunes, known, 0)
        assert found is not None
        return found

    day = 86400
    state = PassState()
    first = due(state, 10)
    assert first == due(state, 11) == due(PassState(), 2 * day / 60)
    assert first < datetime(2025, 12, 2, tzinfo=UTC).timestamp()
    # Without the right to list them, as long as this process lives.
    api.fail("CronJob", CONTROL)
    state = PassState()
    assert due(state, 3 * day / 60) == due(state, 4 * day / 60) > first


def test_the_people_of_a_workload_are_told_what_is_held_back() -> None:
    api, state = _converged()
    api.events.clear()
    result = replace(_RESULT, held_back_cronjobs=(DB,), shrunk_cronjobs=())
    _pod(api, _prune(api, "prune-1", ended="2026-01-01T00:03:30Z"), result.to_json())
    one_pass(api, memory=state, minutes=4)
    [told] = api.events
    assert (told["reason"], told["type"]) == ("BackupsHeldBack", "Warning")
    assert told["involvedObject"]["name"] == "db"
    one_pass(api, memory=state, minutes=5)
    assert len(api.events) == 1
    # The next one finds that they are covered.
    better = replace(_RESULT, held_back_cronjobs=())
    _pod(api, _prune(api, "prune-2", ended="2026-01-01T00:05:30Z"), better.to_json())
    one_pass(api, memory=state, minutes=6)
    one_pass(api, memory=state, minutes=120)
    assert len(api.events) == 1
