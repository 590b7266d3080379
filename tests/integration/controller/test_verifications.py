"""The CronJob that verifies, on the real API server and with Kubernetes' own controllers."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model import names
from controller.runs.job_status import end_of
from dumpers.contract.verify.result import VerifyResult
from tests.integration.controller.kube_controllers import api_server_with
from tests.integration.controller.world import World, annotations, build, database, finish
from tests.testbed.cluster.apiserver import WRITES, ApiServer
from tests.testbed.toolchain.processes import wait_until

Json = dict[str, Any]
SCHEDULE = "0 * * * *"
ASKED = {"verify_schedule": SCHEDULE, "verify_sample": "1/7"}
CONTROLLERS = "job-controller,cronjob-controller,garbage-collector-controller"


@pytest.fixture
def world(apiserver: ApiServer) -> World:
    world = build(
        apiserver,
        BACKUP_MAX_CONCURRENT="1",
        IDENTITY_SECRET="identity",
        READER_SERVICE_ACCOUNT_NAME="reader",
    )
    database(world.api, world.watched[0], verify_schedule=SCHEDULE, verify_sample="1/7")
    pass_(world)
    return world


@pytest.fixture
def with_controllers(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server_with(CONTROLLERS, tmp_path) as server:
        yield server


def pass_(world: World, memory: PassState | None = None, minutes: int = 0) -> list[Any]:
    now = datetime.now(UTC) + timedelta(minutes=minutes)
    result = run(world.kube(), world.settings, memory or PassState(), now=now)
    assert result.succeeded, result.failures
    return [item.status.state for item in result.results]


def cronjobs(world: World) -> tuple[Json, Json | None]:
    """That which dumps, and that which verifies."""
    found = world.cronjobs()
    dump = names.cronjob_name("postgresql", f"{world.watched[0]}/db")
    return found[dump], found.get(names.verify_cronjob_name(dump))


def ask(world: World, **asked: str) -> None:
    """Say something else in the annotations of the owner's template and of its pod."""
    gone = {names.PREFIX + key.replace("_", "-"): None for key in ASKED}
    values = {"metadata": {"annotations": {**gone, **annotations(**asked)}}}
    meta = {"name": "db", "namespace": world.watched[0]}
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta}
    world.api.patch(owner, {"spec": {"template": values}})
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {**meta, "name": "db-0"}}
    world.api.patch(pod, values)


def jobs(world: World) -> list[Json]:
    return world.api.list("batch/v1", "Job", world.control)


def say(world: World, result: VerifyResult) -> None:
    """Let the pods that are there end well, and their container tell this result."""
    ended = {"exitCode": 0, "message": result.to_json(), "finishedAt": "2026-01-01T03:00:08Z"}
    box = {"name": names.CONTAINER, "image": "x", "imageID": "x", "ready": False}
    box |= {"restartCount": 0, "state": {"terminated": ended}}
    status = {"phase": "Succeeded", "containerStatuses": [box]}
    for pod in world.api.list("v1", "Pod", world.control):
        world.api.set_status({"apiVersion": "v1", "kind": "Pod"} | pod, status)


def test_a_steady_pass_writes_nothing_and_settings_are_taken_back(world: World) -> None:
    dump, verifier = cronjobs(world)
    assert verifier
    assert verifier["metadata"]["ownerReferences"][0]["uid"] == dump["metadata"]["uid"]
    mark = world.server.audit_mark()
    pass_(world)
    assert world.writes(mark) == []
    ask(world, **ASKED | {"verify_sample": "none"}, suspend="true")
    pass_(world)
    dump, verifier = cronjobs(world)
    assert verifier
    assert (dump["spec"]["suspend"], verifier["spec"]["suspend"]) == (True, True)
    assert "KSNAPSHOT_VERIFY_SAMPLE" not in json.dumps(verifier)
    mark = world.server.audit_mark()
    pass_(world)
    assert world.writes(mark) == []


