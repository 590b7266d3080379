"""Each run is recorded once, in order, within bounds, whatever somebody wrote there."""

import json
from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.model.names import HISTORY, LAST_RESULT, LAST_SUCCESS
from controller.runs.history import MAX_BYTES, MAX_RUNS, PastRun, history_of, history_with, past_run
from controller.runs.results import result_annotations
from dumpers.contract.result import DumpResult
from tests.fakes.kube_memory import MemoryApi
from tests.fakes.worlds import CONTROL, DB, Document, cluster, job, one_pass, small


def result(*, succeeded: bool = True, **members: Any) -> DumpResult:
    values: dict[str, Any] = {
        "exit_code": 0,
        "reason": "Succeeded",
        "message": "not kept",
    } | members
    return DumpResult(succeeded=succeeded, **values)


def moment(number: int) -> str:
    return f"2026-01-{1 + number // 24:02}T{number % 24:02}:00:00Z"


def cronjob(**annotations: str) -> Document:
    meta = {"name": "c", "uid": "u", "annotations": annotations}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta}


def recorded(item: Document) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(item["metadata"]["annotations"][HISTORY])
    return found


def told(of: Document, *jobs: Document) -> Document:
    """The CronJob as it is after a pass."""
    values = {**of["metadata"]["annotations"], **result_annotations(of, jobs, {})}
    return cronjob(**values)


def ends(item: Document) -> list[tuple[str, str]]:
    return [(run["finished"], run["outcome"]) for run in recorded(item)]


def test_a_run_is_kept_with_what_matters_of_it() -> None:
    notes = ("standby", "globals")
    record = "p/manifests/c/cj/20260101T025950Z-3f9c0a51b2d4/"
    done = past_run(moment(3), result(seconds=12.345, stored_bytes=42, notes=notes, record=record))
    text = history_with((), [done], ())
    assert text
    assert json.loads(text) == [
        {
            "finished": "2026-01-01T03:00:00Z",
            "outcome": "succeeded",
            "reason": "Succeeded",
            "seconds": 12.3,
            "bytes": 42,
            "notes": ["standby", "globals"],
            "backup": "3f9c0a51b2d4",
        }
    ]
    failed = past_run(moment(4), result(succeeded=False, reason="SourceFailed"))
    text = history_with((), [failed], ())
    assert text
    assert json.loads(text) == [
        {
            "finished": "2026-01-01T04:00:00Z",
            "outcome": "failed",
            "reason": "SourceFailed",
            "seconds": 0.0,
            "bytes": 0,
        }
    ]


def test_all_runs_that_ended_between_two_passes_are_recorded_newest_first_and_once() -> None:
    first = told(cronjob(), job(cronjob(), "run-1", ended=moment(1)))
    jobs = (
        job(cronjob(), "run-1", ended=moment(1)),
        job(cronjob(), "run-4", ended=moment(4), how="Failed"),
        job(cronjob(), "run-2", ended=moment(2), how="Failed"),
        job(cronjob(), "run-3", ended=moment(3)),
    )
    second = told(first, *jobs)
    assert ends(second) == [
        (moment(4), "failed"),
        (moment(3), "succeeded"),
        (moment(2), "failed"),
        (moment(1), "succeeded"),
    ]
    assert result_annotations(second, jobs, {}) == {}


def test_two_runs_of_one_second_are_two() -> None:
    jobs = tuple(job(cronjob(), name, ended=moment(1)) for name in ("run-1", "run-2"))
    after = told(cronjob(), *jobs)
    assert ends(after) == [(moment(1), "succeeded")] * 2
    assert result_annotations(after, jobs, {}) == {}


def test_a_run_that_was_recorded_before_its_job_ended_stays_one_run() -> None:
    active = job(cronjob(), "run-1")
    active["status"]["startTime"] = moment(0)
    ended = {"exitCode": 10, "finishedAt": moment(1), "message": "", "reason": "Error"}
    states = [
        {"name": "job", "state": {"terminated": ended}},
        {"name": "proxy", "state": {"running": {}}},
    ]
    pod = {
        "metadata": {"name": "p", "creationTimestamp": moment(0)},
        "status": {"phase": "Running", "containerStatuses": states},
    }
    pods = {"job-run-1": (pod,)}
    before = cronjob(**result_annotations(cronjob(), (active,), pods))
    assert ends(before) == [(moment(1), "failed")]
    assert result_annotations(before, (active,), pods) == {}
    failed = job(cronjob(), "run-1", ended=moment(4), how="Failed")
    failed["status"]["startTime"] = moment(0)
    after = told(before, failed)
    assert ends(after) == [(moment(4), "failed")]


