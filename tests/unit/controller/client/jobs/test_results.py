"""What a Job says of its end, and what is known of it otherwise."""

from typing import Any

import pytest

from controller.client.jobs.progress import JobEnd, Outcome, end_of_job
from controller.client.jobs.results import document_of_end, result_of, words_of_failure
from dumpers.contract.restore.result import RestoreResult
from dumpers.contract.result import DumpResult

Document = dict[str, Any]


def failed_job(reason: str) -> Document:
    ended = {"type": "Failed", "status": "True", "reason": reason, "message": "it was too long"}
    return {"metadata": {"name": "j", "uid": "u"}, "status": {"conditions": [ended]}}


def stopped_pod(reason: str) -> Document:
    told = RestoreResult(succeeded=False, exit_code=14, reason=reason, message="SIGTERM")
    ended = {"exitCode": 14, "reason": "Error", "message": told.to_json()}
    return {"status": {"containerStatuses": [{"name": "job", "state": {"terminated": ended}}]}}


@pytest.mark.parametrize(
    ("how", "said", "expected"),
    [
        ("DeadlineExceeded", "Interrupted", "DeadlineExceeded"),
        ("DeadlineExceeded", "TargetFailed", "TargetFailed"),
        ("BackoffLimitExceeded", "Interrupted", "Interrupted"),
    ],
)
def test_the_deadline_of_a_job_is_the_reason_of_what_it_stopped(
    how: str, said: str, expected: str
) -> None:
    end = end_of_job(failed_job(how), (stopped_pod(said),), (), "job")
    assert end is not None
    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 14)
    result = result_of(end, RestoreResult.from_json)
    assert words_of_failure(result) == f"{expected}: SIGTERM"
    assert document_of_end({}, end, result)["reason"] == expected


def test_a_job_without_a_pod_that_its_deadline_ended() -> None:
    end = end_of_job(failed_job("DeadlineExceeded"), (), (), "job")
    assert end is not None
    assert (end.is_late, end.reason, end.why) == (True, "DeadlineExceeded", "it was too long")
    assert result_of(end, DumpResult.from_json) is None


def test_a_message_that_is_no_result_is_none() -> None:
    end = JobEnd(outcome=Outcome.FAILED, message="Killed", is_late=True)
    assert result_of(end, DumpResult.from_json) is None
    assert words_of_failure(None) == ""
