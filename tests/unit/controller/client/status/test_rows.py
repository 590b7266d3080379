import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.client.cluster import known
from controller.client.cluster.workload_names import Workload
from controller.client.diagnosis.links import _last_run
from controller.client.status.documents import document_of
from controller.client.status.past_run import history_of, recorded_jobs, told_history
from controller.client.status.rows import Row, make_rows
from controller.client.status.view import _cells, _details, _why
from controller.client.terminal.output import moment_of
from controller.model import fixes, names
from controller.model.objects import Json
from controller.model.status import Reason
from controller.runs.reasons import RunReason
from tests.paths import REPOSITORY

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
GOOD = {
    "job": "run-1",
    "finished": "2026-01-10T03:00:41Z",
    "succeeded": True,
    "exit_code": 0,
    "reason": "Succeeded",
    "message": "",
    "source_bytes": 5 << 30,
    "stored_bytes": 1 << 30,
    "seconds": 41.0,
    "notes": ["globals"],
    "accepted": ["standby"],
}
BAD = GOOD | {
    "job": "run-2",
    "finished": "2026-01-10T09:00:00Z",
    "succeeded": False,
    "exit_code": 20,
    "reason": "SourceRefused",
    "message": "no such login",
}


def row(
    reported: Json | None = None,
    jobs: list[Json] | None = None,
    *,
    is_state_known: bool = True,
    spec: Json | None = None,
    last: Any = GOOD,
    good: Any = GOOD,
    status: Json | None = None,
    proof: Any = None,
    asked: str | None = None,
    verify: Any = None,
    drill: Any = None,
    drill_schedule: str | None = None,
) -> Row:
    records = {
        names.DRILL_SCHEDULE: drill_schedule,
        names.LAST_DRILL: drill,
        names.VERIFY_SCHEDULE: None if verify is None else "0 6 * * 0",
        names.LAST_VERIFY: verify,
        names.LAST_RESULT: last,
        names.LAST_SUCCESS: good,
        names.LAST_PROOF: proof,
        names.ASKED_SCHEDULE: asked,
    }
    annotations = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in records.items()
        if value is not None
    }
    cronjob = {
        "metadata": {"name": "c", "uid": "u", "annotations": annotations},
        "spec": {"schedule": "0 3 * * *", "timeZone": "Europe/Paris"} | dict(spec or {}),
        "status": status or {},
    }
    workload = Workload(
        namespace="a",
        name="b",
        kind="StatefulSet",
        type="mysql",
        cronjob=cronjob,
        reported=reported,
    )
    (made,) = make_rows([workload], jobs or [], NOW, is_state_known=is_state_known)
    return made


def job(uid: str = "u", **status: Any) -> Json:
    reference = {"kind": "CronJob", "uid": uid}
    return {
        "metadata": {"name": "j", "ownerReferences": [reference]},
        "status": {"startTime": "2026-01-10T11:57:00Z"} | status,
    }


def test_a_schedule_that_was_left_to_us_is_told_beside_what_became_of_it() -> None:
    found = row(asked="@daily-random")
    assert ("schedule", "0 3 * * * (Europe/Paris), for @daily-random") in _details(found, NOW)
    document = document_of(found)
    assert (document["schedule"], document["asked_schedule"]) == ("0 3 * * *", "@daily-random")
    assert document_of(row())["asked_schedule"] == "0 3 * * *"


def test_the_class_of_a_workload_is_shown() -> None:
    found = replace(row(), backup_class="gold")
    assert ("class", "gold") in _details(found, NOW)
    assert (document_of(found)["class"], document_of(row())["class"]) == ("gold", None)


