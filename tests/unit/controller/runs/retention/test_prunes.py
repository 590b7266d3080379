"""What is said of prune where several storages are pruned: the worst of them."""

from datetime import UTC, datetime
from typing import Any

from controller.model import names
from controller.runs.causes.job_end import JobEnd
from controller.runs.retention.prunes import (
    PastPrune,
    Prunes,
    idle_storages,
    prune_due,
    prunes_of,
)
from tests.fakes.worlds import settings


def job(uid: str, created: str, storage: str = "") -> dict[str, Any]:
    marks = {names.STORAGE: storage} if storage else {}
    meta = {"uid": uid, "name": uid, "creationTimestamp": created, "annotations": marks}
    return {"metadata": meta, "spec": {"activeDeadlineSeconds": 60}}


def ended(uid: str, finished: str, *, succeeded: bool = True) -> PastPrune:
    return JobEnd(
        job=uid,
        finished=finished,
        succeeded=succeeded,
        reason="Succeeded" if succeeded else "StorageFailed",
        message="",
        result=None,
    )


def test_one_storage_is_as_ever() -> None:
    jobs = [job("a", "2026-01-01T04:17:00Z"), job("b", "2026-01-02T04:17:00Z")]
    past = {"a": ended("a", "2026-01-01T04:18:00Z")}
    assert prunes_of(jobs, past, ["a"]) == Prunes(
        last=past["a"],
        last_success=past["a"],
        good=(past["a"],),
        new=(past["a"],),
        since="2026-01-01T04:17:00Z",
        allowance=60,
    )
    assert prunes_of([], {}, []) == Prunes()


def test_one_that_failed_is_told_though_another_storage_was_pruned_later() -> None:
    jobs = [
        job("main-1", "2026-01-01T04:17:00Z"),
        job("main-2", "2026-01-02T04:17:00Z"),
        job("off-1", "2026-01-01T04:17:00Z", "offsite"),
        job("off-2", "2026-01-02T04:17:00Z", "offsite"),
    ]
    past = {
        "main-1": ended("main-1", "2026-01-01T05:00:00Z"),
        "main-2": ended("main-2", "2026-01-02T05:00:00Z"),
        "off-1": ended("off-1", "2026-01-01T04:30:00Z"),
        "off-2": ended("off-2", "2026-01-02T04:30:00Z", succeeded=False),
    }
    found = prunes_of(jobs, past, [])
    assert (found.last, found.last_success) == (past["off-2"], past["off-1"])
    assert found.good == (past["main-2"], past["off-1"])
    healed = past | {"off-2": ended("off-2", "2026-01-02T04:30:00Z")}
    found = prunes_of(jobs, healed, [])
    assert (found.last, found.last_success) == (past["main-2"], healed["off-2"])


def test_a_storage_that_was_never_pruned_counts_from_its_own_first_job() -> None:
    jobs = [
        job("main-1", "2026-01-01T04:17:00Z"),
        job("off-1", "2026-01-09T04:17:00Z", "offsite"),
    ]
    past = {"main-1": ended("main-1", "2026-01-10T04:20:00Z")}
    found = prunes_of(jobs, past, [])
    assert (found.last_success, found.since) == (None, "2026-01-09T04:17:00Z")
    assert found.last == past["main-1"]
    assert found.good == (past["main-1"],)


def test_a_storage_without_any_job_is_late_once_its_time_has_passed() -> None:
    how = settings(PRUNE_ENABLED="true", PRUNE_SCHEDULE="0 4 * * *")
    jobs = [job("main-1", "2026-01-09T04:00:00Z")]
    past = {"main-1": ended("main-1", "2026-01-09T04:20:00Z")}

    def due(**known: Any) -> str:
        found = prune_due(prunes_of(jobs, past, [], **known), how, 0)
        assert found is not None
        return datetime.fromtimestamp(found, UTC).isoformat()

    assert due() == "2026-01-10T04:01:00+00:00"
    known = {"idle": ["2026-01-02T00:00:00+00:00"]}
    assert due(**known) == "2026-01-02T10:00:00+00:00"
    jobs.clear()
    assert due(**known) == "2026-01-02T10:00:00+00:00"


def test_a_storage_without_any_job_should_have_one_since_its_cronjob_was_made_or_did_well() -> None:
    how = settings()

    def cronjob(storage: str, good: str = "", **marks: str) -> dict[str, Any]:
        template = job("t", "", storage)["metadata"]
        template["annotations"] |= {names.INSTANCE: how.instance, **marks}
        template["labels"] = {"app.kubernetes.io/component": "prune"}
        return {
            "metadata": {"creationTimestamp": "2025-12-01T00:00:00Z"},
            "spec": {"jobTemplate": {"metadata": template}},
            "status": {"lastSuccessfulTime": good} if good else {},
        }

    cronjobs = [
        cronjob("offsite"),
        cronjob("far", good="2025-12-31T00:00:00Z"),
        cronjob("main", **{names.INSTANCE: "another"}),
        {"metadata": {}},
    ]
    storages = ["main", "offsite", "far", "near"]
    found = idle_storages(storages, [job("n", "", "near")], cronjobs, how)
    assert found == {
        "main": "",
        "offsite": "2025-12-01T00:00:00Z",
        "far": "2025-12-31T00:00:00Z",
    }
