"""What counts as a change between two passes."""

import json
from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.model.names import (
    COMPONENT_LABEL,
    CRONJOB,
    DRILL,
    DRILL_SCHEDULE,
    LAST_DRILL,
    LAST_RESULT,
    LAST_VERIFY,
    VERIFY_SCHEDULE,
    verify_cronjob_name,
)
from controller.model.status import Reason, State, WorkloadStatus
from controller.plan.changes import Action, ApplyResult, Change, WorkloadPlan
from controller.report.proof_ends import DrillFinished, VerificationFinished
from controller.report.transitions import (
    ObjectWritten,
    RunFinished,
    StatusChanged,
    WorkloadForgotten,
    forgotten_workloads,
    workload_transitions,
)
from tests.fakes.worlds import CONTROL, DB, asks, cluster, job, one_pass, small
from tests.unit.controller.report.shown import ended_pod

WANTED = WorkloadStatus(state=State.WANTED, reason=Reason.ANNOTATED)
UNKNOWN = WorkloadStatus(state=State.UNKNOWN, reason=Reason.NO_RUNNING_POD)


def cronjob(**record: Any) -> dict[str, Any]:
    values = {LAST_RESULT: json.dumps(record)} if record else {}
    return {"metadata": {"name": "c", "annotations": values}}


def result(*done: Change, status: WorkloadStatus = WANTED, failed: bool = False) -> ApplyResult:
    plan = WorkloadPlan(namespace="demo", workload="demo/db", cronjob="c", status=status)
    return ApplyResult(workload_plan=plan, status=status, done=done, failed=failed)


def update(before: dict[str, Any], after: dict[str, Any]) -> Change:
    return Change(action=Action.UPDATE, kind="CronJob", name="c", before=before, after=after)


def test_a_new_status_is_a_transition_and_the_same_one_is_none() -> None:
    assert list(workload_transitions(WANTED, result())) == []
    (changed,) = workload_transitions(None, result())
    assert changed == StatusChanged(
        workload="demo/db", cronjob="c", before=None, after=WANTED, is_calm=True
    )
    (changed,) = workload_transitions(WANTED, result(status=UNKNOWN))
    assert isinstance(changed, StatusChanged)
    assert (changed.before, changed.after, changed.is_calm) == (WANTED, UNKNOWN, False)
    blocked = WorkloadStatus(state=State.WANTED, reason=Reason.RUN_BLOCKED, message="run-1")
    refused = WorkloadStatus(state=State.WANTED, reason=Reason.RESTORE_REFUSED)
    for troubled in (result(failed=True), result(status=blocked), result(status=refused)):
        (changed,) = workload_transitions(None, troubled)
        assert isinstance(changed, StatusChanged)
        assert not changed.is_calm


def test_each_write_is_a_transition_and_a_recorded_result_one_more() -> None:
    good = cronjob(
        job="run-1",
        finished="1",
        succeeded=True,
        reason="Succeeded",
        message="",
        notes=["standby"],
    )
    (written, finished) = workload_transitions(WANTED, result(update(cronjob(), good)))
    assert written == ObjectWritten(
        workload="demo/db", action=Action.UPDATE, kind="CronJob", name="c"
    )
    assert finished == RunFinished(
        workload="demo/db",
        cronjob="c",
        job="run-1",
        succeeded=True,
        reason="Succeeded",
        message="",
        notes=("standby",),
        finished="1",
    )


@pytest.mark.parametrize(
    ("after", "count"),
    [
        ({"finished": "2", "job_reason": "DeadlineExceeded"}, 0),
        ({"job": "run-2"}, 1),
        ({"reason": "SourceFailed"}, 1),
    ],
)
def test_a_record_that_only_grew_is_no_other_run(after: dict[str, str], count: int) -> None:
    record = {"job": "run-1", "finished": "1", "succeeded": False, "reason": "OOMKilled"}
    change = update(cronjob(**record), cronjob(**record | after))
    found = list(workload_transitions(WANTED, result(change)))
    assert sum(isinstance(item, RunFinished) for item in found) == count


