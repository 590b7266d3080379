"""What the rows of workloads show, and that nothing in them changes by time alone."""

from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.model import names
from tests.fakes.kube_memory import Document, MemoryApi
from tests.fakes.worlds import (
    CONTROL,
    DB,
    asks,
    cluster,
    job,
    one_pass,
    owner,
    pod,
    settings,
    small,
)
from tests.unit.controller.report.shown import config_map, ended_pod, row, rows, summary

CRONJOB = "CronJob", CONTROL, DB


def ran(api: MemoryApi, number: int, *, succeeded: bool = True, **said: Any) -> None:
    """A run that ended at that hour."""
    finished = f"2026-01-01T{number:02}:00:00Z"
    how = "Complete" if succeeded else "Failed"
    made = api.put(job(api.items[CRONJOB], f"run-{number:02}", ended=finished, how=how))
    said = {"succeeded": succeeded, "exit_code": 0 if succeeded else 20} | said
    ended_pod(api, made, finished, **said)


def test_the_board_shows_everything_of_a_workload() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    assert row(api, "demo") == {
        "workload": "demo/db",
        "kind": "StatefulSet",
        "type": "postgresql",
        "cronjob": DB,
        "state": "wanted",
        "reason": "Annotated",
        "message": "",
        "since": "2026-01-01T00:00:00Z",
        "schedule": "0 3 * * *",
        "time_zone": "Etc/UTC",
        "next": "2026-01-01T03:00:00Z",
        "last_success": "",
        "last_result": None,
        "restore_points": [],
        "restorable": None,
        "last_proof": None,
    }
    record = "ksnapshot/manifests/c/cj/20260101T025950Z-3f9c0a51b2d4/"
    ran(api, 3, stored_bytes=42, seconds=9.04, notes=["standby"], record=record)
    one_pass(api, memory=memory, minutes=190)
    after = row(api, "demo")
    assert after["next"] == "2026-01-02T03:00:00Z"
    assert after["last_success"] == "2026-01-01T03:00:00Z"
    assert after["last_result"] == {
        "finished": "2026-01-01T03:00:00Z",
        "outcome": "succeeded",
        "reason": "Succeeded",
        "message": "",
        "seconds": 9.0,
        "bytes": 42,
        "notes": ["standby"],
    }
    assert after["restore_points"] == [
        {
            "finished": "2026-01-01T03:00:00Z",
            "backup": "3f9c0a51b2d4",
            "bytes": 42,
            "notes": ["standby"],
        }
    ]
    ran(api, 4, succeeded=False, reason="SourceRefused", message="login refused")
    one_pass(api, memory=memory, minutes=250)
    failed = row(api, "demo")
    assert failed["last_success"] == "2026-01-01T03:00:00Z"
    assert failed["last_result"]["message"] == "login refused"
    assert failed["restore_points"] == after["restore_points"]
    assert summary(api, "demo").splitlines() == [
        "ksnapshot: the backups of namespace demo, as of 2026-01-01T04:10:00Z",
        "",
        "demo/db StatefulSet postgresql",
        "  wanted, Annotated since 2026-01-01T00:00:00Z",
        "  schedule: 0 3 * * * Etc/UTC, next run 2026-01-02T03:00:00Z",
        "  last run: failed 2026-01-01T04:00:00Z, SourceRefused: login refused",
        "  last success: 2026-01-01T03:00:00Z",
        "  restorable: up to 2026-01-01T02:59:50Z, as of 2026-01-01T03:00:00Z",
        "  last proof: none; the last backup is stored",
        "  restore point: 2026-01-01T03:00:00Z, 3f9c0a51b2d4, 42 B, notes: standby",
    ]
    assert rows(api) == [], "a run that failed is no trouble of the workload's state"


