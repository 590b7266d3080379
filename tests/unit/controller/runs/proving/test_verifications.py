"""What the runs that verify by a schedule leave on the dump CronJob, and when the next is due."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model import names
from controller.model.objects import Json, annotations_of
from controller.runs.proving.jobs import jobs_with_open_proof
from controller.runs.proving.proofs import proof_annotations
from controller.runs.proving.schedules import proof_schedule_marks
from controller.runs.proving.verifications import (
    last_verification_of,
    verification_annotations,
    verification_due,
)
from dumpers.contract.verify.result import VerifyResult
from tests.fakes.worlds import DB, job

NOW = datetime(2026, 1, 4, 12, tzinfo=UTC)
_DAY = 86_400
VERIFIER: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": names.verify_cronjob_name(DB), "uid": "verifier"},
}


def cronjob(schedule: str = "0 6 * * 0", **more: Any) -> Json:
    annotations = {names.VERIFY_SCHEDULE: schedule} if schedule else {}
    annotations |= {names.PREFIX + key.replace("_", "-"): text for key, text in more.items()}
    spec = {"schedule": "0 3 * * *", "timeZone": "Europe/Paris"}
    return {"metadata": {"name": DB, "uid": "dump", "annotations": annotations}, "spec": spec}


def ended(name: str, at: str, how: str = "Complete", reason: str = "") -> dict[str, Any]:
    made = job(VERIFIER, name, ended=at, how=how)
    made["metadata"] |= {
        "labels": {names.COMPONENT_LABEL: names.VERIFY},
        "annotations": {names.CRONJOB: DB},
    }
    if reason:
        made["status"]["conditions"][0]["reason"] = reason
    return made


def pod(message: str, code: int = 0) -> dict[str, Any]:
    state = {"terminated": {"exitCode": code, "message": message, "reason": "Error"}}
    return {
        "metadata": {"name": "p", "creationTimestamp": "2026-01-04T06:00:00Z"},
        "status": {"containerStatuses": [{"name": names.CONTAINER, "state": state}]},
    }


def said(**more: Any) -> str:
    members: dict[str, Any] = {"succeeded": True, "exit_code": 0, "reason": "Succeeded"}
    return VerifyResult(**{**members, "message": "", **more}).to_json()


GOOD = said(verified=2, backups=("new", "old"), newest_verified="new", oldest_unread="x")
NOTHING = said(message="there was nothing to read")
BAD = said(
    succeeded=False,
    exit_code=21,
    reason="BackupDamaged",
    message="old is damaged",
    verified=1,
    damaged=1,
    backups=("new", "old"),
)
AWAY = said(succeeded=False, exit_code=11, reason="StorageFailed", message="the store is away")


@pytest.mark.parametrize(
    ("message", "how", "reason", "proof"),
    [
        (GOOD, "Complete", "Succeeded", {"backup": "new", "good": True, "grade": "verified"}),
        (NOTHING, "Complete", "Succeeded", None),
        (BAD, "Failed", "BackupDamaged", {"backup": "", "good": False, "grade": "verified"}),
        (AWAY, "Failed", "StorageFailed", None),
        ("no JSON", "Failed", "Error", None),
        ("[]", "Complete", "Succeeded", None),
    ],
)
def test_how_a_run_ended_is_recorded_and_a_verdict_is_a_proof(
    message: str, how: str, reason: str, proof: Any
) -> None:
    run = ended("run-1", "2026-01-04T06:10:00Z", how)
    pods = {"job-run-1": (pod(message, 0 if how == "Complete" else 1),)}
    found = verification_annotations(cronjob(), [run], pods)
    record = json.loads(found[names.LAST_VERIFY])
    assert (record["job"], record["finished"]) == ("run-1", "2026-01-04T06:10:00Z")
    assert (record["succeeded"], record["reason"]) == (how == "Complete", reason)
    proven = proof_annotations(cronjob(), (run,), pods).get(names.LAST_PROOF)
    told = json.loads(proven) if proven else None
    assert told == (proof and {"job": "run-1", "finished": "2026-01-04T06:10:00Z", **proof})
    # Recorded once, and its pod is not read again, whether it came to a verdict or not.
    after = cronjob(last_verify=found[names.LAST_VERIFY])
    assert verification_annotations(after, [run], pods) == {}
    assert jobs_with_open_proof(after, (run,)) == ()


def test_the_newest_of_several_runs_counts_and_the_last_good_one_stays_known() -> None:
    first = ended("run-1", "2026-01-04T06:10:00Z")
    second = ended("run-2", "2026-01-11T06:10:00Z", "Failed", "DeadlineExceeded")
    found = verification_annotations(cronjob(), [second, first], {"job-run-1": (pod(GOOD),)})
    record = json.loads(found[names.LAST_VERIFY])
    assert (record["job"], record["reason"]) == ("run-2", "DeadlineExceeded")
    assert record["last_success"] == "2026-01-04T06:10:00Z"
    assert "verified" not in record
    assert (record["damaged"], record["oldest_unread"]) == (0, "x")
    known = cronjob(last_verify=found[names.LAST_VERIFY])
    third = ended("run-3", "2026-01-18T06:10:00Z", "Failed", "BackoffLimitExceeded")
    again = verification_annotations(known, [first, second, third], {})
    assert json.loads(again[names.LAST_VERIFY])["last_success"] == "2026-01-04T06:10:00Z"


@pytest.mark.parametrize(
    ("message", "damaged"),
    [
        ("", 2),
        (said(succeeded=False, reason="StorageFailed", finished=""), 2),
        (said(succeeded=False, reason="StorageFailed", finished="2026-01-11T06:10:00Z"), 0),
        (said(finished="2026-01-11T06:10:00Z", damaged=1), 1),
    ],
)
def test_a_run_that_did_not_look_takes_no_damage_back(message: str, damaged: int) -> None:
    first = ended("run-1", "2026-01-04T06:10:00Z", "Failed")
    bad = said(succeeded=False, reason="BackupDamaged", damaged=2, finished="2026-01-04T06:10:00Z")
    second = ended("run-2", "2026-01-11T06:10:00Z", "Failed")
    pods = {"job-run-1": (pod(bad, 21),), "job-run-2": (pod(message, 1),)}
    recorded = verification_annotations(cronjob(), [first], pods)
    known = cronjob(last_verify=recorded[names.LAST_VERIFY])
    for found in (
        verification_annotations(known, [second], pods),
        verification_annotations(cronjob(), [first, second], pods),
    ):
        record = json.loads(found[names.LAST_VERIFY])
        assert (record["job"], record["damaged"]) == ("run-2", damaged)


def test_what_a_person_asked_for_and_what_has_no_schedule_is_no_run_of_it() -> None:
    asked = ended("run-1", "2026-01-04T06:10:00Z")
    del asked["metadata"]["ownerReferences"]
    assert verification_annotations(cronjob(), [asked], {"job-run-1": (pod(GOOD),)}) == {}
    run = ended("run-2", "2026-01-04T06:10:00Z")
    assert verification_annotations(cronjob(""), [run], {"job-run-2": (pod(GOOD),)}) == {}
    copied = ended("run-4", "2026-01-04T06:10:00Z")
    copied["metadata"]["ownerReferences"][0]["name"] = "somebodys-copy"
    assert verification_annotations(cronjob(), [copied], {"job-run-4": (pod(GOOD),)}) == {}
    going_on = job(VERIFIER, "run-3")
    assert verification_annotations(cronjob(), [going_on], {}) == {}


@given(st.text(), st.text())
def test_any_text_in_a_record_or_a_message_is_no_error(record: str, message: str) -> None:
    edited = cronjob(last_verify=record)
    last_verification_of(edited)
    verification_due(edited, 300)
    run = ended("run-1", "2026-01-04T06:10:00Z", "Failed")
    verification_annotations(edited, [run], {"job-run-1": (pod(message, 1),)})


_SINCE = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("existing", "target", "is_marked"),
    [
        (None, cronjob(), True),
        (cronjob(""), cronjob(), True),
        (cronjob(verify_since=_SINCE), cronjob(verify_since=_SINCE), False),
        (cronjob(verify_since=_SINCE), cronjob("0 7 * * 0", verify_since=_SINCE), True),
        (
            cronjob(verify_since=_SINCE),
            {**cronjob(verify_since=_SINCE), "spec": {"timeZone": "Etc/UTC"}},
            True,
        ),
        # It goes on after a pause.
        (
            cronjob(verify_since=_SINCE, suspended_since=_SINCE),
            cronjob(verify_since=_SINCE, suspended_since=_SINCE),
            True,
        ),
        (cronjob(verify_since=_SINCE), cronjob(""), False),
        (None, cronjob(""), False),
    ],
)
def test_since_when_a_schedule_is_in_force(
    existing: Json | None, target: Json, *, is_marked: bool
) -> None:
    marks = proof_schedule_marks(target, existing, NOW)
    assert marks == ({names.VERIFY_SINCE: "2026-01-04T12:00:00Z"} if is_marked else {})


def _last(success: str) -> str:
    return json.dumps({"job": "j", "finished": "2026-01-20T00:00:00Z", "last_success": success})


def _moment(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


@pytest.mark.parametrize(
    ("found", "due"),
    [
        # 06:00 in Paris on Sunday, a day for the run, five minutes until everybody knows.
        (cronjob(verify_since=_SINCE), "2026-01-05T05:05:00Z"),
        (
            cronjob(verify_since=_SINCE, last_verify=_last("2026-01-04T05:10:00Z")),
            "2026-01-12T05:05:00Z",
        ),
        # It failed since, and the good one counts.
        (cronjob(verify_since=_SINCE, last_verify=_last("")), "2026-01-05T05:05:00Z"),
        (cronjob("@every 48h", verify_since=_SINCE), "2026-01-04T00:05:00Z"),
        (cronjob("0 0 31 2 *", verify_since=_SINCE), None),
        (cronjob("nonsense", verify_since=_SINCE), None),
        (cronjob(), None),
        (cronjob("", verify_since=_SINCE), None),
    ],
)
def test_when_a_run_is_due(found: Json, due: str | None) -> None:
    assert verification_due(found, 300) == (_moment(due) if due else None)


def test_nothing_is_due_while_the_schedule_is_suspended() -> None:
    found = cronjob(verify_since=_SINCE)
    assert verification_due({**found, "spec": {**found["spec"], "suspend": True}}, 300) is None


@given(st.integers(min_value=0, max_value=400 * _DAY))
def test_a_good_run_is_never_late_before_the_next_one_had_its_day(seconds: int) -> None:
    finished = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    text = finished.strftime("%Y-%m-%dT%H:%M:%SZ")
    due = verification_due(cronjob(verify_since=_SINCE, last_verify=_last(text)), 300)
    assert due is not None
    assert due - _moment(text) > _DAY
    assert annotations_of(cronjob())[names.VERIFY_SCHEDULE]