def test_a_deleted_cronjob_finishes_no_run() -> None:
    record = {"job": "run-1", "finished": "1"}
    deleted = Change(action=Action.DELETE, kind="CronJob", name="c", before=cronjob(**record))
    assert [type(item) for item in workload_transitions(WANTED, result(deleted))] == [ObjectWritten]


def test_a_workload_is_forgotten_when_nothing_of_it_is_left() -> None:
    before = {("demo/db", "c"): WANTED, ("demo/new", ""): UNKNOWN, ("demo/old", ""): UNKNOWN}
    after = {("demo/db", "c"), ("demo/new", "d")}
    assert list(forgotten_workloads(before, after)) == [
        WorkloadForgotten(workload="demo/old", cronjob="", before=UNKNOWN)
    ]
    assert [item.cronjob for item in forgotten_workloads(before, ())] == ["c", "", ""]


def test_the_log_has_each_transition_of_a_pass_once(caplog: pytest.LogCaptureFixture) -> None:
    api, state = cluster(*small()), PassState()
    caplog.set_level("INFO")

    def lines(minutes: float) -> list[str]:
        caplog.clear()
        one_pass(api, memory=state, minutes=minutes)
        return [record.message for record in caplog.records]

    assert lines(0) == [
        "object written",
        "object written",
        "workload status changed",
        "pass finished",
    ]
    api.put(job(api.items["CronJob", CONTROL, DB], ended="2026-01-01T00:01:00Z", how="Failed"))
    assert lines(2) == ["object written", "run finished", "pass finished"]
    assert lines(3) == ["pass finished"]
    for kind, name in (("StatefulSet", "db"), ("Pod", "db-0")):
        api.remove(kind, "demo", name)
    api.remove("CronJob", CONTROL, DB)
    assert lines(4) == ["workload forgotten", "pass finished"]
    assert lines(5) == ["pass finished"]


def test_a_namespace_without_a_plan_forgets_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, state = cluster(*small()), PassState()
    one_pass(api, memory=state)
    caplog.set_level("INFO")
    caplog.clear()
    with monkeypatch.context() as broken:
        broken.setattr("controller.plan.planner.plan", lambda *_: 1 / 0)
        one_pass(api, memory=state)
    one_pass(api, memory=state)
    assert [record.message for record in caplog.records] == [
        "a fault of the controller",
        "pass finished",
        "pass finished",
    ]


def test_the_end_of_a_verification_is_told_once_and_is_no_run() -> None:
    def verified(**record: Any) -> dict[str, Any]:
        values = {VERIFY_SCHEDULE: "0 6 * * 0", LAST_VERIFY: json.dumps(record)}
        return {"metadata": {"name": "c", "annotations": values}}

    record = {"job": "check-1", "finished": "2026-01-01T06:10:00Z", "succeeded": False}
    record |= {"reason": "BackupDamaged", "message": "3f9c is damaged", "damaged": 1}
    after = verified(**record)
    _, told = workload_transitions(WANTED, result(update(verified(), after)))
    assert told == VerificationFinished(
        workload="demo/db",
        cronjob="c",
        job="check-1",
        succeeded=False,
        reason="BackupDamaged",
        message="3f9c is damaged",
        damaged=1,
        finished="2026-01-01T06:10:00Z",
        is_against=True,
    )
    (written,) = workload_transitions(WANTED, result(update(after, after)))
    assert isinstance(written, ObjectWritten)
    again = verified(**record | {"finished": "2026-01-02T06:10:00Z", "job": "check-2"})
    assert len(list(workload_transitions(WANTED, result(update(after, again))))) == 2