def test_the_board_says_which_storages_lack_the_backup_of_a_partial_run() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    message = "not in offsite: the store is away"
    lacking = {"name": "offsite", "stored": False, "reason": "StorageFailed", "message": "away"}
    ran(
        api,
        3,
        outcome="partial",
        reason="Partial",
        message=message,
        stored_bytes=42,
        seconds=9,
        storages=[{"name": "main", "stored": True}, lacking],
    )
    one_pass(api, memory=memory, minutes=190)
    shown = row(api, "demo")
    last = shown["last_result"]
    assert (last["outcome"], last["reason"], last["message"]) == ("partial", "Partial", message)
    assert (
        f"  last run: partial 2026-01-01T03:00:00Z, 42 B in 9 s: {message}"
        in summary(api, "demo").splitlines()
    )
    # It is a good run all the same.
    assert shown["last_success"] == "2026-01-01T03:00:00Z"
    assert [point["bytes"] for point in shown["restore_points"]] == [42]


def verified(api: MemoryApi, number: int, *, good: bool = True, **said: Any) -> Document:
    """A verification of a backup that ended at that hour; its Job belongs to no CronJob."""
    finished = f"2026-01-01T{number:02}:00:00Z"
    made = job(api.items[CRONJOB], f"verify-{number:02}", ended=finished)
    del made["metadata"]["ownerReferences"]
    made["metadata"]["labels"] = {names.COMPONENT_LABEL: "verify"}
    made["metadata"]["annotations"] = {names.CRONJOB: DB}
    if not good:
        made["status"]["conditions"][0]["type"] = "Failed"
    made = api.put(made)
    told: dict[str, Any] = {"backup": "3f9c", "began": "2026-01-01T00:00:00Z", "succeeded": good}
    told |= {"reason": "Succeeded" if good else "BackupDamaged", "exit_code": 0 if good else 21}
    ended_pod(api, made, finished, **told | said)
    return made


def test_the_board_shows_what_can_be_restored_and_what_was_proven() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    record = "ksnapshot/manifests/c/j/20260101T025900Z-3f9c/"
    ran(api, 3, record=record, oldest_backup="2025-12-01T00:00:00Z", backups=7)
    one_pass(api, memory=memory, minutes=190)
    shown = row(api, "demo")
    assert shown["restorable"] == {
        "oldest": "2025-12-01T00:00:00Z",
        "newest": "2026-01-01T02:59:00Z",
        "backups": 7,
        "as_of": "2026-01-01T03:00:00Z",
    }
    assert shown["last_proof"] is None

    verified(api, 5, oldest_backup="2025-12-02T00:00:00Z", backups=6)
    one_pass(api, memory=memory, minutes=310)
    shown = row(api, "demo")
    assert shown["last_proof"] == {
        "when": "2026-01-01T05:00:00Z",
        "good": True,
        "backup": "3f9c",
        "grade": "verified",
    }
    assert (shown["restorable"]["backups"], shown["restorable"]["as_of"]) == (
        6,
        "2026-01-01T05:00:00Z",
    )
    # A steady pass writes nothing, however long the Job stays; nor does one that begins anew.
    writes = [len(api.writes), len(api.shown)]
    one_pass(api, memory=memory, minutes=311)
    one_pass(api, minutes=312)
    assert [len(api.writes), len(api.shown)] == writes

    # One that came to no verdict is no proof; one that found damage is.
    verified(api, 6, good=False, reason="StorageFailed", backup="")
    one_pass(api, memory=memory, minutes=370)
    assert row(api, "demo")["last_proof"]["good"] is True
    damaged = verified(api, 7, good=False)
    one_pass(api, memory=memory, minutes=430)
    assert row(api, "demo")["last_proof"]["good"] is False
    assert "  last proof: DAMAGED 2026-01-01T07:00:00Z, backup 3f9c" in summary(api, "demo")
    # It stays when the Job is gone.
    api.remove("Job", CONTROL, damaged["metadata"]["name"])
    one_pass(api, memory=memory, minutes=440)
    assert row(api, "demo")["last_proof"]["good"] is False