def test_it_goes_with_its_annotation_unless_a_job_of_it_runs(world: World) -> None:
    _, verifier = cronjobs(world)
    assert verifier
    template = verifier["spec"]["jobTemplate"]
    reference = {"apiVersion": "batch/v1", "kind": "CronJob", "controller": True}
    reference |= {key: verifier["metadata"][key] for key in ("name", "uid")}
    meta = {"name": "check-1", "namespace": world.control, "ownerReferences": [reference]}
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": template["metadata"] | meta}
    job = world.api.create(body | {"spec": template["spec"]})
    ask(world)
    pass_(world)
    dump, verifier = cronjobs(world)
    assert verifier
    assert names.VERIFY_SCHEDULE not in dump["metadata"]["annotations"]
    finish(world, job)
    pass_(world)
    dump, verifier = cronjobs(world)
    assert verifier is None
    # It was no run of the dump.
    assert not {names.LAST_RESULT, names.HISTORY} & set(dump["metadata"]["annotations"])


def test_kubernetes_runs_it_its_end_is_told_and_all_of_it_goes_with_the_workload(
    with_controllers: ApiServer,
) -> None:
    world = build(with_controllers, GONE_PASSES="1", GONE_GRACE_SECONDS="0")
    database(world.api, world.watched[0], verify_schedule=SCHEDULE, verify_sample="1/7")
    memory = PassState()
    pass_(world, memory)
    dump, verifier = cronjobs(world)
    assert verifier
    before = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    # So that the last full hour comes due now.
    world.api.set_status(verifier, {"lastScheduleTime": before})
    wait_until(lambda: len(jobs(world)) == 1, seconds=60, what="its Job")
    [job] = jobs(world)
    assert job["metadata"]["labels"][names.COMPONENT_LABEL] == names.VERIFY
    assert names.MANAGED_BY_LABEL not in job["metadata"]["labels"]
    assert job["metadata"]["annotations"][names.CRONJOB] == dump["metadata"]["name"]
    wait_until(
        lambda: len(world.api.list("v1", "Pod", world.control)) == 1, seconds=30, what="its pod"
    )
    # It goes on, and is neither a run of the dump nor anything to write.
    mark = world.server.audit_mark()
    pass_(world, memory)
    assert world.writes(mark) == []
    ids = ("3f9c0a51b2d4", "77aa0a51b2d4")
    result = VerifyResult(
        succeeded=True,
        exit_code=0,
        reason="Succeeded",
        message="",
        verified=2,
        backups=ids,
        newest_verified=ids[0],
    )
    say(world, result)
    wait_until(lambda: end_of(jobs(world)[0]) is not None, seconds=30, what="its end")
    pass_(world, memory)
    noted = cronjobs(world)[0]["metadata"]["annotations"]
    last, proof = (json.loads(noted[key]) for key in (names.LAST_VERIFY, names.LAST_PROOF))
    assert (last["succeeded"], last["verified"], last["job"]) == (True, 2, job["metadata"]["name"])
    assert (proof["good"], proof["backup"]) == (True, ids[0])
    assert not {names.LAST_RESULT, names.HISTORY} & set(noted)
    mark = world.server.audit_mark()
    pass_(world, memory)
    asked = world.server.audit_events(mark, user=world.user)
    assert not [item for item in asked if item.verb in WRITES or item.resource == "pods/log"]
    assert not [
        item for item in asked if "pods" in item.resource and item.namespace == world.control
    ]
    for kind, version, name in (("StatefulSet", "apps/v1", "db"), ("Pod", "v1", "db-0")):
        meta = {"name": name, "namespace": world.watched[0]}
        world.api.delete({"apiVersion": version, "kind": kind, "metadata": meta})
    pass_(world, memory)
    wait_until(
        lambda: not world.cronjobs() and not jobs(world), seconds=60, what="its end for good"
    )