def test_a_workload_that_is_well() -> None:
    found = row()
    assert (found.state, found.reason, found.is_problem, found.fix) == (
        "wanted",
        "Annotated",
        False,
        "",
    )
    assert found.next_run == datetime(2026, 1, 11, 2, tzinfo=UTC)
    assert _cells(found, NOW) == (
        "a/b",
        "mysql",
        "wanted",
        "succeeded 8 h ago",
        "8 h ago",
        "1.0 GiB",
        "41 s",
        "in 14 h",
        "",
        "stored 8 h ago",
        "globals",
    )


def test_what_can_be_restored_and_what_was_proven() -> None:
    said = {"oldest_backup": "2025-12-31T03:00:00Z", "backups": 11}
    proof = {"finished": "2026-01-10T05:00:00Z", "backup": "3f9c", "good": True}
    found = row(good=GOOD | said, proof=proof)
    assert _cells(found, NOW)[8:10] == ("10 d ago", "verified 7 h ago")
    document = document_of(found)
    assert document["restorable"] == {
        "oldest": "2025-12-31T03:00:00Z",
        "newest": "2026-01-10T03:00:41Z",
        "backups": 11,
        "as_of": "2026-01-10T03:00:41Z",
    }
    assert document["last_proof"] == {
        "when": "2026-01-10T05:00:00Z",
        "good": True,
        "backup": "3f9c",
        "grade": "verified",
    }
    assert not found.is_problem
    unknown = document_of(row())
    assert unknown["restorable"]["oldest"] is unknown["restorable"]["backups"] is None
    assert unknown["last_proof"] is None
    damaged = row(proof=proof | {"good": False})
    assert damaged.is_problem
    assert damaged.fix == fixes.DAMAGED_FIX
    assert "3f9c was found damaged" in _why(damaged)
    assert document_of(damaged)["last_proof"]["good"] is False


def test_how_verifications_by_schedule_ended() -> None:
    good = {"job": "c", "finished": "2026-01-10T05:00:00Z", "succeeded": True}
    good |= {"last_success": "2026-01-10T05:00:00Z", "reason": "Succeeded", "verified": 2}
    found = row(verify=good)
    assert not found.is_problem
    shown = "0 6 * * 0 (Europe/Paris), succeeded 2026-01-10 05:00 UTC (7 h ago): 2 backups read"
    assert ("verification", shown) in _details(found, NOW)
    document = document_of(found)
    assert document["verify_schedule"] == "0 6 * * 0"
    assert document["last_verification"]["damaged"] == 0
    assert document["last_verification"]["oldest_unread"] is None
    bad = good | {"succeeded": False, "reason": "StorageFailed", "message": "away"}
    failed = row(verify=bad)
    assert failed.is_problem
    assert failed.fix == fixes.RUN_FIXES["StorageFailed"]
    assert _why(failed) == "the last verification failed (StorageFailed): away"
    proof = {"finished": "2026-01-10T05:00:00Z", "backup": "", "good": False}
    damaged = row(verify=bad | {"reason": "BackupDamaged", "message": "77aa"}, proof=proof)
    assert damaged.fix == fixes.DAMAGED_FIX
    assert _why(damaged) == (
        "a backup was found damaged at 2026-01-10T05:00:00Z;"
        " the last verification failed (BackupDamaged): 77aa"
    )
    assert ("verification", "0 6 * * 0 (Europe/Paris), not yet") in _details(row(verify={}), NOW)
    assert document_of(row())["verify_schedule"] is None
    assert document_of(row())["last_verification"] is None


_DRILLED: dict[str, Any] = {"job": "d", "finished": "2026-01-10T05:00:00Z", "message": "so it is"}
_PASSED = _DRILLED | {"outcome": "passed", "reason": "Succeeded", "message": "", "backup": "3f9c"}
_PASSED |= {"tables": 7, "seconds": 61.0, "start_seconds": 5.0, "restore_seconds": 40.0}
_PASSED |= {"age_seconds": 7200.0}
_AWAY = _DRILLED | {"outcome": "failed", "reason": "StorageFailed"}
_DIFFERS = _DRILLED | {"outcome": "failed", "reason": "DrillDiffers", "in_doubt": True}
_DIFFERS |= {"doubted": "77aa", "tables": 7, "differing": 1}
_IMPOSSIBLE = _DRILLED | {"outcome": "not-drillable", "reason": "NotDrillable"}