def test_a_record_that_was_removed_by_hand_brings_no_run_a_second_time() -> None:
    jobs = [job(cronjob(), f"run-{number}", ended=moment(number)) for number in (1, 2)]
    full = told(cronjob(), *jobs)
    for gone in ((LAST_RESULT,), (LAST_SUCCESS,), (LAST_RESULT, LAST_SUCCESS)):
        values = full["metadata"]["annotations"]
        kept = cronjob(**{key: text for key, text in values.items() if key not in gone})
        again = told(kept, *jobs)
        assert again["metadata"]["annotations"][HISTORY] == values[HISTORY]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "{}",
        "null",
        "[1]",
        "[[]]",
        '[{"finished":"2026-01-01T03:00:00Z"}]',
        '[{"finished":7,"outcome":"failed","reason":"","seconds":0,"bytes":0}]',
        '[{"finished":"zzz","outcome":"failed","reason":"","seconds":0,"bytes":0}]',
        '[{"finished":"2026-01-01T03:00:00Z","outcome":"?","reason":"","seconds":0,"bytes":0}]',
        '[{"finished":"2026-01-01T03:00:00Z","outcome":"failed","reason":"","seconds":-1,"bytes":0}]',
        '[{"finished":"2026-01-01T03:00:00Z","outcome":"failed","reason":"\\ud800","seconds":0}]',
        "[" * 100_000,
        f"[{'9' * 5000}]",
    ],
)
def test_a_broken_annotation_begins_anew(text: str) -> None:
    broken = cronjob(**{HISTORY: text})
    assert history_of(broken) == ()
    after = told(broken, job(broken, "run-1", ended=moment(1)))
    assert ends(after) == [(moment(1), "succeeded")]


def test_members_of_later_versions_do_not_break_it() -> None:
    run = {"finished": moment(1), "outcome": "failed", "reason": "x", "seconds": 1, "bytes": 2}
    (found,) = history_of(cronjob(**{HISTORY: json.dumps([run | {"id": "abc"}])}))
    assert (found.finished, found.is_good) == (moment(1), False)


def test_only_the_newest_thirty_are_kept() -> None:
    item = cronjob()
    for number in range(40):
        item = told(item, job(item, f"run-{number}", ended=moment(number)))
    assert [run["finished"] for run in recorded(item)] == [
        moment(number) for number in range(39, 39 - MAX_RUNS, -1)
    ]


def test_whatever_a_run_says_the_annotation_stays_small_and_readable() -> None:
    strange = result(
        succeeded=False,
        reason="ü\ud800" * 3000,
        notes=tuple(f"{number}{'é' * 500}" for number in range(100)),
        seconds=float("nan"),
        stored_bytes=10**400,
    )
    known: tuple[PastRun, ...] = ()
    for number in range(40):
        text = history_with(known, [past_run(moment(number), strange)], ()) or ""
        assert len(text.encode()) <= MAX_BYTES
        known = history_of(cronjob(**{HISTORY: text}))
        assert known[0].finished == moment(number)
    assert len(known) > 1


def with_runs(api: MemoryApi, *numbers: int) -> None:
    for number in numbers:
        api.put(job(api.items["CronJob", CONTROL, DB], f"run-{number}", ended=moment(number)))


def test_a_process_that_starts_anew_records_no_run_twice() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    with_runs(api, 1, 2)
    one_pass(api, memory=memory, minutes=180)
    first = api.items["CronJob", CONTROL, DB]["metadata"]["annotations"][HISTORY]
    one_pass(api, memory=PassState(), minutes=181)
    with_runs(api, 3)
    one_pass(api, memory=PassState(), minutes=240)
    item = api.items["CronJob", CONTROL, DB]
    assert [end for end, _ in ends(item)] == [moment(3), moment(2), moment(1)]
    assert json.dumps(recorded(item)[1:], separators=(",", ":")) == first


def test_what_the_controller_changes_on_a_cronjob_keeps_its_history() -> None:
    api = cluster(*small())
    one_pass(api)
    with_runs(api, 1)
    one_pass(api, minutes=70)
    item = api.items["CronJob", CONTROL, DB]
    kept = item["metadata"]["annotations"][HISTORY]
    item["spec"]["schedule"] = "1 1 1 1 1"
    api.put(item)
    one_pass(api, minutes=80)
    after = api.items["CronJob", CONTROL, DB]
    assert after["spec"]["schedule"] == "0 3 * * *"
    assert after["metadata"]["annotations"][HISTORY] == kept