def checked(api: MemoryApi, hour: int, *, succeeded: bool = True, **said: Any) -> None:
    """A run of the CronJob that verifies, which ended at that hour."""
    verifier = api.items["CronJob", CONTROL, names.verify_cronjob_name(DB)]
    finished = f"2026-01-01T{hour:02}:00:00Z"
    how = "Complete" if succeeded else "Failed"
    made = job(verifier, f"check-{hour:02}", ended=finished, how=how)
    made["metadata"] |= verifier["spec"]["jobTemplate"]["metadata"]
    told = {"succeeded": succeeded, "exit_code": 0 if succeeded else 21} | said
    ended_pod(api, api.put(made), finished, **told)


def test_the_board_shows_how_verifications_by_schedule_ended() -> None:
    api, memory = cluster(*small(asks(verify_schedule="30 * * * *"))), PassState()
    one_pass(api, memory=memory)
    empty = dict.fromkeys(
        ("finished", "outcome", "reason", "message", "oldest_unread", "last_success"), ""
    )
    shown = row(api, "demo")["verification"]
    assert shown == {"schedule": "30 * * * *", "verified": 0, "damaged": 0, **empty}
    assert "  verified by schedule: 30 * * * *, not yet" in summary(api, "demo")
    checked(api, 1, verified=2, backups=["3f9c", "77aa"])
    one_pass(api, memory=memory, minutes=65)
    good = row(api, "demo")["verification"]
    assert (good["outcome"], good["verified"]) == ("succeeded", 2)
    assert good["finished"] == good["last_success"] == "2026-01-01T01:00:00Z"
    assert row(api, "demo")["last_proof"]["backup"] == "3f9c"
    assert row(api, "demo")["last_result"] is None
    said = {"reason": "BackupDamaged", "message": "77aa is damaged", "damaged": 1}
    checked(api, 2, succeeded=False, **said)
    one_pass(api, memory=memory, minutes=125)
    bad = row(api, "demo")["verification"]
    assert (bad["outcome"], bad["reason"], bad["damaged"]) == ("failed", "BackupDamaged", 1)
    assert bad["last_success"] == "2026-01-01T01:00:00Z"
    lines = summary(api, "demo").splitlines()
    assert "  last proof: DAMAGED 2026-01-01T02:00:00Z" in lines
    told = "30 * * * *, failed 2026-01-01T02:00:00Z, BackupDamaged: 77aa is damaged"
    assert f"  verified by schedule: {told}" in lines
    # A steady pass writes nothing, nor does one that begins anew.
    writes = [len(api.writes), len(api.shown)]
    one_pass(api, memory=memory, minutes=126)
    one_pass(api, minutes=127)
    assert [len(api.writes), len(api.shown)] == writes


def drilled(api: MemoryApi, hour: int, **said: Any) -> None:
    """A drill that somebody asked for, which ended at that hour."""
    finished = f"2026-01-01T{hour:02}:00:00Z"
    how = "Complete" if said["succeeded"] else "Failed"
    made = job(api.items[CRONJOB], f"drill-{hour:02}", ended=finished, how=how)
    made["metadata"] |= {
        "labels": {names.COMPONENT_LABEL: names.DRILL},
        "annotations": {names.CRONJOB: DB},
    }
    del made["metadata"]["ownerReferences"]
    ended_pod(api, api.put(made), finished, **said)


