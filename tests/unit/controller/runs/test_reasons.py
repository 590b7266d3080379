"""Which reason a pod or an Event stands for, beside what the golden cases of `results` show."""

import json
from typing import Any

import pytest

from controller.model.names import LAST_RESULT, LAST_SUCCESS
from controller.model.objects import name_of, uid_of
from controller.runs.causes.event_causes import cause_in_events, events_by_job, events_of_job
from controller.runs.causes.pod_causes import cause_in_pod
from controller.runs.reasons import RunReason, shortened
from controller.runs.results import jobs_with_open_result, result_annotations
from tests.fakes.worlds import Document, job

CRONJOB: Document = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "c", "uid": "u"},
}


def pod(state: Document, phase: str = "Pending", **status: Any) -> Document:
    containers = [{"name": "job", "state": state}]
    return {"status": {"phase": phase, "containerStatuses": containers} | status}


@pytest.mark.parametrize(
    "name",
    [
        RunReason.ERR_IMAGE_PULL,
        RunReason.IMAGE_PULL_BACK_OFF,
        RunReason.ERR_IMAGE_NEVER_PULL,
        RunReason.INVALID_IMAGE_NAME,
        RunReason.CREATE_CONTAINER_CONFIG_ERROR,
        RunReason.CREATE_CONTAINER_ERROR,
        RunReason.RUN_CONTAINER_ERROR,
    ],
)
def test_a_container_that_waits_in_vain_has_kubernetes_own_reason(name: RunReason) -> None:
    cause = cause_in_pod(pod({"waiting": {"reason": str(name), "message": "why"}}))
    assert cause
    assert (cause.reason, cause.message) == (name, "why")


def test_a_reason_without_a_name_here_stays_in_the_message() -> None:
    cause = cause_in_pod(pod({"waiting": {"reason": "SignatureValidationFailed"}}))
    assert cause
    assert cause.reason is RunReason.CONTAINER_NOT_STARTED
    assert cause.message == "SignatureValidationFailed"


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing"])
def test_a_container_on_its_way_is_no_cause(reason: str) -> None:
    assert cause_in_pod(pod({"waiting": {"reason": reason}})) is None


def test_what_the_runtime_says_of_a_start_that_failed_is_shown() -> None:
    end = {"exitCode": 128, "reason": "StartError", "message": "exec: no such file"}
    cause = cause_in_pod(pod({"terminated": end}, "Failed"))
    assert cause
    assert (cause.reason, cause.message, cause.exit_code) == (
        RunReason.START_ERROR,
        "exec: no such file",
        128,
    )


def test_a_termination_message_that_is_no_result_is_never_shown() -> None:
    end = {"exitCode": 1, "reason": "Error", "message": "password=hunter2"}
    cause = cause_in_pod(pod({"terminated": end}, "Failed"))
    assert cause
    assert "hunter2" not in cause.message


@pytest.mark.parametrize(
    ("reason", "message", "expected"),
    [
        ("FailedCreate", 'pods "x" is forbidden: exceeded quota: q', RunReason.QUOTA_EXCEEDED),
        (
            "FailedCreate",
            'pods "x" is forbidden: violates PodSecurity "restricted:latest"',
            RunReason.ADMISSION_DENIED,
        ),
        (
            "FailedCreate",
            'pods "x" is forbidden: maximum memory usage per Container is 1Gi',
            RunReason.ADMISSION_DENIED,
        ),
        ("FailedCreate", "Internal error occurred: timeout", RunReason.FAILED_CREATE),
        ("FailedScheduling", "0/1 nodes are available", RunReason.UNSCHEDULABLE),
        ("FailedAttachVolume", "Multi-Attach error", RunReason.FAILED_MOUNT),
        ("FailedCreatePodSandBox", "cni plugin", RunReason.FAILED_SANDBOX),
        ("Failed", "Error: ErrImagePull", RunReason.ERR_IMAGE_PULL),
        ("BackOff", 'Back-off pulling image "x"', RunReason.IMAGE_PULL_BACK_OFF),
        ("Failed", "Error: ImagePullBackOff", RunReason.IMAGE_PULL_BACK_OFF),
        ("Failed", 'Error: secret "x" not found', RunReason.CREATE_CONTAINER_CONFIG_ERROR),
        ("Failed", "Error: couldn't find key k in Secret n/s", "CreateContainerConfigError"),
        ("Failed", "Error: failed to create containerd task", RunReason.CREATE_CONTAINER_ERROR),
        ("Evicted", "The node was low on resource", RunReason.EVICTED),
        ("BackOff", "Back-off restarting failed container", None),
        ("Unhealthy", "Readiness probe failed", None),
    ],
)
def test_what_an_event_stands_for(reason: str, message: str, expected: str | None) -> None:
    cause = cause_in_events([{"reason": reason, "message": message}])
    assert (cause and cause.reason) == expected


