from datetime import UTC, datetime

import pytest

from controller.client.cluster.workload_names import Workload
from controller.client.jobs.of_workload import (
    cronjob_of,
    describe_job,
    is_a_run,
    is_of_ours,
    jobs_of,
    reads_by_schedule,
    unfinished,
)
from controller.client.terminal.errors import CommandError, Exit
from controller.manifests.run_now_job import build_run_now_job
from controller.manifests.verb_job import LIST
from controller.model import names
from controller.model.objects import Json, name_of

NOW = datetime(2026, 1, 1, 3, 5, tzinfo=UTC)
CRONJOB: Json = {
    "metadata": {"name": "ksnapshot-mysql-a-b-12345678", "namespace": "control", "uid": "u"},
    "spec": {
        "jobTemplate": {
            "metadata": {"labels": {"x": "y"}, "annotations": {"note": "kept"}},
            "spec": {"template": {"spec": {}}},
        }
    },
}


def job(
    name: str, *, owner: str = "", cronjob: str = "", ended: str = "", created: int = 0
) -> Json:
    variables = [{"name": "KSNAPSHOT_CRONJOB", "value": cronjob}] if cronjob else []
    variables.append({"name": "KSNAPSHOT_WORKLOAD", "value": "a/b"})
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": f"2026-01-01T03:0{created}:00Z",
            "ownerReferences": [{"uid": owner}],
        },
        "spec": {"template": {"spec": {"containers": [{"env": variables}]}}},
        "status": {"conditions": [{"type": ended, "status": "True"}]} if ended else {},
    }


def test_a_workloads_jobs_are_its_own_runs_and_those_of_verbs_newest_first() -> None:
    listed = [
        job("by-schedule", owner="u", created=1),
        job("ksnapshot-restore-a-b-1-x", cronjob=name_of(CRONJOB), created=2),
        job("of-another", owner="other", cronjob="another", created=3),
        job("done", owner="u", ended="Complete"),
    ]
    found = jobs_of(CRONJOB, listed)
    assert list(map(name_of, found)) == ["ksnapshot-restore-a-b-1-x", "by-schedule", "done"]
    assert list(map(name_of, unfinished(found))) == ["ksnapshot-restore-a-b-1-x", "by-schedule"]


def test_a_bootstrap_is_of_the_workload_that_it_begins_not_of_its_source() -> None:
    made = dict(job("ksnapshot-restore-a-b-1-x", cronjob="another"))
    made["metadata"] = made["metadata"] | {"annotations": {names.CRONJOB: name_of(CRONJOB)}}
    assert jobs_of(CRONJOB, [made]) == [made]
    source = {"metadata": {"name": "another", "uid": "other"}}
    assert jobs_of(source, [made]) == []


def test_a_suspended_job_is_not_done() -> None:
    assert unfinished([job("x", ended="Suspended")])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ksnapshot-restore-a-b-1-x", "a restore of a/b that runs since 5 min"),
        ("ksnapshot-mysql-a-b-12345678-29000", "a backup of a/b that runs since 5 min"),
    ],
)
def test_what_a_job_is(name: str, text: str) -> None:
    assert describe_job(job(name), NOW) == text


def test_a_job_that_waits_for_a_place_is_not_said_to_run() -> None:
    made = dict(job("ksnapshot-mysql-a-b-12345678-29000"))
    marks = {"annotations": {names.AWAITS_RELEASE: "true"}}
    made |= {"metadata": made["metadata"] | marks, "spec": made.get("spec", {}) | {"suspend": True}}
    assert describe_job(made, NOW) == "a backup of a/b that waits for a place"


def test_only_jobs_of_ours_are_ours() -> None:
    assert is_of_ours(job("x", cronjob="c"))
    assert is_of_ours({"metadata": {"labels": {names.MANAGED_BY_LABEL: names.MANAGED_BY}}})
    assert not is_of_ours({"metadata": {"labels": {names.MANAGED_BY_LABEL: "helm"}}})


def test_a_workload_without_a_cronjob_says_why() -> None:
    entry = {"state": "unknown", "reason": "ServiceMissing", "message": "no Service"}
    workload = Workload(namespace="a", name="b", kind="", type="", reported=entry)
    with pytest.raises(CommandError, match=r"ServiceMissing.*no Service; to do: create") as caught:
        cronjob_of(workload)
    assert caught.value.exit_code == Exit.REFUSED


def test_a_run_now_is_the_cronjobs_own() -> None:
    made = build_run_now_job(CRONJOB, "now")
    assert made["metadata"] == {
        "name": "now",
        "namespace": "control",
        "labels": {"x": "y"},
        "annotations": {"cronjob.kubernetes.io/instantiate": "manual", "note": "kept"},
        "ownerReferences": [
            {
                "apiVersion": "batch/v1",
                "kind": "CronJob",
                "name": "ksnapshot-mysql-a-b-12345678",
                "uid": "u",
                "controller": True,
            }
        ],
    }
    assert made["spec"] == CRONJOB["spec"]["jobTemplate"]["spec"]


def test_a_verification_by_schedule_is_known_from_one_that_somebody_asked_for() -> None:
    made = dict(job("ksnapshot-verify-a-b-1-x", cronjob=name_of(CRONJOB)))
    labels = {"labels": {names.COMPONENT_LABEL: names.VERIFY}}
    made["metadata"] = {**made["metadata"], **labels, "ownerReferences": []}
    assert not reads_by_schedule(made)
    owners = {"ownerReferences": [{"kind": "CronJob", "uid": "verifier"}]}
    scheduled = {**made, "metadata": {**made["metadata"], **owners}}
    assert reads_by_schedule(scheduled)
    assert (is_a_run(made), is_a_run(scheduled)) == (True, False)
    assert jobs_of(CRONJOB, [scheduled]) == [scheduled]
    assert describe_job(scheduled, NOW) == "a check of a backup of a/b that runs since 5 min"
    of_dump = {**scheduled, "metadata": {**scheduled["metadata"], "labels": {}}}
    assert not reads_by_schedule(of_dump)


def test_a_listing_is_no_run_that_a_backup_would_wait_for() -> None:
    made = dict(job("ksnapshot-catalogue-a-b-1-x", cronjob=name_of(CRONJOB)))
    labels = {names.COMPONENT_LABEL: LIST}
    made["metadata"] = {**made["metadata"], "labels": labels, "ownerReferences": []}
    assert jobs_of(CRONJOB, [made]) == [made]
    assert not is_a_run(made)