def test_how_a_drill_went() -> None:
    proof = {"finished": "2026-01-10T05:00:00Z", "backup": "3f9c", "good": True, "grade": "drilled"}
    found = row(drill=_PASSED, drill_schedule="0 7 * * 0", proof=proof)
    assert not found.is_problem
    assert _cells(found, NOW)[9] == "drilled 7 h ago"
    details = list(_details(found, NOW))
    shown = "passed 2026-01-10 05:00 UTC (7 h ago): backup 3f9c, 7 tables compared"
    place = details.index(("drills", f"0 7 * * 0 (Europe/Paris), {shown}"))
    assert details[place + 1] == (
        "",
        "server started in 5 s, restored in 40 s, 61 s in all, the data was 2 h old",
    )
    document = document_of(found)
    assert document["drill_schedule"] == "0 7 * * 0"
    last = document["last_drill"]
    assert (last["outcome"], last["tables"], last["differing"]) == ("passed", 7, 0)
    assert last["compare_seconds"] is last["doubted"] is None
    assert last["in_doubt"] is False
    assert json.loads(json.dumps(document))["last_proof"]["grade"] == "drilled"
    assert ("drills", f"by no schedule, {shown}") in _details(row(drill=_PASSED), NOW)
    asked = row(drill_schedule="0 7 * * 0")
    assert ("drills", "0 7 * * 0 (Europe/Paris), not yet") in _details(asked, NOW)
    assert document_of(row())["drill_schedule"] is document_of(row())["last_drill"] is None


@pytest.mark.parametrize(
    ("schedule", "drill", "is_problem", "why", "fix"),
    [
        ("0 7 * * 0", _AWAY, True, "the last drill failed (StorageFailed): so it is", "see the st"),
        # Who asked for it has seen that.
        (None, _AWAY, False, "", ""),
        (
            None,
            _DIFFERS,
            True,
            (
                "the backup 77aa did not pass a drill;"
                " the last drill failed (DrillDiffers): so it is"
            ),
            "drill it once more",
        ),
        (
            None,
            _AWAY | {"in_doubt": True, "doubted": "77aa"},
            True,
            "the backup 77aa did not pass a drill",
            "drill it once more",
        ),
        (
            "0 7 * * 0",
            _AWAY | {"in_doubt": True},
            True,
            ("a backup did not pass a drill; the last drill failed (StorageFailed): so it is"),
            "drill it once more",
        ),
        # Shown, and no failure.
        ("0 7 * * 0", _IMPOSSIBLE, False, "", "see the message"),
    ],
)
def test_a_drill_that_did_not_pass(
    schedule: str | None, drill: Any, why: str, fix: str, *, is_problem: bool
) -> None:
    found = row(drill=drill, drill_schedule=schedule)
    assert (found.is_problem, _why(found)) == (is_problem, why)
    assert found.fix.startswith(fix)
    assert bool(found.fix) == bool(fix)
    assert f"{drill['outcome']} 2026-01-10 05:00" in dict(_details(found, NOW))["drills"]


def test_a_run_that_failed_is_a_problem_with_its_fix() -> None:
    found = row(last=BAD)
    assert found.has_failed
    assert found.is_problem
    assert found.fix == fixes.RUN_FIXES["SourceRefused"]
    assert _cells(found, NOW)[3] == "failed: SourceRefused 3 h ago"
    assert _why(found) == "the last run failed (SourceRefused): no such login"