def _drilled(schedule: str = "", **record: Any) -> dict[str, Any]:
    values = {DRILL_SCHEDULE: schedule} if schedule else {}
    values |= {LAST_DRILL: json.dumps(record)} if record else {}
    return {"metadata": {"name": "c", "annotations": values}}


_PASSED = {"job": "d-1", "finished": "2026-01-01T07:10:00Z", "outcome": "passed"}
_PASSED |= {"reason": "Succeeded", "message": ""}
_AWAY = {"job": "d-2", "finished": "2026-01-08T07:10:00Z", "outcome": "failed"}
_AWAY |= {"reason": "StorageFailed", "message": "away"}


@pytest.mark.parametrize(
    ("schedule", "before", "after", "is_told", "earlier"),
    [
        ("", {}, _PASSED, True, None),
        ("", _PASSED, _AWAY, False, (False, "Succeeded", False, False)),
        ("0 7 * * 0", _PASSED, _AWAY, True, (False, "Succeeded", False, False)),
        (
            "0 7 * * 0",
            _PASSED | {"outcome": "failed", "reason": "DrillDiffers", "in_doubt": True},
            _AWAY | {"in_doubt": True},
            True,
            (True, "DrillDiffers", True, True),
        ),
        # A failure that nobody was told of is none that heals.
        ("", _AWAY, _PASSED | {"job": "d-3"}, True, (False, "StorageFailed", False, False)),
    ],
)
def test_the_end_of_a_drill_is_told_once_and_is_no_run(
    schedule: str, before: Any, after: Any, *, is_told: bool, earlier: Any
) -> None:
    first, then = _drilled(schedule, **before), _drilled(schedule, **after)
    _, told = workload_transitions(WANTED, result(update(first, then)))
    assert isinstance(told, DrillFinished)
    assert (told.job, str(told.outcome)) == (after["job"], after["outcome"])
    assert (told.is_told, told.before) == (is_told, earlier)
    assert told.in_doubt == bool(after.get("in_doubt"))
    (written,) = workload_transitions(WANTED, result(update(then, then)))
    assert isinstance(written, ObjectWritten)


def test_the_log_has_the_end_of_a_drill(caplog: pytest.LogCaptureFixture) -> None:
    api, state = cluster(*small()), PassState()
    one_pass(api, memory=state)
    dump = api.items["CronJob", CONTROL, DB]
    for name, how, level in (("d-1", "Failed", "WARNING"), ("d-2", "Complete", "INFO")):
        made = job(dump, name, ended=f"2026-01-01T00:01:0{name[-1]}Z", how=how)
        made["metadata"] |= {"labels": {COMPONENT_LABEL: DRILL}, "annotations": {CRONJOB: DB}}
        del made["metadata"]["ownerReferences"]
        made = api.put(made)
        if how == "Complete":
            told = {"succeeded": True, "exit_code": 0, "outcome": "not-drillable"}
            ended_pod(api, made, "2026-01-01T00:01:02Z", **told)
        caplog.set_level("INFO")
        caplog.clear()
        one_pass(api, memory=state, minutes=2)
        lines = [(record.message, record.levelname) for record in caplog.records]
        assert lines[1] == ("drill finished", level)


def test_the_log_has_the_end_of_a_verification(caplog: pytest.LogCaptureFixture) -> None:
    api, state = cluster(*small(asks(verify_schedule="0 6 * * 0"))), PassState()
    one_pass(api, memory=state)
    verifier = api.items["CronJob", CONTROL, verify_cronjob_name(DB)]
    made = job(verifier, "check-1", ended="2026-01-01T00:01:00Z", how="Failed")
    made["metadata"] |= verifier["spec"]["jobTemplate"]["metadata"]
    api.put(made)
    caplog.set_level("INFO")
    caplog.clear()
    one_pass(api, memory=state, minutes=2)
    lines = [(record.message, record.levelname) for record in caplog.records]
    assert lines == [
        ("object written", "INFO"),
        ("verification finished", "WARNING"),
        ("pass finished", "INFO"),
    ]