def test_the_newest_event_that_explains_counts_by_each_form_of_its_time() -> None:
    old = {"reason": "FailedScheduling", "lastTimestamp": "2026-01-01T03:00:00Z"}
    newer = {
        "reason": "FailedMount",
        "eventTime": "2026-01-01T02:00:00.000000Z",
        "series": {"lastObservedTime": "2026-01-01T03:01:00.000000Z"},
    }
    other = {"reason": "Unhealthy", "lastTimestamp": "2026-01-01T04:00:00Z"}
    cause = cause_in_events([old, newer, other])
    assert cause
    assert cause.reason is RunReason.FAILED_MOUNT


_LONG = f"ksnapshot-{'x' * 42}-29931830"


@pytest.mark.parametrize(
    ("name", "of", "at", "expected"),
    [
        ("run-1", "run-1-abcde", "", True),
        ("run-1", "run-1-abcdef", "", False),
        ("run-1", "run-12-abcde", "", False),
        # Cut to 58 characters and five more, as the API server makes names.
        (_LONG, f"{_LONG[:58]}abcde", "2026-01-01T03:05:00Z", True),
        (_LONG, f"{_LONG[:58]}abcde", "2026-01-01T03:00:00.100000Z", True),
        # The run of the day before, and one of later, have the same beginning.
        (_LONG, f"{_LONG[:58]}abcde", "2026-01-01T02:59:59Z", False),
        (_LONG, f"{_LONG[:58]}abcde", "2026-01-01T03:20:01Z", False),
        (_LONG, f"{_LONG[:58]}abcde", "", False),
        (_LONG, f"{_LONG[:57]}_abcde", "2026-01-01T03:05:00Z", False),
    ],
)
def test_the_events_of_pods_that_are_gone(name: str, of: str, at: str, *, expected: bool) -> None:
    failed = job(CRONJOB, name, ended="2026-01-01T03:20:00Z", how="Failed")
    failed["status"]["startTime"] = "2026-01-01T03:00:00Z"
    event = {"involvedObject": {"kind": "Pod", "name": of}, "lastTimestamp": at}
    assert bool(events_of_job(failed, (event,))) is expected


class Counted(dict[str, Any]):
    """An Event that counts how often somebody asks what it is about."""

    asked = 0

    def get(self, key: str, default: Any = None, /) -> Any:
        self.asked += key == "involvedObject"
        return super().get(key, default)


def test_a_burst_of_jobs_looks_at_each_event_once() -> None:
    jobs = tuple(job(CRONJOB, f"run-{number}") for number in range(50))
    events = [
        Counted(involvedObject={"kind": "Job", "uid": uid_of(item)}, message=name_of(item))
        for item in jobs
    ]
    events += [
        Counted(
            involvedObject={"kind": "Pod", "name": f"{name_of(item)}-abcde"}, message=name_of(item)
        )
        for item in reversed(jobs)
    ]
    found = events_by_job(jobs, tuple(events))
    for item in jobs:
        told = found[uid_of(item)]
        assert [event["message"] for event in told] == [name_of(item)] * 2
        assert [event["involvedObject"]["kind"] for event in told] == ["Job", "Pod"]
    assert {event.asked for event in events} == {1}


def test_messages_are_bounded_and_without_logins_and_signatures() -> None:
    assert len(shortened("x" * 10_000)) == 500
    text = shortened('Get "https://user:pass@registry/v2/x?X-Amz-Signature=abc": 403')
    assert "pass" not in text
    assert "abc" not in text
    assert "registry/v2/x" in text