@pytest.mark.parametrize(
    ("state", "reason", "is_problem"),
    [
        ("unknown", "ServiceMissing", True),
        ("unknown", "NoRunningPod", True),
        ("gone", "Disabled", True),
        ("unwatched", "NamespaceUnwatched", True),
        ("wanted", "RunBlocked", True),
        ("wanted", "Overdue", True),
        ("wanted", "NotDrillable", False),
        ("wanted", "DrillImageMissing", True),
        ("wanted", "DrillBlocked", True),
        ("wanted", "Suspended", False),
        ("wanted", "RestoringBeside", False),
        ("wanted", "RestoredBeside", False),
        ("wanted", "RestoreRefused", True),
        ("wanted", "RestoreFailed", True),
        ("replaced", "TypeChanged", False),
        # Of a later version.
        ("unknown", "SomethingNew", True),
    ],
)
def test_what_the_controller_reports_comes_first(
    state: str, reason: str, *, is_problem: bool
) -> None:
    found = row({"state": state, "reason": reason, "message": "why", "since": "2026-01-01"})
    assert found.is_problem is is_problem
    assert _cells(found, NOW)[2] == f"{state}: {reason}"
    assert found.fix == fixes.STATE_FIXES.get(reason, "")
    assert document_of(found)["since"] == "2026-01-01"


def test_what_a_run_failed_by_is_mended_first_where_it_is_overdue() -> None:
    overdue = {"state": "wanted", "reason": "Overdue", "message": "why", "since": "2026-01-01"}
    found = row(overdue, last=BAD)
    assert found.fix == fixes.RUN_FIXES["SourceRefused"]
    assert (
        _why(found) == "wanted (Overdue): why; the last run failed (SourceRefused): no such login"
    )


def test_without_the_controllers_status_nothing_is_claimed() -> None:
    found = row(is_state_known=False)
    assert document_of(found)["state"] is None
    assert not found.is_problem
    assert row(is_state_known=False, last=BAD).is_problem


@pytest.mark.parametrize(
    ("item", "runs"),
    [
        (job(), True),
        (job("another"), False),
        (job(conditions=[{"type": "Failed", "status": "True"}]), False),
        (job(conditions=[{"type": "Suspended", "status": "True"}]), False),
    ],
)
def test_running_now(item: Json, *, runs: bool) -> None:
    found = row(jobs=[item])
    assert bool(found.running) is runs
    if runs:
        assert _cells(found, NOW)[3] == "runs since 3 min"


@pytest.mark.parametrize(
    ("spec", "status", "following"),
    [
        ({"suspend": True}, {}, None),
        ({"schedule": "nonsense"}, {}, None),
        ({"timeZone": "No/Where"}, {}, None),
        ({"schedule": "0 0 31 2 *"}, {}, None),
        # From its own past.
        ({"schedule": "@every 90m"}, {}, None),
        (
            {"schedule": "@every 90m"},
            {"lastScheduleTime": "2026-01-10T11:00:00Z"},
            "2026-01-10T12:30:00Z",
        ),
        ({"schedule": "@every 90m"}, {"lastScheduleTime": "2026-01-09T11:00:00Z"}, None),
    ],
)
def test_the_next_run(spec: Json, status: Json, following: str | None) -> None:
    assert document_of(row(spec=spec, status=status))["next_run"] == following


@pytest.mark.parametrize("text", ["", "null", "[]", "{", '"x"', '{"notes": 1}', "[" * 10_000])
def test_a_record_that_cannot_be_read_is_none(text: str) -> None:
    found = row(last=text, good=text)
    assert found.last_result is None
    assert found.last_success is None
    assert document_of(found)["last_result"] is None


def test_a_record_of_0_6_0_has_no_sizes() -> None:
    bare = {"job": "x", "finished": "2026-01-10T03:00:41Z", "succeeded": True}
    good = document_of(row(last=bare, good=bare))["last_success"]
    assert (good["seconds"], good["stored_bytes"], good["exit_code"]) == (None, None, None)


