"""A clock that was ahead hides no run behind it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.model import names
from controller.runs.clocks import corrected_ends, ended_by_now
from controller.runs.due import due_at
from tests.fakes.kube_memory import Document, MemoryApi
from tests.fakes.worlds import CONTROL, DB, cluster, job, one_pass, small

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SAID = "2026-01-01T00:00:00Z"
AHEAD, NEAR = "2099-01-01T00:00:00Z", "2026-01-04T00:00:00Z"


def cronjob(**records: Any) -> Document:
    texts = {f"{names.PREFIX}{key.replace('_', '-')}": value for key, value in records.items()}
    annotations = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in texts.items()
    }
    meta = {"name": "c", "uid": "u", "annotations": annotations}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta}


def corrected(**records: Any) -> dict[str, Any]:
    found = corrected_ends(cronjob(**records), NOW)
    return {
        key.removeprefix(names.PREFIX).replace("-", "_"): json.loads(text)
        for key, text in found.items()
    }


@pytest.mark.parametrize(
    "records",
    [
        {},
        {"last_result": {"job": "a", "finished": NEAR}},
        {"last_result": "{", "last_success": "[]", "history": "7"},
        # No end of anything, or none that can be read.
        {"last_proof": {"finished": SAID, "began": AHEAD}},
        {"last_result": {"finished": "2099", "message": f'"finished":"{AHEAD}"'}},
        # It sorts, and keeps no later one out by itself.
        {"history": [{"finished": AHEAD}]},
    ],
)
def test_what_is_not_ahead_stays_as_it_is(records: dict[str, Any]) -> None:
    assert corrected(**records) == {}


def test_what_is_ahead_ended_before_somebody_looked() -> None:
    drill = {"finished": AHEAD, "last_success": AHEAD, "answered": SAID, "in_doubt": True}
    assert corrected(
        last_result={"job": "ä", "finished": AHEAD, "notes": ["x"]},
        last_success={"job": "b", "finished": SAID},
        storages={"main": {"since": SAID, "finished": AHEAD, "bytes": 1}},
        last_drill=drill,
        history=[{"finished": AHEAD}, {"finished": SAID}],
    ) == {
        "last_result": {"job": "ä", "finished": SAID, "notes": ["x"]},
        "storages": {"main": {"since": SAID, "finished": SAID, "bytes": 1}},
        "last_drill": drill | {"finished": SAID, "last_success": SAID},
        "history": [{"finished": SAID}, {"finished": SAID}],
    }


def test_once_is_enough() -> None:
    first = corrected_ends(cronjob(last_result={"job": "a", "finished": AHEAD}), NOW)
    again = {"metadata": {"annotations": dict(first)}}
    assert first
    assert corrected_ends(again, NOW) == {}


def test_of_a_job_that_ended_later_than_now_nobody_knows_when() -> None:
    of = cronjob()
    jobs = [job(of, ended=SAID), job(of, ended=NEAR), job(of), job(of, ended=AHEAD)]
    assert ended_by_now(tuple(jobs), NOW) == tuple(jobs[:3])


def _converged() -> tuple[MemoryApi, PassState]:
    api, state = cluster(*small()), PassState()
    for minutes in range(2):
        one_pass(api, memory=state, minutes=minutes)
    return api, state


def _pod(api: MemoryApi, of: Document, ended: dict[str, Any], *, kept: bool = False) -> None:
    key, _, value = names.SELECTOR.partition("=")
    name = of["metadata"]["name"]
    states = [{"name": "job", "state": {"terminated": ended}}]
    if kept:
        states.append({"name": "proxy", "state": {"running": {}}})
    meta = {
        "name": f"{name}-abcde",
        "namespace": CONTROL,
        "labels": {key: value, "job-name": name},
        "ownerReferences": [{"kind": "Job", "name": name, "uid": of["metadata"]["uid"]}],
    }
    status = {"phase": "Running" if kept else "Failed", "containerStatuses": states}
    api.put({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "status": status})


def _record(api: MemoryApi, key: str) -> dict[str, Any]:
    annotations = api.items["CronJob", CONTROL, DB]["metadata"]["annotations"]
    found: dict[str, Any] = json.loads(annotations.get(key, "{}"))
    return found


def _job(api: MemoryApi, name: str, **how: str) -> Document:
    made = job(api.items["CronJob", CONTROL, DB], **how)
    made["metadata"] |= {"name": name, "uid": f"uid-of-{name}"}
    made["status"]["startTime"] = SAID
    return api.put(made)


def test_the_clock_of_a_node_that_is_ahead_keeps_no_failure_out() -> None:
    """Its word counts while a proxy keeps the Job from ending, and where the Job fails by that."""
    api, state = _converged()
    first = _job(api, "run-1")
    _pod(api, first, {"exitCode": 0, "finishedAt": "2026-02-01T00:00:00Z"}, kept=True)
    for minutes in (2, 3, 4):
        one_pass(api, memory=state, minutes=minutes)
    assert _record(api, names.LAST_SUCCESS)["finished"] == "2026-01-01T00:03:00Z"
    before = len(api.writes)
    one_pass(api, memory=state, minutes=5)
    assert len(api.writes) == before

    failed = _job(api, "run-2", ended="2026-01-01T00:30:00Z", how="Failed")
    _pod(api, failed, {"exitCode": 137, "reason": "OOMKilled", "finishedAt": SAID})
    one_pass(api, memory=state, minutes=31)
    assert _record(api, names.LAST_RESULT)["job"] == "run-2"
    assert _record(api, names.LAST_SUCCESS)["job"] == "run-1"


def test_of_a_job_that_has_ended_the_earlier_of_two_clocks_counts() -> None:
    api, state = _converged()
    made = _job(api, "run-1", ended="2026-01-01T00:03:00Z", how="Failed")
    _pod(api, made, {"exitCode": 0, "finishedAt": "2026-01-01T00:14:00Z"})
    one_pass(api, memory=state, minutes=4)
    assert _record(api, names.LAST_SUCCESS)["finished"] == "2026-01-01T00:03:00Z"


def test_a_cluster_whose_clock_was_ahead_hides_neither_failures_nor_that_nothing_runs() -> None:
    api, state = _converged()
    _job(api, "run-1", ended=AHEAD)
    item = api.items["CronJob", CONTROL, DB]
    done = {"job": "run-1", "finished": AHEAD, "succeeded": True}
    item["metadata"]["annotations"] |= {
        names.LAST_RESULT: json.dumps(done),
        names.LAST_SUCCESS: json.dumps(done),
    }
    api.put(item)
    one_pass(api, memory=state, minutes=2)
    assert _record(api, names.LAST_SUCCESS)["finished"] == "2026-01-01T00:02:00Z"
    due = due_at(api.items["CronJob", CONTROL, DB])
    assert due is not None
    assert due < (NOW + timedelta(days=3)).timestamp()
    # Though the Job from then is still there.
    failed = _job(api, "run-2", ended="2026-01-01T00:30:00Z", how="Failed")
    _pod(api, failed, {"exitCode": 137, "reason": "OOMKilled", "finishedAt": SAID})
    for minutes in (31, 32):
        one_pass(api, memory=state, minutes=minutes)
        assert _record(api, names.LAST_RESULT)["job"] == "run-2"