def test_what_the_dumper_said_is_not_followed_by_what_its_exit_code_shows() -> None:
    said = {"succeeded": False, "exit_code": 14, "reason": "Interrupted", "message": "SIGTERM"}
    end = {"exitCode": 14, "reason": "Error", "message": json.dumps(said)}
    failed = job(CRONJOB, ended="2026-01-01T03:00:00Z", how="Failed")
    pods = {"job-run-1": (pod({"terminated": end}, "Failed"),)}
    record = json.loads(result_annotations(CRONJOB, (failed,), pods)[LAST_RESULT])
    assert (record["reason"], record["message"]) == ("Interrupted", "SIGTERM")


_TOLD_TO_STOP = {
    "terminated": {
        "exitCode": 14,
        "reason": "Error",
        "message": json.dumps(
            {"succeeded": False, "exit_code": 14, "reason": "Interrupted", "message": "SIGTERM"}
        ),
    }
}
_KILLED = {"terminated": {"exitCode": 137, "reason": "Error"}}
_EVICTED = {"reason": "Evicted", "message": "too much ephemeral storage"}


@pytest.mark.parametrize(
    ("how", "tries", "expected"),
    [
        ("DeadlineExceeded", [pod(_TOLD_TO_STOP, "Failed")], "DeadlineExceeded"),
        ("DeadlineExceeded", [pod(_KILLED, "Failed")], "DeadlineExceeded"),
        ("BackoffLimitExceeded", [pod(_TOLD_TO_STOP, "Failed")], "Interrupted"),
        ("BackoffLimitExceeded", [pod(_KILLED, "Failed")], "Error"),
        # What took the time until then says more than the deadline does.
        (
            "DeadlineExceeded",
            [pod(_TOLD_TO_STOP, "Failed"), pod(_KILLED, "Failed", **_EVICTED)],
            "Evicted",
        ),
        (
            "DeadlineExceeded",
            [pod(_KILLED, "Failed"), pod({"terminated": {"exitCode": 137, "reason": "OOMKilled"}})],
            "OOMKilled",
        ),
        # A dumper does not know who ended it, and its pod does.
        ("BackoffLimitExceeded", [pod(_TOLD_TO_STOP, "Failed", **_EVICTED)], "Evicted"),
    ],
)
def test_why_a_run_ended_before_its_dump_did(
    how: str, tries: list[Document], expected: str
) -> None:
    failed = job(CRONJOB, ended="2026-01-01T03:00:00Z", how="Failed")
    failed["status"]["conditions"][0]["reason"] = how
    newest_first = [
        {**item, "metadata": {"creationTimestamp": f"2026-01-01T02:0{9 - place}:00Z"}}
        for place, item in enumerate(tries)
    ]
    pods = {"job-run-1": tuple(newest_first)}
    record = json.loads(result_annotations(CRONJOB, (failed,), pods)[LAST_RESULT])
    assert (record["reason"], record["job_reason"]) == (expected, how)
    assert record["message"]


def test_a_dumper_that_was_killed_after_it_said_that_it_succeeded_has_failed() -> None:
    said = json.dumps({"succeeded": True, "exit_code": 0, "reason": "Succeeded", "message": ""})
    end = {"exitCode": 137, "reason": "OOMKilled", "message": said}
    failed = job(CRONJOB, ended="2026-01-01T03:00:00Z", how="Failed")
    record = json.loads(
        result_annotations(
            CRONJOB, (failed,), {"job-run-1": (pod({"terminated": end}, "Failed"),)}
        )[LAST_RESULT]
    )
    assert (record["succeeded"], record["exit_code"], record["reason"]) == (
        False,
        137,
        "OOMKilled",
    )


def test_a_later_job_of_the_same_name_is_recorded_again() -> None:
    success = {"job": "run-1", "finished": "2026-01-01T03:00:00Z", "succeeded": True}
    values = {LAST_RESULT: json.dumps(success), LAST_SUCCESS: json.dumps(success)}
    cronjob = {**CRONJOB, "metadata": {**CRONJOB["metadata"], "annotations": values}}
    later = job(cronjob, ended="2026-01-02T03:00:00Z", how="Failed")
    assert not jobs_with_open_result(cronjob, (later,))
    later["status"]["startTime"] = "2026-01-02T02:00:00Z"
    assert jobs_with_open_result(cronjob, (later,)) == (later,)


def test_a_suspended_job_is_not_waited_for() -> None:
    suspended = job(CRONJOB)
    suspended["status"]["conditions"] = [{"type": "Suspended", "status": "True"}]
    assert not jobs_with_open_result(CRONJOB, (suspended,))