def test_the_board_shows_how_drills_ended() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    assert "drill" not in row(api, "demo")
    good = {"succeeded": True, "outcome": "passed", "backup": "3f9c", "tables": 7, "seconds": 61.0}
    drilled(api, 1, **good, began="2025-12-31T03:00:00Z", age_seconds=79200.0)
    one_pass(api, memory=memory, minutes=65)
    assert row(api, "demo")["drill"] == {
        "schedule": "",
        "finished": "2026-01-01T01:00:00Z",
        "outcome": "passed",
        "reason": "Succeeded",
        "message": "",
        "backup": "3f9c",
        "tables": 7,
        "differing": 0,
        "seconds": 61.0,
        "age_seconds": 79200.0,
        "last_success": "2026-01-01T01:00:00Z",
        "in_doubt": False,
        "doubted": "",
        "problem": False,
    }
    assert row(api, "demo")["last_proof"]["grade"] == "drilled"
    lines = summary(api, "demo").splitlines()
    assert "  last proof: drilled, good 2026-01-01T01:00:00Z, backup 3f9c" in lines
    told = "passed 2026-01-01T01:00:00Z in 61 s, 7 tables compared"
    assert f"  drilled when asked for, {told}" in lines
    bad = {"succeeded": False, "exit_code": 23, "outcome": "failed", "reason": "DrillDiffers"}
    bad |= {"message": "orders differ", "backup": "77aa", "began": "2026-01-01T00:00:00Z"}
    drilled(api, 2, **bad, tables=7, differing=1)
    one_pass(api, memory=memory, minutes=125)
    found = row(api, "demo")["drill"]
    assert (found["outcome"], found["differing"], found["problem"]) == ("failed", 1, True)
    assert found["last_success"] == "2026-01-01T01:00:00Z"
    lines = summary(api, "demo").splitlines()
    assert "  last proof: DIFFERS 2026-01-01T02:00:00Z, backup 77aa" in lines
    told = "failed 2026-01-01T02:00:00Z, DrillDiffers: orders differ"
    assert f"  drilled when asked for, {told}" in lines
    assert "  in doubt: the backup 77aa, which a drill found not to be what was dumped" in lines
    # A steady pass writes nothing, nor does one that begins anew.
    writes = [len(api.writes), len(api.shown)]
    one_pass(api, memory=memory, minutes=126)
    one_pass(api, minutes=127)
    assert [len(api.writes), len(api.shown)] == writes


def test_the_board_has_the_last_ten_restore_points() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    for number in range(1, 15):
        ran(api, number, succeeded=number % 5 != 0, stored_bytes=number)
        one_pass(api, memory=memory, minutes=60 * number + 1)
    points = [point["bytes"] for point in row(api, "demo")["restore_points"]]
    assert points == [14, 13, 12, 11, 9, 8, 7, 6, 4, 3]


def test_nothing_changes_by_time_alone() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    ran(api, 3)
    one_pass(api, memory=memory, minutes=190)
    # Nobody makes the next run: that is told, and then nothing any more.
    one_pass(api, memory=memory, minutes=1440 * 2)
    before = config_map(api, "demo")
    api.shown.clear()
    for days in range(3, 400, 7):
        # A run that begins changes the CronJob's status and nothing to be shown.
        api.items[CRONJOB]["status"] = {"lastScheduleTime": str(days)}
        api.put(api.items[CRONJOB])
        one_pass(api, memory=memory, minutes=days * 1440)
        one_pass(api, minutes=days * 1440)
    assert api.shown == []
    assert config_map(api, "demo") == before


@pytest.mark.parametrize(
    ("says", "reason", "type_", "schedule"),
    [
        (asks(), "ServiceMissing", "postgresql", "0 3 * * *"),
        (
            asks(schedule="@daily", timezone="Europe/Paris"),
            "ServiceMissing",
            "postgresql",
            "@daily",
        ),
        (asks(schedule="never"), "ScheduleInvalid", "postgresql", ""),
        (asks(type="oracle"), "TypeInvalid", "", ""),
    ],
)
def test_a_workload_without_cronjob_shows_what_its_annotations_say(
    says: dict[str, str], reason: str, type_: str, schedule: str
) -> None:
    api = cluster(*small(says)[:3])
    one_pass(api)
    shown = row(api, "demo")
    assert (shown["reason"], shown["type"], shown["schedule"]) == (reason, type_, schedule)
    assert (shown["cronjob"], shown["next"], shown["last_result"]) == ("", "", None)
    assert (row(api)["type"], row(api)["kind"]) == (type_, "StatefulSet")


