"""Restores that annotations ask for, on a real API server and under the chart's own rights.

No pod runs here: the tests end the Jobs as Kubernetes would.
"""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model import names
from dumpers.contract.restore.result import RestoreResult
from tests.integration.controller.world import (
    World,
    build,
    database,
    fail,
    finish,
    reference,
    running_job,
)
from tests.testbed.cluster.apiserver import WRITES, ApiServer

Json = dict[str, Any]
NOW = datetime(2026, 1, 1, 4, tzinfo=UTC)
COPY = "shop_restored"


def pass_(world: World, memory: PassState) -> None:
    result = run(world.kube(), world.settings, memory, now=NOW)
    assert result.succeeded, result.failures


def requests_of_pass(world: World, memory: PassState) -> list[tuple[str, str]]:
    """Verb and resource of all that a steady pass asks, which must not write."""
    # What the pass before wrote is read once more.
    pass_(world, memory)
    mark = world.server.audit_mark()
    pass_(world, memory)
    asked = world.server.audit_events(mark, user=world.user)
    assert not [item for item in asked if item.verb in WRITES or item.code >= 400]
    return sorted((item.verb, item.resource) for item in asked)


def annotate(world: World, **values: str | None) -> None:
    meta = {"name": "db", "namespace": world.watched[0]}
    texts = {names.PREFIX + key.replace("_", "-"): text for key, text in values.items()}
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta}
    world.api.patch(owner, {"metadata": {"annotations": texts}})


def cronjob(world: World) -> Json:
    name = names.cronjob_name("postgresql", f"{world.watched[0]}/db")
    found: Json = world.cronjobs()[name]
    return found


def record(world: World, key: str) -> Json:
    found: Json = json.loads(cronjob(world)["metadata"]["annotations"].get(key, "{}"))
    return found


def jobs(world: World, component: str) -> list[Json]:
    whole = {"apiVersion": "batch/v1", "kind": "Job"}
    return [
        whole | job
        for job in world.api.list("batch/v1", "Job", world.control)
        if job["metadata"].get("labels", {}).get(names.COMPONENT_LABEL) == component
    ]


def end(world: World, job: Json, result: RestoreResult) -> None:
    """Let a Job end with this result, its pod still there."""
    ended = {
        "exitCode": result.exit_code,
        "message": result.to_json(),
        "finishedAt": "2026-01-01T03:00:08Z",
    }
    status = {"name": "job", "image": "x", "imageID": "x", "ready": False, "restartCount": 0}
    world.api.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{job['metadata']['name']}-x",
                "namespace": world.control,
                "labels": {"job-name": job["metadata"]["name"]},
                "ownerReferences": [reference(job)],
            },
            "spec": {"containers": [{"name": "job", "image": "x"}]},
            "status": {
                "phase": "Succeeded" if result.succeeded else "Failed",
                "containerStatuses": [status | {"state": {"terminated": ended}}],
            },
        }
    )
    if result.succeeded:
        finish(world, job)
    else:
        fail(world, job, "PodFailurePolicy")


def good(**members: Any) -> RestoreResult:
    return RestoreResult(
        succeeded=True,
        exit_code=0,
        reason="Succeeded",
        message="",
        backup="3f9c0a51b2d4",
        began="2026-01-01T03:00:02Z",
        **members,
    )


def row(world: World) -> tuple[str, str]:
    """Reason and message on the tenants' board."""
    [found] = world.rows(world.watched[0])
    return found["reason"], found["message"]


@pytest.fixture
def world(apiserver: ApiServer) -> World:
    return build(apiserver, IDENTITY_SECRET="keys/key.txt")


def test_a_copy_is_made_shown_and_dropped_and_a_steady_pass_asks_no_more_for_it(
    world: World,
) -> None:
    database(world.api, world.watched[0])
    memory = PassState()
    pass_(world, memory)
    steady = requests_of_pass(world, memory)
    check_copy_is_made(world, memory)
    assert requests_of_pass(world, memory) == steady

    annotate(world, restore_now="latest#2")
    pass_(world, memory)
    assert len(jobs(world, "restore")) == 1
    assert row(world)[0] == "RestoreRefused"

    annotate(world, restore_now="latest", restore_forget="1")
    check_copy_is_dropped(world, memory)
    assert requests_of_pass(world, memory) == steady
    # A process that starts anew reads what the records say.
    anew = PassState()
    pass_(world, anew)
    assert requests_of_pass(world, anew) == steady
    assert len(jobs(world, "restore")) == len(jobs(world, "forget")) == 1


