import copy
import json
from datetime import timedelta
from typing import Any

import pytest

from controller.kube.client import ForbiddenError
from controller.loop.pass_state import PassState
from controller.model.names import (
    DRILL_SCHEDULE,
    LAST_DRILL,
    LAST_VERIFY,
    PREFIX,
    cronjob_name,
)
from controller.model.status import Reason, State, WorkloadStatus
from controller.plan.changes import PassResult
from controller.report.events import event_writer
from controller.report.events.notice import Notice, Place, event, make_notice
from controller.report.events.notices import notices, prune_notices
from controller.report.events.proof_notices import proof_notices
from controller.report.status_subjects import Subject
from controller.runs.causes.job_end import JobEnd
from controller.runs.retention.prunes import Prunes
from dumpers.contract.retention.result import PruneResult
from tests.fakes.worlds import (
    DB,
    NOW,
    asks,
    cluster,
    job,
    one_pass,
    owner,
    settings,
    small,
    states,
)
from tests.unit.controller.report.shown import ended_pod

_FINE = small()
# Its Service is missing.
_ODD = [item for item in small() if item["kind"] != "Service"]


def _told(api: Any) -> list[tuple[str, str, str]]:
    found = [(item["type"], item["reason"], item["involvedObject"]["name"]) for item in api.events]
    api.events.clear()
    return found


def test_a_new_workload_is_accepted_on_its_owner() -> None:
    api, memory = cluster(), PassState()
    one_pass(api, memory=memory)
    for item in _FINE:
        api.put(item)
    one_pass(api, memory=memory, minutes=1)
    [item] = api.events
    assert item["involvedObject"] == {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "namespace": "demo",
        "name": "db",
        "uid": "statefulset-db",
    }
    assert (item["type"], item["reason"]) == ("Normal", "BackupAccepted")
    assert "0 3 * * * (Etc/UTC)" in item["message"]
    for minutes in range(2, 200, 20):
        one_pass(api, memory=memory, minutes=minutes)
    assert len(api.events) == 1


def test_a_start_tells_nothing_of_what_is_well_and_all_that_is_not() -> None:
    api = cluster(*_FINE, *small(name="odd")[1:3])
    one_pass(api)
    assert _told(api) == [("Warning", "BackupRejected", "odd")]
    # The process before has told it within the hour.
    one_pass(api, minutes=1)
    assert _told(api) == []


def test_what_is_not_well_is_told_again_within_the_hour_with_what_to_do() -> None:
    api, memory = cluster(*_ODD), PassState()
    one_pass(api, memory=memory)
    message = api.events[0]["message"]
    assert message.startswith("ServiceMissing: ")
    assert "To do: create a Service" in message
    _told(api)
    for minutes in range(1, 50):
        one_pass(api, memory=memory, minutes=minutes)
    assert _told(api) == []
    one_pass(api, memory=memory, minutes=51)
    assert _told(api) == [("Warning", "BackupRejected", "db")]


