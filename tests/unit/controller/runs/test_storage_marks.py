"""What each storage has, kept over runs that are partial."""

import json
from dataclasses import replace
from typing import Any

import pytest

from controller.model import names
from controller.report.metrics.storage_figures import (
    STORAGE_DUE,
    STORAGE_LAST_STORED,
    STORAGE_LAST_SUCCESS,
    storage_figures,
)
from controller.runs.storage_marks import (
    Stored,
    known_storages,
    storage_due_at,
    stored_of,
    stored_with,
)
from dumpers.contract.result import PARTIAL, DumpResult, StorageResult

FIRST, SECOND, THIRD = (f"2026-01-0{day}T03:05:00Z" for day in (1, 2, 3))
SLACK = 300


def cronjob(storages: str = "main,offsite", marks: str = "", **spec: Any) -> dict[str, Any]:
    env = [{"name": "KSNAPSHOT_STORAGES", "value": storages}] if storages else []
    pod = {"containers": [{"name": "proxy"}, {"name": names.CONTAINER, "env": env}]}
    return {
        "metadata": {
            "name": "x",
            "creationTimestamp": "2025-12-01T00:00:00Z",
            "annotations": {names.STORAGES: marks} if marks else {},
        },
        "spec": {
            "schedule": "0 3 * * *",
            "timeZone": "Etc/UTC",
            "jobTemplate": {"spec": {"activeDeadlineSeconds": 600, "template": {"spec": pod}}},
            **spec,
        },
    }


def result(**stored: bool) -> DumpResult:
    return DumpResult(
        succeeded=any(stored.values()),
        exit_code=0,
        reason="Succeeded",
        message="",
        stored_bytes=70,
        outcome="" if all(stored.values()) else PARTIAL,
        storages=tuple(StorageResult(name=name, stored=has) for name, has in stored.items()),
    )


def test_a_storage_that_is_away_keeps_its_last_backup_and_the_next_run_heals_it() -> None:
    marks = stored_with(cronjob(), [(FIRST, result(main=True, offsite=True))]) or ""
    assert stored_of(cronjob(marks=marks)) == {
        "main": Stored(since=FIRST, finished=FIRST, bytes=70),
        "offsite": Stored(since=FIRST, finished=FIRST, bytes=70),
    }
    marks = stored_with(cronjob(marks=marks), [(SECOND, result(main=True, offsite=False))]) or ""
    found = stored_of(cronjob(marks=marks))
    assert (found["main"].finished, found["offsite"].finished) == (SECOND, FIRST)
    marks = stored_with(cronjob(marks=marks), [(THIRD, result(main=True, offsite=True))]) or ""
    assert {item.finished for item in stored_of(cronjob(marks=marks)).values()} == {THIRD}
    assert stored_with(cronjob(marks=marks), [(THIRD, result(main=True, offsite=True))]) is None
    assert stored_with(cronjob(marks=marks), [(SECOND, result(main=True, offsite=True))]) is None


def test_one_that_never_got_any_is_known_since_its_first_run_and_then_overdue() -> None:
    marks = stored_with(cronjob(), [(FIRST, result(main=True, offsite=False))]) or ""
    at = cronjob(marks=marks)
    entry = stored_of(at)["offsite"]
    assert entry == Stored(since=FIRST)
    # 2 January, 3 o'clock, and the deadline of the run.
    due = storage_due_at(at, entry, SLACK)
    assert due == 1767322800 + 600 + SLACK
    later = stored_with(at, [(SECOND, result(main=True, offsite=False))]) or ""
    assert (
        storage_due_at(cronjob(marks=later), stored_of(cronjob(marks=later))["offsite"], SLACK)
        == due
    )
    assert storage_due_at(cronjob(marks=marks, suspend=True), entry, SLACK) is None


def test_a_run_that_says_nothing_of_storages_has_stored_to_the_first_alone() -> None:
    silent = replace(result(main=True), storages=())
    marks = stored_with(cronjob(), [(FIRST, silent)]) or ""
    assert stored_of(cronjob(marks=marks)) == {
        "main": Stored(since=FIRST, finished=FIRST, bytes=70),
        "offsite": Stored(since=FIRST),
    }
    later = stored_with(cronjob(marks=marks), [(SECOND, silent)]) or ""
    assert stored_of(cronjob(marks=later))["offsite"] == Stored(since=FIRST)
    failed = replace(silent, succeeded=False)
    assert stored_with(cronjob(), [(FIRST, failed)]) is None


def test_only_what_is_written_to_now_is_told() -> None:
    marks = stored_with(cronjob(), [(FIRST, result(main=True, offsite=True))]) or ""
    assert list(known_storages(cronjob("offsite", marks))) == ["offsite"]
    assert known_storages(cronjob("", marks)) == {}
    assert known_storages(cronjob("Off site", marks)) == {}
    # And what is not written to any more goes with the next run.
    now = stored_with(cronjob("offsite", marks), [(SECOND, result(offsite=True))])
    assert list(json.loads(now or "{}")) == ["offsite"]


def test_without_named_storages_nothing_is_kept() -> None:
    assert stored_with(cronjob(""), [(FIRST, result())]) is None
    assert list(storage_figures(cronjob(""), SLACK)) == []


@pytest.mark.parametrize(
    "marks",
    [
        "x",
        "[]",
        "[" * 99_999,
        '{"main": 1}',
        '{"main": {"finished": "2026-01-01T00:00:00Z"}}',
        '{"main": {"since": "yesterday"}}',
        '{"main": {"since": "2026-01-01T00:00:00Z", "finished": 3}}',
        '{"main": {"since": "2026-01-01T00:00:00Z", "bytes": -1}}',
        '{"main": {"since": "2026-01-01T00:00:00Z", "bytes": true}}',
    ],
    ids=range(9),
)
def test_what_somebody_edited_says_nothing(marks: str) -> None:
    assert stored_of(cronjob(marks=marks)) == {}


def test_every_storage_has_its_figures() -> None:
    marks = stored_with(cronjob(), [(FIRST, result(main=True, offsite=False))]) or ""
    found = {
        (family, labels): value
        for family, (labels, value) in storage_figures(cronjob(marks=marks), SLACK)
    }
    ended, due = 1767236700.0, 1767323700.0
    assert found == {
        (STORAGE_LAST_SUCCESS, ("main",)): ended,
        (STORAGE_DUE, ("main",)): due,
        (STORAGE_LAST_STORED, ("main",)): 70.0,
        (STORAGE_DUE, ("offsite",)): due,
    }