def test_the_board_shows_the_class_of_a_workload_and_nothing_without_one() -> None:
    how = settings(CLASSES='{"gold": {"schedule": "@daily"}}')
    memory, api = PassState(), cluster(*small(asks(**{"class": "gold", "schedule": "@daily"})))
    one_pass(api, how, memory)
    assert row(api, "demo")["class"] == "gold"
    told = summary(api, "demo")
    assert "\n  class: gold\n  schedule: @daily" in told
    before = config_map(api, "demo")
    one_pass(api, how, memory, minutes=1)
    one_pass(api, how, minutes=2)
    assert config_map(api, "demo") == before
    for item in small():
        api.put(item)
    one_pass(api, how, memory, minutes=3)
    assert "class" not in row(api, "demo")


def test_the_board_shows_the_class_of_a_workload_without_a_cronjob() -> None:
    api = cluster(*small(asks(**{"class": "gold", "schedule": "@daily"}))[:3])
    one_pass(api, settings(CLASSES='{"gold": {"schedule": "@daily"}}'))
    assert (row(api, "demo")["reason"], row(api, "demo")["class"]) == ("ServiceMissing", "gold")


def test_a_suspended_workload_is_listed_and_has_no_next_run() -> None:
    api = cluster(*small(asks(suspend="true")))
    one_pass(api)
    assert (row(api)["state"], row(api)["reason"]) == ("wanted", "Suspended")
    assert (row(api)["cronjob"], row(api, "demo")["next"]) == (DB, "")


def test_a_rejected_workload_with_a_cronjob_shows_its_runs_as_before() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    ran(api, 3, stored_bytes=42)
    api.remove("Service", "demo", "db")
    one_pass(api, memory=memory, minutes=200)
    shown = row(api, "demo")
    assert (shown["reason"], shown["cronjob"]) == ("ServiceMissing", DB)
    assert (shown["schedule"], shown["last_result"]["bytes"]) == ("0 3 * * *", 42)
    assert row(api)["message"] == shown["message"]


def test_two_kinds_of_one_name_are_two_rows() -> None:
    web = owner("db", "Deployment", template=asks())
    set_of = owner("db", "ReplicaSet", above=web)
    other = pod(set_of, 7)
    other["metadata"]["name"] = "web-0"
    api, memory = cluster(*small(), web, set_of, other), PassState()
    one_pass(api, memory=memory)
    one_pass(api, memory=memory, minutes=1)
    shown = {(item["kind"], item["cronjob"]): item["reason"] for item in rows(api, "demo")}
    assert len(shown) == 2, shown
    assert {kind for kind, _ in shown} == {"StatefulSet", "Deployment"}
    assert max(shown.values()) == "NameTaken"


def test_what_is_gone_is_listed_until_its_cronjob_is_deleted() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    for kind, name in (("StatefulSet", "db"), ("Pod", "db-0")):
        api.remove(kind, "demo", name)
    one_pass(api, memory=memory, minutes=1)
    assert (row(api)["state"], row(api)["kind"]) == ("gone", "StatefulSet")
    for minutes in (10, 20, 30):
        one_pass(api, memory=memory, minutes=minutes)
    assert CRONJOB not in api.items
    assert (rows(api), rows(api, "demo")) == ([], [])


def test_what_left_the_watch_list_is_in_the_status() -> None:
    api = cluster(*small())
    one_pass(api)
    one_pass(api, settings("other"), minutes=1)
    assert (row(api)["workload"], row(api)["state"]) == ("demo/db", "unwatched")


@pytest.mark.parametrize(
    "key", [names.LAST_RESULT, names.LAST_SUCCESS, names.LAST_PROOF, names.HISTORY]
)
@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", "{}", '{"finished":7}', '{"finished":"2026-01-01T00:00:00Z"}']
)
def test_broken_records_show_nothing(key: str, text: str) -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    api.items[CRONJOB]["metadata"]["annotations"][key] = text
    api.put(api.items[CRONJOB])
    one_pass(api, memory=memory, minutes=1)
    shown = row(api, "demo")
    assert (shown["last_result"], shown["restore_points"]) == (None, [])