def test_a_run_that_does_not_come_is_told_though_nothing_has_failed() -> None:
    api, memory = cluster(*_FINE), PassState()
    one_pass(api, memory=memory)
    api.items["CronJob", "ksnapshot", DB]["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    # At three, and four hours, five minutes and a pause later.
    hours = 7 * 60 + 6
    assert _told_of(one_pass(api, memory=memory, minutes=hours)) == Reason.ANNOTATED
    api.events.clear()
    assert _told_of(one_pass(api, memory=memory, minutes=hours + 1)) == Reason.OVERDUE
    assert "should have ended by 2026-01-01T07:06:00Z" in api.events[0]["message"]
    assert _told(api) == [("Warning", "BackupOverdue", "db")]
    cronjob = api.items["CronJob", "ksnapshot", DB]
    api.put(job(cronjob, "run-1", ended="2026-01-01T07:10:00Z"))
    assert _told_of(one_pass(api, memory=memory, minutes=hours + 8)) == Reason.ANNOTATED
    assert ("Normal", "BackupSucceeded", "db") in _told(api)


def _told_of(result: PassResult) -> Reason:
    [only] = result.results
    return only.status.reason


def test_runs_are_told_with_size_and_why_they_failed() -> None:
    api, memory = cluster(*_FINE), PassState()
    one_pass(api, memory=memory)
    cronjob = api.items["CronJob", "ksnapshot", DB]
    api.put(job(cronjob, "run-1", ended="2026-01-01T03:00:09Z"))
    one_pass(api, memory=memory, minutes=1)
    assert _told(api) == [("Normal", "BackupSucceeded", "db")]
    api.put(job(cronjob, "run-2", ended="2026-01-01T04:00:09Z"))
    one_pass(api, memory=memory, minutes=2)
    assert _told(api) == [("Normal", "BackupSucceeded", "db")]
    api.put(job(cronjob, "run-3", ended="2026-01-01T05:00:09Z", how="Failed"))
    one_pass(api, memory=memory, minutes=3)
    assert _told(api) == [("Warning", "BackupFailed", "db")]


def test_a_partial_run_is_told_as_one() -> None:
    api, memory = cluster(*_FINE), PassState()
    one_pass(api, memory=memory)
    made = api.put(
        job(api.items["CronJob", "ksnapshot", DB], "run-1", ended="2026-01-01T03:00:09Z")
    )
    said = {"outcome": "partial", "reason": "Partial", "message": "not in offsite: away"}
    ended_pod(api, made, "2026-01-01T03:00:09Z", **said)
    api.events.clear()
    one_pass(api, memory=memory, minutes=1)
    [told] = api.events
    assert (told["type"], told["reason"]) == ("Normal", "BackupSucceeded")
    assert told["message"].endswith("; it is partial: not in offsite: away")


def test_a_read_that_failed_twice_is_told_as_not_known() -> None:
    api, memory = cluster(*_FINE), PassState()
    one_pass(api, memory=memory)
    _told(api)
    api.fail("Service", "demo")
    one_pass(api, memory=memory, minutes=1)
    api.failing.clear()
    one_pass(api, memory=memory, minutes=2)
    assert _told(api) == []
    api.fail("Service", "demo")
    one_pass(api, memory=memory, minutes=3)
    one_pass(api, memory=memory, minutes=4)
    assert _told(api) == [("Warning", "BackupStateUnknown", "db")]


def test_events_that_may_not_be_sent_stop_nothing_and_are_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api, memory = cluster(*_ODD), PassState()
    api.unwritable["Event", "demo"] = ForbiddenError("403 events")
    for minutes in range(30):
        assert one_pass(api, memory=memory, minutes=minutes).succeeded
    assert caplog.text.count("event not sent") == 1
    del api.unwritable["Event", "demo"]
    one_pass(api, memory=memory, minutes=51)
    assert _told(api) == [("Warning", "BackupRejected", "db")]


@pytest.mark.parametrize("watched", ["demo", "*"])
def test_nothing_is_sent_where_a_namespace_is_not_watched_any_more(watched: str) -> None:
    """Its rights are gone, or all of it: whatever becomes of the runs, nobody can be told there."""
    api, memory = cluster(*_FINE, *small(space="left")), PassState()
    one_pass(api, settings("demo", "left"), memory)
    api.remove("Namespace", "", "left")
    _told(api)
    cronjob = api.items["CronJob", "ksnapshot", cronjob_name("postgresql", "left/db")]
    api.put(job(cronjob, "run-1", ended="2026-01-01T03:00:09Z", how="Failed"))
    for minutes in range(1, 180, 59):
        result = one_pass(api, settings(watched), memory, minutes)
        assert states(result)["left/db"] == "unwatched NamespaceUnwatched"
    assert _told(api) == []


def test_a_pass_sends_few_and_the_next_ones_the_others() -> None:
    many = event_writer.MOST + 7
    pods = [item for n in range(many) for item in small(name=f"db-{n}")[1:3]]
    api, memory = cluster(*_FINE[:1], *pods), PassState()
    sent = []
    for minutes in range(3):
        one_pass(api, memory=memory, minutes=minutes)
        sent.append(len(_told(api)))
    assert sent == [event_writer.MOST, 7, 0]


def test_a_group_is_told_on_its_first_member() -> None:
    says = asks(type="clickhouse", group="shop")
    owners = [owner(name, template=says) for name in ("shard-1", "shard-0")]
    api = cluster(*_FINE[:1], *owners)
    one_pass(api)
    assert {name for _, _, name in _told(api)} <= {"shard-0"}


def test_an_event_fits_into_what_the_api_server_takes() -> None:
    place = Place("demo", "StatefulSet", "x" * 253, "uid")
    notice = make_notice("BackupFailed", "ä" * 5000 + "\ud800", is_warning=True)
    body = event(notice, place, "ksnapshot", NOW)
    assert len(body["message"].encode()) <= 1024
    assert len(body["metadata"]["name"]) <= 253
    later = event(notice, place, "ksnapshot", NOW + timedelta(hours=2))
    assert later["metadata"]["name"] != body["metadata"]["name"]
    plain = Notice(reason="BackupSucceeded", message="x", is_warning=False, of="1")
    other = Notice(reason="BackupSucceeded", message="x", is_warning=False, of="2")
    names = {event(item, place, "ksnapshot", NOW)["metadata"]["name"] for item in (plain, other)}
    assert len(names) == 2
    custom = event(plain, Place("demo", "Rollout.argoproj.io", "x", ""), "ksnapshot", NOW)
    assert custom["involvedObject"] == {"kind": "Rollout", "namespace": "demo", "name": "x"}
    assert PREFIX.rstrip("/") in custom["reportingComponent"]


@pytest.mark.parametrize(
    ("last", "type_", "reason", "said"),
    [
        ({"verified": 3}, "Normal", "BackupsVerified", "3 backups were read back and are good"),
        ({"message": "no backup yet"}, "Normal", "BackupsVerified", "no backup yet"),
        (
            {"verified": 3, "message": "3 verdicts are not recorded"},
            "Normal",
            "BackupsVerified",
            "are good; 3 verdicts are not recorded",
        ),
        (
            {"succeeded": False, "reason": "EncryptionFailed", "message": "no key opens it"},
            "Warning",
            "VerificationFailed",
            "To do: put the key of the newest backup into the Secret of identitySecret",
        ),
        (
            {"succeeded": False, "reason": "BackupDamaged", "message": "3f9c is damaged"},
            "Warning",
            "BackupsDamaged",
            "failed: BackupDamaged: 3f9c is damaged. To do: restore another one",
        ),
        (
            {"succeeded": False, "reason": "StorageFailed", "message": "away"},
            "Warning",
            "VerificationFailed",
            "failed: StorageFailed: away. To do: see the store",
        ),
    ],
)
def test_how_a_verification_by_schedule_ended_is_told_on_the_owner(
    last: dict[str, Any], type_: str, reason: str, said: str
) -> None:
    says = asks(verify_schedule="0 6 * * 0")
    api, memory = cluster(*small(says)), PassState()
    one_pass(api, memory=memory)
    one_pass(api, memory=memory, minutes=1)
    api.events.clear()
    plain = {"job": "check-1", "finished": "2026-01-04T06:10:00Z", "succeeded": True}
    record = plain | {"reason": "Succeeded", "message": ""} | last
    noted = copy.deepcopy(api.items["CronJob", "ksnapshot", DB])
    noted["metadata"]["annotations"][LAST_VERIFY] = json.dumps(record)
    api.put(noted)
    one_pass(api, memory=memory, minutes=2)
    [item] = [item for item in api.events if "erif" in item["reason"] or "amaged" in item["reason"]]
    assert (item["type"], item["reason"]) == (type_, reason)
    assert said in item["message"]
    api.events.clear()
    one_pass(api, memory=memory, minutes=3)
    assert not api.events


_DRILLED: dict[str, Any] = {"job": "drill-1", "finished": "2026-01-04T07:10:00Z"}
_PASSED = _DRILLED | {"outcome": "passed", "reason": "Succeeded", "message": ""}
_FAILED = _DRILLED | {"outcome": "failed", "message": "so it is"}
_DIFFERS = _FAILED | {"reason": "DrillDiffers"}
_DOUBTED = {"in_doubt": True, "doubted": "77aa"}


@pytest.mark.parametrize(
    ("last", "type_", "reason", "said"),
    [
        (
            _PASSED | {"backup": "3f9c", "seconds": 61.0, "tables": 7},
            "Normal",
            "BackupDrilled",
            "the backup 3f9c was restored in 61 s and holds what was dumped, 7 tables compared",
        ),
        (
            _DRILLED | {"outcome": "not-drillable", "reason": "NotDrillable", "message": "no key"},
            "Normal",
            "BackupNotDrillable",
            "was not possible: no key. To do: see the message; mostly the key",
        ),
        (
            _DIFFERS | _DOUBTED,
            "Warning",
            "BackupInDoubt",
            "failed: DrillDiffers: so it is. To do: drill it once more",
        ),
        # Whoever asked for a drill without a schedule has seen that it came to nothing.
        (_FAILED | {"reason": "StorageFailed"}, "", "", ""),
        # What an earlier one found is told on.
        (
            _FAILED | {"reason": "StorageFailed"} | _DOUBTED,
            "Warning",
            "BackupInDoubt",
            "the backup 77aa did not pass a drill",
        ),
    ],
)
def test_how_a_drill_ended_is_told_on_the_owner(
    last: dict[str, Any], type_: str, reason: str, said: str
) -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    one_pass(api, memory=memory, minutes=1)
    api.events.clear()
    noted = copy.deepcopy(api.items["CronJob", "ksnapshot", DB])
    noted["metadata"]["annotations"][LAST_DRILL] = json.dumps(last)
    api.put(noted)
    one_pass(api, memory=memory, minutes=2)
    found = [(item["type"], item["reason"]) for item in api.events]
    assert found == ([(type_, reason)] if reason else [])
    assert all(said in item["message"] for item in api.events)
    api.events.clear()
    one_pass(api, memory=memory, minutes=3)
    assert not api.events


def test_a_drill_by_schedule_without_a_verdict_is_told_with_its_fix() -> None:
    values = {DRILL_SCHEDULE: "0 7 * * 0"}
    values[LAST_DRILL] = json.dumps(_FAILED | {"reason": "DrillServerFailed"})
    [(topic, notice)] = proof_notices({"metadata": {"name": "c", "annotations": values}})
    assert (topic, notice.reason, notice.is_warning) == ("drill", "DrillFailed", True)
    assert "DrillServerFailed: so it is. To do: see the log of the container `server`" in (
        notice.message
    )


@pytest.mark.parametrize(
    ("reason", "type_", "told"),
    [
        (Reason.NOT_DRILLABLE, "Normal", "BackupNotDrillable"),
        (Reason.DRILL_IMAGE_MISSING, "Warning", "BackupNotDrillable"),
        (Reason.DRILL_BLOCKED, "Warning", "DrillBlocked"),
    ],
)
def test_what_keeps_its_backups_from_being_drilled_is_told_as_no_fault_of_them(
    reason: Reason, type_: str, told: str
) -> None:
    status = WorkloadStatus(state=State.WANTED, reason=reason, message="so it is")
    [(topic, notice)] = notices(Subject(status, {"metadata": {"name": "c"}}))
    assert (topic, notice.reason, notice.is_warning) == ("state", told, type_ == "Warning")
    assert notice.message.startswith("so it is; its backups go on. To do: ")


def pruned(*held_back: str, shrunk: tuple[str, ...] = ()) -> JobEnd[PruneResult]:
    result = PruneResult(
        succeeded=True,
        exit_code=0,
        reason="Succeeded",
        message="",
        held_back_cronjobs=held_back,
        shrunk_cronjobs=shrunk,
    )
    return JobEnd(
        job="prune",
        finished="2026-01-01T04:17:00Z",
        succeeded=True,
        reason="",
        message="",
        result=result,
    )


def test_what_holds_backups_back_is_proved_as_the_workload_proves() -> None:
    last = pruned("read", "drilled")
    told = prune_notices(Prunes(good=(last,)), frozenset({"drilled"}))
    assert "`ksnapshot verify`" in told["read"].message
    assert "`ksnapshot drill`" in told["drilled"].message


def test_what_is_held_back_in_any_storage_is_told() -> None:
    prunes = Prunes(good=(pruned(), pruned("a", "b"), pruned("c", shrunk=("b",))))
    told = {name: notice.reason for name, notice in prune_notices(prunes).items()}
    assert told == {"a": "BackupsHeldBack", "b": "BackupsShrunk", "c": "BackupsHeldBack"}
