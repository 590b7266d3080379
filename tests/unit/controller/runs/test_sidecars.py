"""What becomes of a run whose pod holds more containers than the dump's."""

import json
from datetime import UTC, datetime
from typing import Any

from controller.model.names import HISTORY, LAST_RESULT, LAST_SUCCESS
from controller.runs.blocked import blocked_run
from controller.runs.reasons import RunReason
from controller.runs.results import result_annotations
from tests.fakes.worlds import Document, job

GOOD = json.dumps({"succeeded": True, "exit_code": 0, "reason": "Succeeded", "message": ""})
STARTED, FINISHED = "2026-01-01T03:00:00Z", "2026-01-01T03:00:09Z"
DEADLINE = "2026-01-01T07:00:00Z"
LATER = datetime(2026, 1, 1, 3, 10, tzinfo=UTC)
RUNNING: Document = {"running": {"startedAt": STARTED}}


def ended(code: int, message: str = "", finished: str = FINISHED) -> Document:
    end = {"exitCode": code, "finishedAt": finished, "message": message}
    return {"terminated": end | ({"reason": "Error"} if code else {})}


def pod(dump: Document, phase: str = "Running", *, name: str = "a", **others: Document) -> Document:
    """A pod of the dump and of `others`, of which native sidecars are named `native_…`."""
    statuses: dict[str, list[Document]] = {"containerStatuses": [{"name": "job", "state": dump}]}
    for other, state in others.items():
        kind = "initContainerStatuses" if other.startswith("native_") else "containerStatuses"
        statuses.setdefault(kind, []).insert(0, {"name": other.replace("_", "-"), "state": state})
    meta = {"name": name, "creationTimestamp": f"2026-01-01T03:0{'ab'.index(name)}:00Z"}
    return {"metadata": meta, "status": {"phase": phase, **statuses}}


def cronjob(**annotations: str) -> Document:
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "c", "uid": "u", "annotations": annotations},
    }


def run(how: str = "", of: Document | None = None) -> Document:
    made = job(of or cronjob(), ended=DEADLINE if how else "", how=how or "Complete")
    made["status"]["startTime"] = STARTED
    return made


def told(of: Document, made: Document, *pods: Document) -> dict[str, Any]:
    found = result_annotations(of, (made,), {"job-run-1": pods})
    return {key: json.loads(text) for key, text in found.items() if key != HISTORY}


def test_a_good_dump_is_told_once_its_container_has_ended_and_stays_told() -> None:
    kept = pod(ended(0, GOOD), istio_proxy=RUNNING)
    found = told(cronjob(), run(), kept)
    assert {key: item["finished"] for key, item in found.items()} == {
        LAST_RESULT: FINISHED,
        LAST_SUCCESS: FINISHED,
    }
    recorded = cronjob(**{key: json.dumps(item) for key, item in found.items()})
    # The deadline ends the Job; its pod is still there, or gone.
    for pods in ((kept,), ()):
        assert told(recorded, run("Failed"), *pods) == {}
    # Nobody looked until then.
    assert LAST_SUCCESS in told(cronjob(), run("Failed"), kept)


def test_a_dump_that_succeeded_is_told_even_if_a_proxy_fails_behind_it() -> None:
    # A proxy that does not end with 0 on SIGTERM fails the pod, and the Job tries again.
    first = pod(ended(0, GOOD), "Failed", cloud_sql_proxy=ended(143))
    second = pod(RUNNING, name="b", cloud_sql_proxy=RUNNING)
    found = told(cronjob(), run(), second, first)
    assert found[LAST_SUCCESS]["finished"] == FINISHED
    recorded = cronjob(**{key: json.dumps(item) for key, item in found.items()})
    failed = pod(ended(137), "Failed", name="b", cloud_sql_proxy=ended(143))
    assert told(recorded, run("Failed"), first, failed) == {}
    for record in told(cronjob(), run("Failed"), first, failed).values():
        assert (record["succeeded"], record["exit_code"]) == (True, 0)


def test_a_good_dump_is_told_before_the_job_controller_has_seen_it() -> None:
    assert LAST_SUCCESS in told(cronjob(), run(), pod(ended(0, GOOD), "Succeeded"))


def test_native_sidecars_end_as_they_like() -> None:
    killed = pod(ended(0, GOOD), "Succeeded", native_istio_proxy=ended(137))
    found = told(cronjob(), run("Complete"), killed)
    assert (found[LAST_RESULT]["succeeded"], found[LAST_RESULT]["exit_code"]) == (True, 0)


def test_a_dump_that_failed_is_not_told_while_another_try_may_follow() -> None:
    assert told(cronjob(), run(), pod(ended(10), "Failed", native_proxy=ended(143))) == {}


def test_what_keeps_a_pod_is_named_native_or_not() -> None:
    good = ended(0, GOOD)
    for name, kept in (
        ("istio-proxy", pod(good, istio_proxy=RUNNING)),
        ("native-proxy", pod(good, native_proxy=RUNNING)),
    ):
        found = blocked_run(run(), (kept,), (), LATER)
        assert found
        assert found.cause.reason is RunReason.POD_STILL_RUNNING
        assert name in found.cause.message
        assert found.since == FINISHED


def test_a_native_sidecar_that_does_not_become_ready_is_named() -> None:
    waits = pod({"waiting": {"reason": "PodInitializing"}}, "Pending", native_proxy=RUNNING)
    found = blocked_run(run(), (waits,), (), LATER)
    assert found
    assert found.cause.reason is RunReason.CONTAINER_NOT_STARTED
    assert "native-proxy" in found.cause.message
    assert not found.is_explained


def test_a_native_sidecar_that_fails_to_start_says_why() -> None:
    back_off = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}
    waits = pod({"waiting": {"reason": "PodInitializing"}}, "Pending", native_proxy=back_off)
    found = blocked_run(run(), (waits,), (), LATER)
    assert found
    assert found.cause.message == "CrashLoopBackOff: back-off 5m0s"
    # It may fail as it likes once the dump runs.
    assert blocked_run(run(), (pod(RUNNING, native_proxy=back_off),), (), LATER) is None


def test_a_pod_that_is_about_to_end_is_told_once_by_its_job() -> None:
    """A kubelet tells the end of a container before that of its pod."""
    bad = json.dumps(
        {"succeeded": False, "exit_code": 20, "reason": "SourceRefused", "message": ""}
    )
    alone, kept = pod(ended(20, bad)), pod(ended(20, bad), istio_proxy=RUNNING)
    assert told(cronjob(), run(), alone) == {}
    assert told(cronjob(), run(), kept)[LAST_RESULT]["finished"] == FINISHED
    [(_, record)] = told(cronjob(), run("Failed"), alone).items()
    assert (record["finished"], record["reason"]) == (DEADLINE, "SourceRefused")
