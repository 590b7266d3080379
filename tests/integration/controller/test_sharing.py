"""Jobs whose pods have a shard each, on the real API server with Kubernetes' own Job controller."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.manifests.run_now_job import build_run_now_job
from controller.model import names
from controller.runs.job_status import end_of
from dumpers.contract.result import PART, DumpResult
from tests.integration.controller.kube_controllers import api_server_with
from tests.integration.controller.world import World, build, database
from tests.testbed.cluster.apiserver import WRITES
from tests.testbed.toolchain.processes import wait_until

Json = dict[str, Any]
_INDEX = "batch.kubernetes.io/job-completion-index"
_GOOD = DumpResult(succeeded=True, exit_code=0, reason="Succeeded", message="", stored_bytes=30)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with api_server_with("job-controller,garbage-collector-controller", tmp_path) as server:
        made = build(server)
        database(
            made.api,
            made.watched[0],
            type="clickhouse",
            port="5432",
            spread="shards",
            shard_count="2",
            shards_at_a_time="1",
            retries="1",
        )
        pass_(made)
        yield made


def pass_(world: World) -> None:
    result = run(world.kube(), world.settings, PassState(), now=datetime.now(UTC))
    assert result.succeeded, result.failures


def cronjob(world: World) -> Json:
    name = names.cronjob_name("clickhouse", f"{world.watched[0]}/db")
    found: Json = world.cronjobs()[name]
    return found


def begin(world: World, name: str) -> Json:
    made: Json = world.api.create(build_run_now_job(cronjob(world), name))
    return made


def live(world: World, job: str) -> list[Json]:
    """The pods of a Job that have not ended."""
    return [
        {"apiVersion": "v1", "kind": "Pod"} | pod
        for pod in world.api.list("v1", "Pod", world.control)
        if pod["metadata"]["labels"].get("job-name") == job and pod["status"]["phase"] == "Pending"
    ]


def next_pod(world: World, job: str, index: int) -> Json:
    """The only pod of a Job that is live, once it is that of a shard."""

    def indexes() -> list[str]:
        return [pod["metadata"]["annotations"][_INDEX] for pod in live(world, job)]

    wait_until(lambda: indexes() == [str(index)], seconds=90, what=f"the pod of index {index}")
    [pod] = live(world, job)
    return pod


def end(world: World, pod: Json, result: DumpResult) -> None:
    """Let a pod end with this result, as a kubelet tells it."""
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    ended = {"exitCode": result.exit_code, "finishedAt": now, "message": result.to_json()}
    box = {"name": names.CONTAINER, "image": "x", "imageID": "x", "ready": False, "restartCount": 0}
    phase = "Succeeded" if result.exit_code == 0 else "Failed"
    status = {"phase": phase, "containerStatuses": [box | {"state": {"terminated": ended}}]}
    world.api.set_status(pod, status)


def part(shard: int) -> DumpResult:
    return DumpResult(
        succeeded=True,
        exit_code=0,
        reason="Succeeded",
        message=f"shard {shard} of 2 is stored",
        outcome=PART,
    )


def job_of(world: World, name: str) -> Json:
    [found] = [
        job
        for job in world.api.list("batch/v1", "Job", world.control)
        if job["metadata"]["name"] == name
    ]
    job: Json = found
    return job


def wait_for_end(world: World, name: str) -> None:
    wait_until(lambda: end_of(job_of(world, name)) is not None, seconds=60, what="the Job's end")


def recorded(world: World, key: str) -> Json:
    found: Json = json.loads(cronjob(world)["metadata"]["annotations"].get(key, "{}"))
    return found


def test_two_pods_are_one_run_and_a_shard_that_fails_twice_ends_it(world: World) -> None:
    spec = cronjob(world)["spec"]["jobTemplate"]["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 2, 1)
    assert (spec["backoffLimitPerIndex"], spec["maxFailedIndexes"]) == (1, 0)
    mark = world.server.audit_mark()
    pass_(world)
    events = world.server.audit_events(mark, user=world.user)
    assert not [item for item in events if item.verb in WRITES and item.resource == "cronjobs"]

    job = begin(world, "good")
    pod = next_pod(world, "good", 0)
    labels, [container] = pod["metadata"]["labels"], pod["spec"]["containers"]
    assert pod["spec"]["hostname"] == "good-0"
    assert (labels["job-name"], labels["controller-uid"]) == ("good", job["metadata"]["uid"])
    told = {item["name"]: item for item in container["env"]}
    assert told["KSNAPSHOT_SHARDS"]["value"] == "2"
    paths = {
        name: told[name]["valueFrom"]["fieldRef"]["fieldPath"]
        for name in ("KSNAPSHOT_JOB", "KSNAPSHOT_JOB_UID", "JOB_COMPLETION_INDEX")
    }
    assert paths["KSNAPSHOT_JOB"] == "metadata.labels['job-name']"
    assert paths["KSNAPSHOT_JOB_UID"] == "metadata.labels['controller-uid']"
    assert "job-completion-index" in paths["JOB_COMPLETION_INDEX"]
    end(world, pod, part(1))
    pod = next_pod(world, "good", 1)
    pass_(world)
    assert recorded(world, names.LAST_RESULT) == {}
    end(world, pod, _GOOD)
    wait_for_end(world, "good")
    pass_(world)
    last = recorded(world, names.LAST_SUCCESS)
    assert (last["job"], last["stored_bytes"]) == ("good", 30)

    begin(world, "bad")
    end(world, next_pod(world, "bad", 0), part(1))
    failed = DumpResult(
        succeeded=False, exit_code=10, reason="SourceFailed", message="shard 2 of 2: no replica"
    )
    end(world, next_pod(world, "bad", 1), failed)
    end(world, next_pod(world, "bad", 1), failed)
    wait_for_end(world, "bad")
    assert job_of(world, "bad")["status"]["failedIndexes"] == "1"
    pass_(world)
    last = recorded(world, names.LAST_RESULT)
    assert (last["job"], last["succeeded"], last["reason"]) == ("bad", False, "SourceFailed")
    assert last["message"] == "shard 2 of 2: no replica"
    assert recorded(world, names.LAST_SUCCESS)["job"] == "good"


def test_a_workload_that_is_not_spread_any_more_has_plain_jobs_again(world: World) -> None:
    gone = dict.fromkeys(
        f"{names.PREFIX}{key}" for key in ("spread", "shard-count", "shards-at-a-time")
    )
    meta = {"metadata": {"annotations": gone}}
    for api, kind, change in (("v1", "Pod", meta), ("apps/v1", "StatefulSet", _template(meta))):
        for found in world.api.list(api, kind, world.watched[0]):
            world.api.patch({"apiVersion": api, "kind": kind} | found, change)
    pass_(world)
    spec = cronjob(world)["spec"]["jobTemplate"]["spec"]
    left = {"completionMode", "completions", "parallelism", "backoffLimitPerIndex"}
    assert not left & spec.keys()
    assert spec["backoffLimit"] == 1


def _template(meta: Json) -> Json:
    return {"spec": {"template": meta}}