def check_copy_is_made(world: World, memory: PassState) -> None:
    annotate(world, restore_now="latest")
    pass_(world, memory)
    [made] = jobs(world, "restore")
    pod = made["spec"]["template"]["spec"]
    reader, client = pod["containers"]
    [volume] = [item for item in pod["volumes"] if "secret" in item]
    assert volume["secret"]["secretName"] == "keys"
    assert volume["name"] in {mount["name"] for mount in reader["volumeMounts"]}
    assert volume["name"] not in {mount["name"] for mount in client["volumeMounts"]}
    # Its CronJob does not count it as a run, nor delete it.
    assert "ownerReferences" not in made["metadata"]
    assert not cronjob(world)["spec"].get("suspend")
    assert row(world)[0] == "RestoringBeside"

    pass_(world, memory)
    assert record(world, names.RESTORE_NOW)["stage"] == "running"
    end(world, made, good(restored=(("shop", COPY),)))
    pass_(world, memory)
    found = record(world, names.RESTORE_NOW)
    assert (found["stage"], found["beside"]) == ("done", [COPY])
    reason, message = row(world)
    assert reason == "RestoredBeside"
    assert COPY in message
    # It is in the status, too, which lists those only that are not plainly backed up.
    [entry] = world.rows()
    assert entry["reason"] == "RestoredBeside"


def check_copy_is_dropped(world: World, memory: PassState) -> None:
    pass_(world, memory)
    [dropping] = jobs(world, "forget")
    [container] = dropping["spec"]["template"]["spec"]["containers"]
    variables = {item["name"]: item.get("value") for item in container["env"]}
    assert json.loads(variables["KSNAPSHOT_FORGET"] or "") == [COPY]
    assert not any(name.startswith("BACKEND_") for name in variables)
    pass_(world, memory)
    end(world, dropping, good())
    pass_(world, memory)
    assert record(world, names.RESTORE_FORGET)["stage"] == "done"
    assert "beside" not in record(world, names.RESTORE_NOW)
    assert row(world) == ("Annotated", "")
    assert world.rows() == []


def test_a_new_workload_is_restored_before_its_schedule_begins(world: World) -> None:
    database(world.api, world.watched[0], restore_from="statefulset/shop@latest")
    memory = PassState()
    pass_(world, memory)
    assert cronjob(world)["spec"]["suspend"] is True
    assert jobs(world, "restore") == []
    assert row(world)[0] == "RestoreRunning"
    pass_(world, memory)
    [made] = jobs(world, "restore")
    assert made["spec"]["backoffLimit"] > 0
    pass_(world, memory)
    held = cronjob(world)["metadata"]["annotations"][names.HELD_BY]
    assert held == f"{made['metadata']['name']}/{made['metadata']['uid']}"
    requests_of_pass(world, memory)
    end(world, made, good())
    pass_(world, memory)
    now = cronjob(world)
    assert not now["spec"].get("suspend")
    assert names.HELD_BY not in now["metadata"]["annotations"]
    assert record(world, names.BOOTSTRAP)["stage"] == "done"
    assert row(world) == ("Annotated", "")
    requests_of_pass(world, memory)

    # The CronJob is lost: its Job shows that all is done.
    world.api.delete(now)
    for _ in range(3):
        pass_(world, memory)
    assert len(jobs(world, "restore")) == 1
    assert not cronjob(world)["spec"].get("suspend")
    assert record(world, names.BOOTSTRAP)["stage"] == "done"


def test_a_bootstrap_that_failed_shows_and_holds_no_backups_up(world: World) -> None:
    database(world.api, world.watched[0], restore_from="shop")
    memory = PassState()
    pass_(world, memory)
    pass_(world, memory)
    [made] = jobs(world, "restore")
    refused = RestoreResult(
        succeeded=False,
        exit_code=23,
        reason="TargetRefused",
        message="the database 'shop' is not empty",
    )
    end(world, made, refused)
    pass_(world, memory)
    assert not cronjob(world)["spec"].get("suspend")
    reason, message = row(world)
    assert reason == "RestoreRefused"
    assert "is not empty" in message
    requests_of_pass(world, memory)
    # A dump may begin now, and a restore beside it may not.
    dump = running_job(world, cronjob(world))
    annotate(world, restore_now="latest")
    pass_(world, memory)
    assert len(jobs(world, "restore")) == 1
    assert f"the Job {dump['metadata']['name']} has not ended" in row(world)[1]