def test_the_last_runs_and_the_jobs_that_are_recorded() -> None:
    cronjob = {"metadata": {"annotations": {names.HISTORY: '[{"outcome": "failed"}, 3]'}}}
    workload = Workload(namespace="a", name="b", kind="", type="", cronjob=cronjob)
    assert history_of(workload) == [{"outcome": "failed"}]
    assert history_of(Workload(namespace="a", name="b", kind="", type="")) == []
    good = {"outcome": "succeeded", "reason": "Partial"}
    cronjob["metadata"]["annotations"][names.HISTORY] = json.dumps([good])
    # Sizes of partial runs count as those of others.
    assert history_of(workload) == [good]
    assert told_history(workload) == [good | {"outcome": "partial"}]
    assert recorded_jobs(row(last=BAD).workload.cronjob or {}) == {"run-1", "run-2"}


@pytest.mark.parametrize(
    ("text", "entries", "fault"),
    [
        ('{"version": 1, "workloads": [{"workload": "a/b"}, {}], "omitted": 2}', 1, ""),
        ('{"version": 2, "workloads": []}', 0, "renew this command"),
        ("", 0, "cannot be read"),
        ('{"version": 1, "workloads": [3]}', 0, "cannot be read"),
    ],
)
def test_the_controllers_status(text: str, entries: int, fault: str) -> None:
    found = known.parse_status(text)
    assert len(found.entries) == entries
    assert fault in found.fault
    assert bool(found.fault) is bool(fault)


def _rows(title: str) -> set[str]:
    text = (REPOSITORY / "docs" / "operations.md").read_text()
    section = text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    return set(re.findall(r"^\| `([A-Za-z]+)` \|", section, re.MULTILINE))


def test_every_reason_has_its_fix() -> None:
    assert (
        set(fixes.STATE_FIXES)
        == {*Reason} - {Reason.ANNOTATED}
        == _rows("Reasons") - {Reason.ANNOTATED}
    )
    assert {*RunReason} <= set(fixes.RUN_FIXES)
    assert _rows("Why a run failed") <= set(fixes.RUN_FIXES)
    drills = (REPOSITORY / "docs" / "drills.md").read_text().split("\n## What it tells\n", 1)[1]
    rows = set(re.findall(r"^\| `([A-Z]\w+)` \|", drills, re.MULTILINE))
    assert rows == {
        *fixes.DRILL_FIXES,
        *(reason for reason in fixes.RUN_FIXES if "Drill" in reason),
    }


def test_times_with_and_without_fractions_are_one_zone() -> None:
    assert moment_of("2026-01-10T12:00:00.123Z") == NOW.replace(microsecond=123000)


def test_a_partial_run_is_a_problem_that_names_the_storages_and_what_to_do() -> None:
    partial = GOOD | {
        "outcome": "partial",
        "reason": "Partial",
        "storages": [
            {"name": "main", "stored": True},
            {
                "name": "offsite",
                "stored": False,
                "reason": "StorageRefused",
                "message": "no such bucket",
            },
        ],
    }
    found = row(last=partial, good=partial)
    assert (found.is_problem, found.has_failed) == (True, False)
    why = "the last backup is not in the storage offsite (StorageRefused): no such bucket"
    assert _why(found) == why
    assert fixes.RUN_FIXES["StorageRefused"] in found.fix
    assert "storage offsite" in found.fix
    assert _cells(found, NOW)[3].startswith("partial ")
    assert "not in the storage offsite: StorageRefused: no such bucket" in {
        text: name for name, text in _details(found, NOW)
    }
    last = document_of(found)["last_result"]
    assert (last["outcome"], [item["stored"] for item in last["storages"]]) == (
        "partial",
        [True, False],
    )
    assert _last_run(found).seen == "run-1 partial: not in offsite"
    healed = row(last=GOOD, good=GOOD)
    assert _last_run(healed).seen == "run-1 succeeded"
    assert not healed.is_problem
    assert document_of(healed)["storages"] == {}
    assert document_of(healed)["last_result"]["storages"] == []
