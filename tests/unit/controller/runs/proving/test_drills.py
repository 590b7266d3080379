"""What drills leave on the dump CronJob, and when the next one is due."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model import names
from controller.model.objects import Json
from controller.runs.proving.drills import (
    drill_annotations,
    drill_due,
    failed_drill_of,
    last_drill_of,
)
from controller.runs.proving.jobs import jobs_with_open_proof
from controller.runs.proving.proofs import proof_annotations
from controller.runs.proving.schedules import proof_schedule_marks
from dumpers.contract.drill.result import DrillResult, Outcome
from dumpers.runtime.errors import DrillDiffersError, DrillNotLoadedError
from tests.fakes.worlds import DB, job
from tests.unit.controller.runs.proving.test_verifications import pod

SCHEDULE = "0 7 * * 0"
DIFFERS = DrillDiffersError.reason
_DAY = 86_400
DRILLER: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": names.drill_cronjob_name(DB), "uid": "driller"},
}
_SINCE = "2026-01-01T00:00:00Z"
_FIRST, _SECOND, _THIRD = (f"2026-01-{day:02}T07:10:00Z" for day in (4, 11, 18))


def cronjob(schedule: str = SCHEDULE, **more: Any) -> Json:
    annotations = {names.DRILL_SCHEDULE: schedule} if schedule else {}
    annotations |= {names.PREFIX + key.replace("_", "-"): text for key, text in more.items()}
    spec = {"schedule": "0 3 * * *", "timeZone": "Europe/Paris"}
    return {"metadata": {"name": DB, "uid": "dump", "annotations": annotations}, "spec": spec}


def ended(
    name: str, at: str, how: str = "Complete", reason: str = "", *, asked: bool = False
) -> dict[str, Any]:
    made = job(DRILLER, name, ended=at, how=how)
    made["metadata"] |= {
        "labels": {names.COMPONENT_LABEL: names.DRILL},
        "annotations": {names.CRONJOB: DB},
    }
    if asked:
        del made["metadata"]["ownerReferences"]
    if reason:
        made["status"]["conditions"][0]["reason"] = reason
    return made


def said(**more: Any) -> str:
    members: dict[str, Any] = {"succeeded": True, "exit_code": 0, "reason": "Succeeded"}
    members |= {"message": "", "outcome": Outcome.PASSED, "backup": "new"}
    members |= {"began": "2026-01-04T02:00:00Z", "tables": 7, "seconds": 61.0}
    return DrillResult(**{**members, **more}).to_json()


PASSED = said(start_seconds=5.0, restore_seconds=40.0, compare_seconds=16.0, age_seconds=18600.0)
DIFFERENT = said(
    succeeded=False,
    exit_code=21,
    reason=DIFFERS,
    message="shop.orders has other rows",
    outcome=Outcome.FAILED,
    differing=1,
)
NOT_DRILLABLE = said(
    reason="NotDrillable",
    message="no key is given for its backups",
    outcome=Outcome.NOT_DRILLABLE,
    backup="",
    tables=0,
)
AWAY = said(
    succeeded=False,
    exit_code=11,
    reason="StorageFailed",
    message="the store is away",
    outcome=Outcome.FAILED,
    tables=0,
)


def recorded(found: Any) -> Any:
    return json.loads(found[names.LAST_DRILL])


def drilled(*runs: tuple[str, str, str], known: Json | None = None) -> Json:
    """A CronJob that records these drills one after the other: Job, its end, what it said."""
    found = known or cronjob(drill_since=_SINCE)
    for name, at, message in runs:
        how = "Failed" if '"succeeded":false' in message else "Complete"
        pods = {f"job-{name}": (pod(message, 0 if how == "Complete" else 1),)}
        written = drill_annotations(found, [ended(name, at, how)], pods)
        annotations = {**found["metadata"]["annotations"], **written}
        found = {**found, "metadata": {**found["metadata"], "annotations": annotations}}
    return found


@pytest.mark.parametrize("asked", [False, True], ids=["by schedule", "asked for"])
@pytest.mark.parametrize(
    ("message", "how", "outcome", "reason", "good"),
    [
        (PASSED, "Complete", "passed", "Succeeded", True),
        (DIFFERENT, "Failed", "failed", DIFFERS, False),
        # The structure differs, and no table does.
        (
            said(succeeded=False, reason=DIFFERS, outcome="failed"),
            "Failed",
            "failed",
            DIFFERS,
            False,
        ),
        (
            said(succeeded=False, reason="BackupDamaged", outcome="failed"),
            "Failed",
            "failed",
            "BackupDamaged",
            False,
        ),
        (
            said(succeeded=False, reason=DrillNotLoadedError.reason, outcome="failed", tables=0),
            "Failed",
            "failed",
            "DrillNotLoaded",
            False,
        ),
        (
            said(succeeded=False, reason="DrillCheckFailed", outcome="failed", checks_failed=1),
            "Failed",
            "failed",
            "DrillCheckFailed",
            False,
        ),
        # The server was at fault, or unfit for it.
        (
            said(succeeded=False, reason="DrillServerFailed", outcome="failed"),
            "Failed",
            "failed",
            "DrillServerFailed",
            None,
        ),
        (NOT_DRILLABLE, "Complete", "not-drillable", "NotDrillable", None),
        (AWAY, "Failed", "failed", "StorageFailed", None),
        ("", "Failed", "failed", "Error", None),
        # Its Job ends well whether it passed or was not possible.
        ("", "Complete", "failed", "NoVerdict", None),
        ("[]", "Complete", "failed", "NoVerdict", None),
        (said(outcome="thought-well-of"), "Complete", "failed", "NoVerdict", None),
        # The server in its pod ended badly once all was said.
        (PASSED, "Failed", "passed", "Succeeded", True),
    ],
)
def test_how_a_drill_ended_is_recorded_and_a_verdict_is_a_proof(
    message: str, how: str, outcome: str, reason: str, *, good: bool | None, asked: bool
) -> None:
    run = ended("run-1", _FIRST, how, asked=asked)
    pods = {"job-run-1": (pod(message, 0 if how == "Complete" else 1),)}
    for schedule in (SCHEDULE, ""):
        known = cronjob(schedule)
        found = drill_annotations(known, [run], pods)
        record = recorded(found)
        assert (record["job"], record["finished"]) == ("run-1", _FIRST)
        assert (record["outcome"], record["reason"]) == (outcome, reason)
        proven = proof_annotations(known, (run,), pods).get(names.LAST_PROOF)
        told = json.loads(proven) if proven else {}
        assert (told.get("good"), told.get("grade")) == (
            good,
            (good is not None and "drilled") or None,
        )
        # Recorded once, and its pod is not read again, whether it came to a verdict or not.
        after = cronjob(schedule, last_drill=found[names.LAST_DRILL])
        assert drill_annotations(after, [run], pods) == {}
        assert jobs_with_open_proof(after, (run,)) == ()


_STORED = {"finished": "2026-01-03T02:00:00Z", "record": "manifests/c/db/1/manifest.json"}


@pytest.mark.parametrize(
    ("stored", "backup", "outcome"),
    [
        (_STORED, "", "failed"),
        # No drill is possible of the one that there is.
        (_STORED, "new", "not-drillable"),
        ({}, "", "not-drillable"),
        (_STORED | {"finished": "yesterday"}, "", "not-drillable"),
        # It was stored after the drill had looked.
        (_STORED | {"finished": "2026-01-05T02:00:00Z"}, "", "not-drillable"),
        # A dump of 0.6.0 has no record, and is not counted.
        (_STORED | {"record": ""}, "", "not-drillable"),
    ],
)
def test_a_bucket_that_lost_its_backups_is_a_failure(
    stored: dict[str, str], backup: str, outcome: str
) -> None:
    message = said(reason="NotDrillable", outcome="not-drillable", backup=backup, tables=0)
    known = cronjob(last_success=json.dumps(stored))
    found = drill_annotations(known, [ended("r", _FIRST)], {"job-r": (pod(message),)})
    record = recorded(found)
    assert record["outcome"] == outcome
    assert record["reason"] == ("BackupsMissing" if outcome == "failed" else "NotDrillable")
    assert ("answered" in record) == (outcome != "failed")


def test_what_a_drill_measured_is_recorded_and_what_is_not_known_is_not() -> None:
    message = said(image="postgres:17", server_version="17.2", age_seconds=18600.0, seconds=61.5)
    record = recorded(
        drill_annotations(cronjob(), [ended("r", _FIRST)], {"job-r": (pod(message),)})
    )
    assert record == {
        "job": "r",
        "finished": _FIRST,
        "last_success": _FIRST,
        "answered": _FIRST,
        "outcome": "passed",
        "reason": "Succeeded",
        "message": "",
        "backup": "new",
        "began": "2026-01-04T02:00:00Z",
        "server_version": "17.2",
        "image": "postgres:17",
        "tables": 7,
        "age_seconds": 18600.0,
        "seconds": 61.5,
    }


def test_a_verification_is_no_drill_and_a_drill_no_verification() -> None:
    other = ended("run-1", _FIRST)
    other["metadata"]["labels"] = {names.COMPONENT_LABEL: names.VERIFY}
    assert drill_annotations(cronjob(), [other], {"job-run-1": (pod(PASSED),)}) == {}
    going_on = job(DRILLER, "run-2")
    going_on["metadata"] |= ended("run-2", _FIRST)["metadata"]
    assert drill_annotations(cronjob(), [going_on], {}) == {}


def _older(**more: Any) -> str:
    return said(backup="old", began="2026-01-01T02:00:00Z", **more)


def _newer(**more: Any) -> str:
    return said(backup="newer", began="2026-01-10T02:00:00Z", **more)


@pytest.mark.parametrize(
    ("second", "doubted"),
    [
        (AWAY, "new"),
        ("", "new"),
        (NOT_DRILLABLE, "new"),
        # Another backup that is older, and good, says nothing of this one.
        (_older(), "new"),
        # Nor does it take the doubt's place: the next good one of its age would clear both.
        (_older(succeeded=False, reason=DIFFERS, outcome="failed"), "new"),
        (PASSED, None),
        (_newer(), None),
        (_newer(succeeded=False, reason=DIFFERS, outcome="failed", differing=2), "newer"),
    ],
)
def test_a_backup_is_in_doubt_until_a_drill_clears_it(second: str, doubted: str | None) -> None:
    first, then = ("run-1", _FIRST, DIFFERENT), ("run-2", _SECOND, second)
    one_by_one = last_drill_of(drilled(first, then))
    runs = [ended("run-1", _FIRST, "Failed"), ended("run-2", _SECOND, "Failed")]
    pods = {"job-run-1": (pod(DIFFERENT, 1),), "job-run-2": (pod(second, 1),)}
    at_once = last_drill_of(
        cronjob(last_drill=drill_annotations(cronjob(), runs, pods)[names.LAST_DRILL])
    )
    for last in (one_by_one, at_once):
        assert last
        assert last.job == "run-2"
        assert (last.in_doubt, last.doubted) == (doubted is not None, doubted or "")


def test_a_doubt_of_a_backup_that_is_not_named_goes_with_the_next_good_one() -> None:
    damaged = said(succeeded=False, reason="BackupDamaged", outcome="failed", backup="", began="")
    known = drilled(("run-1", _FIRST, damaged))
    last = last_drill_of(known)
    assert last
    assert (last.in_doubt, last.doubted) == (True, "")
    last = last_drill_of(drilled(("run-2", _SECOND, _older()), known=known))
    assert last
    assert not last.in_doubt


@pytest.mark.parametrize(
    ("schedule", "message", "is_told"),
    [
        (SCHEDULE, AWAY, True),
        (SCHEDULE, DIFFERENT, True),
        (SCHEDULE, PASSED, False),
        (SCHEDULE, NOT_DRILLABLE, False),
        # Who asked for it has seen why it came to nothing; what it found concerns everybody.
        ("", AWAY, False),
        ("", DIFFERENT, True),
    ],
)
def test_which_failures_are_to_be_told(schedule: str, message: str, *, is_told: bool) -> None:
    known = drilled(("run-1", _FIRST, message), known=cronjob(schedule))
    assert (failed_drill_of(known) is not None) == is_told


@given(st.text(), st.text())
def test_any_text_in_a_record_or_a_message_is_no_error(record: str, message: str) -> None:
    edited = cronjob(last_drill=record, drill_since=_SINCE)
    last_drill_of(edited)
    drill_due(edited, _DAY, 300)
    run = ended("run-1", _FIRST, "Failed")
    drill_annotations(edited, [run], {"job-run-1": (pod(message, 1),)})


@pytest.mark.parametrize(
    "record",
    [
        "[]",
        "{}",
        '{"finished": "2026-01-04T07:10:00Z"}',
        '{"finished": "2026-01-04T07:10:00Z", "outcome": "perfect"}',
        '{"finished": "yesterday", "outcome": "passed"}',
    ],
)
def test_a_record_that_somebody_broke_is_none(record: str) -> None:
    assert last_drill_of(cronjob(last_drill=record)) is None


def test_members_that_somebody_broke_count_as_not_said() -> None:
    members: dict[str, Any] = {"finished": _FIRST, "outcome": "passed", "last_success": "soon"}
    members |= {"tables": "many", "seconds": -1, "differing": True, "in_doubt": "yes"}
    last = last_drill_of(cronjob(last_drill=json.dumps(members)))
    assert last
    assert (last.tables, last.seconds, last.differing, last.in_doubt) == (0, 0.0, 0, False)
    assert last.last_success == ""


def _moment(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


# 07:00 in Paris on Sunday, a day for the drill, five minutes until everybody knows.
_DUE = "2026-01-05T06:05:00Z"
_NEXT, _THEN = "2026-01-12T06:05:00Z", "2026-01-19T06:05:00Z"


@pytest.mark.parametrize(
    ("runs", "due"),
    [
        ([], _DUE),
        ([("run-1", _FIRST, PASSED)], _NEXT),
        ([("run-1", _FIRST, AWAY)], _DUE),
        ([("run-1", _FIRST, DIFFERENT)], _DUE),
        # It says why no drill is possible as often as the schedule asks: nothing is late.
        ([("run-1", _FIRST, NOT_DRILLABLE)], _NEXT),
        ([("run-1", _FIRST, NOT_DRILLABLE), ("run-2", _SECOND, NOT_DRILLABLE)], _THEN),
        # It is late once it says nothing any more.
        ([("run-1", _FIRST, NOT_DRILLABLE), ("run-2", _SECOND, AWAY)], _NEXT),
        ([("run-1", _FIRST, PASSED), ("run-2", _SECOND, NOT_DRILLABLE)], _THEN),
        ([("run-1", _FIRST, PASSED), ("run-2", _SECOND, AWAY)], _NEXT),
    ],
)
def test_when_a_drill_is_due(runs: list[tuple[str, str, str]], due: str) -> None:
    assert drill_due(drilled(*runs), _DAY, 300) == _moment(due)


def test_a_drill_that_is_not_possible_is_no_success() -> None:
    runs = (("run-1", _FIRST, PASSED), ("run-2", _SECOND, NOT_DRILLABLE))
    last = last_drill_of(drilled(*runs))
    assert last
    assert (last.last_success, last.answered) == (_FIRST, _SECOND)
    assert not last.succeeded
    assert not last.has_failed
    last = last_drill_of(drilled(*runs, ("run-3", _THIRD, AWAY)))
    assert last
    assert (last.last_success, last.answered) == (_FIRST, _SECOND)


@pytest.mark.parametrize(
    "found",
    [
        cronjob("", drill_since=_SINCE),
        cronjob(),
        cronjob("nonsense", drill_since=_SINCE),
        cronjob("0 0 31 2 *", drill_since=_SINCE),
        {**cronjob(drill_since=_SINCE), "spec": {"suspend": True}},
    ],
)
def test_nothing_is_due(found: Json) -> None:
    assert drill_due(found, _DAY, 300) is None


def test_each_schedule_has_its_own_mark() -> None:
    now = datetime(2026, 1, 4, 12, tzinfo=UTC)
    both = cronjob(verify_schedule="0 6 * * 0", verify_since=_SINCE)
    marks = proof_schedule_marks(both, both, now)
    assert marks == {names.DRILL_SINCE: "2026-01-04T12:00:00Z"}
    known = cronjob(verify_schedule="0 6 * * 0", verify_since=_SINCE, drill_since=_SINCE)
    assert proof_schedule_marks(known, known, now) == {}
