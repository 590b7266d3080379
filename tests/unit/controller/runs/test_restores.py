"""What is recorded of a restore that an annotation asked for, and how its Job's end is read."""

import json
from typing import Any

import pytest

from controller.model import names
from controller.runs.restores import (
    RestoreRecord,
    Stage,
    followed,
    open_jobs,
    read_record,
)
from dumpers.contract.restore.result import RestoreResult

RUNNING = RestoreRecord(asked="latest", stage=Stage.RUNNING, job="j", at="2026-01-01T00:00:00Z")
Document = dict[str, Any]


def cronjob(key: str, text: str) -> Document:
    return {"metadata": {"annotations": {key: text}}}


def job(end: str = "") -> Document:
    found: Document = {"metadata": {"name": "j", "creationTimestamp": "2026-01-01T00:00:00Z"}}
    moment = "2026-01-01T00:05:00Z"
    if end:
        kind = "Complete" if end == "Complete" else "Failed"
        condition = {"type": kind, "status": "True", "reason": end, "lastTransitionTime": moment}
        found["status"] = {"conditions": [condition]}
    return found


def pod(message: str, code: int = 0, *, reason: str = "") -> Document:
    ended = {"exitCode": code, "message": message, "reason": reason}
    return {"status": {"containerStatuses": [{"name": "job", "state": {"terminated": ended}}]}}


def said(*, succeeded: bool = True, **members: Any) -> str:
    base: Document = {"exit_code": 0, "reason": "Succeeded", "message": ""}
    return RestoreResult(succeeded=succeeded, **base | members).to_json()


INTERRUPTED = said(
    succeeded=False,
    exit_code=14,
    reason="Interrupted",
    message="stopped by SIGTERM",
    restored=(("a", "a_restored"),),
    target_partial=True,
)


def evicted(found: Document) -> Document:
    return {"status": found["status"] | {"reason": "Evicted", "message": "out of memory"}}


def test_a_record_comes_back_from_its_annotation() -> None:
    record = RestoreRecord(
        asked="latest#2 Zoë",
        stage=Stage.DONE,
        job="j",
        at="2026-01-01T00:00:00Z",
        finished="2026-01-01T00:05:00Z",
        backup="3f",
        beside=("shop_restored", "ü"),
        left_out=3,
    )
    assert read_record(cronjob(names.RESTORE_NOW, record.to_json()), names.RESTORE_NOW) == record
    assert read_record(cronjob(names.RESTORE_NOW, RUNNING.to_json()), names.RESTORE_NOW) == RUNNING


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        '"x"',
        "null",
        '{"asked":"a"}',
        '{"asked":"a","stage":"x"}',
        '{"stage":"done"}',
        '{"asked":"a","stage":"done","beside":3}',
        "[" * 100_000,
    ],
)
def test_a_record_that_was_edited_into_something_else_is_none(text: str) -> None:
    assert read_record(cronjob(names.BOOTSTRAP, text), names.BOOTSTRAP) is None
    assert read_record(None, names.BOOTSTRAP) is None


def test_jobs_are_open_until_their_end_is_recorded() -> None:
    records = {
        names.RESTORE_NOW: RUNNING,
        names.BOOTSTRAP: RestoreRecord(asked="a", stage=Stage.WAITING, job="w", at=""),
        names.RESTORE_FORGET: RestoreRecord(asked="a", stage=Stage.FAILED, job="f", at=""),
    }
    texts = {key: record.to_json() for key, record in records.items()}
    assert set(open_jobs({"metadata": {"annotations": texts}})) == {"j", "w"}
    assert set(open_jobs({"metadata": {}})) == set()


@pytest.mark.parametrize(
    ("found", "pods", "stage", "reason", "beside"),
    [
        (job(), (), Stage.RUNNING, "", ()),
        (None, (), Stage.FAILED, "JobGone", ()),
        (
            job("Complete"),
            (pod(said(restored=(("a", "a_restored"), ("b", "b")))),),
            Stage.DONE,
            "Succeeded",
            ("a_restored",),
        ),
        # Nobody knows then what stands there, but that it went well.
        (job("Complete"), (), Stage.DONE, "Succeeded", ()),
        (
            job("PodFailurePolicy"),
            (pod(said(succeeded=False, exit_code=23, reason="TargetRefused"), 23),),
            Stage.FAILED,
            "TargetRefused",
            (),
        ),
        # What the plan would have made counts only where something may be left of it.
        (
            job("BackoffLimitExceeded"),
            (
                pod(
                    said(
                        succeeded=False,
                        exit_code=13,
                        reason="TargetFailed",
                        restored=(("a", "a_restored"),),
                    ),
                    13,
                ),
            ),
            Stage.FAILED,
            "TargetFailed",
            (),
        ),
        (
            job("BackoffLimitExceeded"),
            (pod(INTERRUPTED, 14),),
            Stage.FAILED,
            "Interrupted",
            ("a_restored",),
        ),
        (
            job("PodFailurePolicy"),
            (pod(said(succeeded=False, exit_code=23, reason="BootstrappedBefore"), 23),),
            Stage.DONE,
            "BootstrappedBefore",
            (),
        ),
        (
            job("BackoffLimitExceeded"),
            (pod("no result", 137, reason="OOMKilled"),),
            Stage.FAILED,
            "OOMKilled",
            (),
        ),
        (job("DeadlineExceeded"), (), Stage.FAILED, "DeadlineExceeded", ()),
        # Who is told to stop does not know why; the Job does.
        (
            job("DeadlineExceeded"),
            (pod(INTERRUPTED, 14),),
            Stage.FAILED,
            "DeadlineExceeded",
            ("a_restored",),
        ),
        (
            job("BackoffLimitExceeded"),
            (evicted(pod(INTERRUPTED, 14)),),
            Stage.FAILED,
            "Evicted",
            ("a_restored",),
        ),
        # The deadline came after the restore, or after what failed by itself.
        (job("DeadlineExceeded"), (pod(said()),), Stage.DONE, "Succeeded", ()),
        (
            job("DeadlineExceeded"),
            (pod(said(succeeded=False, exit_code=13, reason="TargetFailed"), 13),),
            Stage.FAILED,
            "TargetFailed",
            (),
        ),
    ],
)
def test_the_end_of_a_job(
    found: Document | None,
    pods: tuple[Document, ...],
    stage: Stage,
    reason: str,
    beside: tuple[str, ...],
) -> None:
    after = followed(RUNNING, found, pods)
    assert (after.stage, after.reason, after.beside) == (stage, reason, beside)
    assert after.asked == RUNNING.asked
    assert len(json.loads(after.to_json())["job"]) == 1


def test_the_words_of_a_restore_stay_beside_why_it_was_ended() -> None:
    found = followed(RUNNING, job("PodFailurePolicy"), (evicted(pod(INTERRUPTED, 14)),))
    assert found.message == "out of memory; stopped by SIGTERM"


@pytest.mark.parametrize(
    ("reason", "beside", "expected"),
    [
        ("TargetRefused", (), True),
        ("EncryptionFailed", (), True),
        ("ConfigurationInvalid", (), True),
        ("TargetRefused", ("x",), False),
        ("TargetFailed", (), False),
        ("JobGone", (), False),
    ],
)
def test_what_was_refused_changed_nothing(
    reason: str, beside: tuple[str, ...], *, expected: bool
) -> None:
    record = RestoreRecord(
        asked="a", stage=Stage.FAILED, job="j", at="", reason=reason, beside=beside
    )
    assert record.is_refused is expected
