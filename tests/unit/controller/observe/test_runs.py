"""What is read of the runs of CronJobs: no more than their open questions ask for."""

import json
from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.model.names import LAST_RESULT, SELECTOR
from controller.plan.changes import PassResult
from tests.fakes.kube_memory import Document, MemoryApi, unavailable
from tests.fakes.worlds import CONTROL, DB, cluster, job, one_pass, small

BEGAN = "2026-01-01T00:00:00Z"


def converged() -> tuple[MemoryApi, PassState]:
    api, state = cluster(*small()), PassState()
    one_pass(api, memory=state)
    one_pass(api, memory=state, minutes=1)
    return api, state


def add_job(api: MemoryApi, *, failed_at: str = "") -> Document:
    made = job(api.items["CronJob", CONTROL, DB], ended=failed_at, how="Failed")
    made["status"]["startTime"] = BEGAN
    return api.put(made)


def add_pod(api: MemoryApi, of: Document, **status: Any) -> None:
    key, _, value = SELECTOR.partition("=")
    meta = {
        "name": "run-1-abcde",
        "namespace": CONTROL,
        "labels": {key: value, "job-name": "run-1"},
        "ownerReferences": [{"kind": "Job", "name": "run-1", "uid": of["metadata"]["uid"]}],
    }
    api.put({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "status": status})


def add_event(api: MemoryApi, of: Document) -> None:
    involved = {"kind": "Job", "name": "run-1", "uid": of["metadata"]["uid"]}
    meta = {"name": "run-1.1", "namespace": CONTROL}
    api.put(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": meta,
            "involvedObject": involved,
            "reason": "FailedCreate",
            "message": "exceeded quota",
        }
    )


def record(api: MemoryApi) -> dict[str, Any]:
    annotations = api.items["CronJob", CONTROL, DB]["metadata"]["annotations"]
    found: dict[str, Any] = json.loads(annotations.get(LAST_RESULT, "{}"))
    return found


def reads_of(api: MemoryApi, state: PassState, minutes: float) -> tuple[list[str], PassResult]:
    """Do a pass; return the kinds of runs' objects that it read by lists."""
    api.reads.clear()
    result = one_pass(api, memory=state, minutes=minutes)
    kinds = [kind for how, kind, _ in api.reads if how == "list" and kind in {"Pod", "Event"}]
    return kinds, result


def test_without_an_open_run_neither_pods_nor_events_of_runs_are_read() -> None:
    api, state = converged()
    assert reads_of(api, state, 2)[0] == []
    made = add_job(api, failed_at="2026-01-01T04:00:00Z")
    add_event(api, made)
    assert reads_of(api, state, 241)[0] == ["Pod", "Event"]
    assert record(api)["reason"] == "QuotaExceeded"
    assert reads_of(api, state, 242)[0] == []


def test_events_are_read_only_where_the_pod_does_not_explain() -> None:
    api, state = converged()
    made = add_job(api, failed_at="2026-01-01T04:00:00Z")
    ended = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-01T03:00:00Z"}
    containers = [{"name": "job", "state": {"terminated": ended}}]
    add_pod(api, made, phase="Failed", containerStatuses=containers)
    assert reads_of(api, state, 241)[0] == ["Pod"]
    assert record(api)["reason"] == "OOMKilled"


def test_a_job_whose_pod_just_began_or_runs_needs_no_events() -> None:
    api, state = converged()
    made = add_job(api)
    # Its pod may have been refused.
    assert reads_of(api, state, 1)[0] == ["Pod", "Event"]
    assert reads_of(api, state, 6)[0] == ["Pod", "Event"]
    add_pod(api, made, phase="Pending")
    assert reads_of(api, state, 7)[0] == ["Pod", "Event"]
    api.items["Pod", CONTROL, "run-1-abcde"]["metadata"]["creationTimestamp"] = (
        "2026-01-01T00:06:00Z"
    )
    assert reads_of(api, state, 8)[0] == ["Pod"]
    containers = [{"name": "job", "state": {"running": {}}}]
    add_pod(api, made, phase="Running", containerStatuses=containers)
    assert reads_of(api, state, 200)[0] == ["Pod"]


def test_of_a_job_that_began_just_now_no_events_are_read() -> None:
    api, state = converged()
    made = add_job(api)
    made["status"]["startTime"] = "2026-01-01T00:01:57Z"
    api.put(made)
    assert reads_of(api, state, 2)[0] == ["Pod"]
    assert reads_of(api, state, 2.1)[0] == ["Pod", "Event"]


def test_events_that_may_not_be_read_change_nothing_else() -> None:
    api, state = converged()
    add_job(api, failed_at="2026-01-01T04:00:00Z")
    api.fail("Event", CONTROL)
    _, result = reads_of(api, state, 241)
    assert result.succeeded
    assert record(api)["reason"] == "Failed"


def test_events_that_cannot_be_read_now_are_a_failure_of_the_pass_only() -> None:
    api, state = converged()
    add_job(api, failed_at="2026-01-01T04:00:00Z")
    api.fail("Event", CONTROL, unavailable("events"))
    _, result = reads_of(api, state, 241)
    assert result.failures == ("500 events",)
    assert record(api)["reason"] == "Failed"


@pytest.mark.parametrize("code", [0, 10])
def test_a_dump_whose_pod_is_kept_by_a_sidecar_is_recorded_once(code: int) -> None:
    api, state = converged()
    made = add_job(api)
    said = {"succeeded": code == 0, "exit_code": code, "reason": "X", "message": ""}
    ended = {
        "exitCode": code,
        "message": json.dumps(said),
        "finishedAt": "2026-01-01T00:10:00Z",
    }
    containers = [
        {"name": "job", "state": {"terminated": ended}},
        {"name": "istio-proxy", "state": {"running": {}}},
    ]
    add_pod(api, made, phase="Running", containerStatuses=containers)
    one_pass(api, memory=state, minutes=11)
    assert (record(api)["succeeded"], record(api)["exit_code"]) == (code == 0, code)
    assert record(api)["finished"] == "2026-01-01T00:10:00Z"
    writes = len(api.writes)
    one_pass(api, memory=state, minutes=12)
    assert len(api.writes) == writes
