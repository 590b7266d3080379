"""Drills, on the real API server and with Kubernetes' own Job controller."""

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
from dumpers.contract.drill.result import DrillResult, Outcome
from tests.integration.controller.kube_controllers import api_server_with
from tests.integration.controller.world import World, build, database
from tests.testbed.cluster.apiserver import WRITES, ApiServer
from tests.testbed.toolchain.processes import wait_until

Json = dict[str, Any]
BACKUP = "3f9c0a51b2d4"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with api_server_with("job-controller,garbage-collector-controller", tmp_path) as server:
        yield _world(server)


def _world(server: ApiServer) -> World:
    world = build(server)
    database(world.api, world.watched[0])
    return world


def pass_(world: World, memory: PassState, minutes: int = 0) -> None:
    now = datetime.now(UTC) + timedelta(minutes=minutes)
    result = run(world.kube(), world.settings, memory, now=now)
    assert result.succeeded, result.failures


def dump_of(world: World) -> Json:
    name = names.cronjob_name("postgresql", f"{world.watched[0]}/db")
    found: Json = world.cronjobs()[name]
    return found


def ask(world: World, name: str) -> None:
    """Make the Job of a drill, as a command of a person would."""
    dump = dump_of(world)
    meta: Json = {"name": name, "namespace": world.control}
    meta |= {"labels": {names.COMPONENT_LABEL: names.DRILL, names.PART_OF_LABEL: names.PART_OF}}
    meta |= {"annotations": {names.CRONJOB: dump["metadata"]["name"]}}
    box = {"name": names.CONTAINER, "image": "x"}
    pod = {"restartPolicy": "Never", "containers": [box, {"name": "client", "image": "x"}]}
    # As those of drills do, it has another container beside that which tells the result.
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    world.api.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec})
    wait_until(lambda: len(pods(world, name)) == 1, seconds=30, what="its pod")


def pods(world: World, job: str) -> list[Json]:
    every = world.api.list("v1", "Pod", world.control)
    return [pod for pod in every if pod["metadata"]["labels"].get("job-name") == job]


def say(world: World, job: str, result: DrillResult) -> None:
    """Let the pod of a drill end, and its reader tell this result."""

    def ended(name: str, code: int, message: str) -> Json:
        state = {"exitCode": code, "message": message, "finishedAt": "2026-01-01T03:00:08Z"}
        box = {"name": name, "image": "x", "imageID": "x", "ready": False, "restartCount": 0}
        return box | {"state": {"terminated": state}}

    code = result.exit_code
    boxes = [ended("client", code, ""), ended(names.CONTAINER, code, result.to_json())]
    status = {"phase": "Failed" if code else "Succeeded", "containerStatuses": boxes}
    [pod] = pods(world, job)
    world.api.set_status({"apiVersion": "v1", "kind": "Pod"} | pod, status)
    wait_until(lambda: end_of(_job(world, job)) is not None, seconds=30, what="its end")


def _job(world: World, name: str) -> Json:
    every: list[Json] = world.api.list("batch/v1", "Job", world.control)
    [found] = [job for job in every if job["metadata"]["name"] == name]
    return {"apiVersion": "batch/v1", "kind": "Job"} | found


def noted(world: World, key: str) -> Any:
    return json.loads(dump_of(world)["metadata"]["annotations"].get(key, "null"))


def passed(**more: Any) -> DrillResult:
    members: Json = {"succeeded": True, "exit_code": 0, "reason": "Succeeded", "message": ""}
    members |= {"outcome": Outcome.PASSED, "backup": BACKUP, "began": "2026-01-01T03:00:00Z"}
    members |= {"tables": 7, "seconds": 61.0, "restore_seconds": 40.0, "age_seconds": 7200.0}
    return DrillResult(**members | more)


def test_the_end_of_a_drill_is_recorded_once_and_outlives_its_job(world: World) -> None:
    memory = PassState()
    pass_(world, memory)
    ask(world, "drill-1")
    # It goes on, and is neither a run of the dump nor anything to write.
    mark = world.server.audit_mark()
    pass_(world, memory)
    assert world.writes(mark) == []
    say(world, "drill-1", passed())
    pass_(world, memory)
    last, proof = noted(world, names.LAST_DRILL), noted(world, names.LAST_PROOF)
    assert (last["outcome"], last["job"], last["tables"]) == ("passed", "drill-1", 7)
    assert (proof["good"], proof["backup"], proof["grade"]) == (True, BACKUP, "drilled")
    assert noted(world, names.LAST_RESULT) is noted(world, names.HISTORY) is None
    [row] = world.rows(world.watched[0])
    assert (row["drill"]["outcome"], row["drill"]["problem"]) == ("passed", False)
    told = [item["reason"] for item in world.api.list("v1", "Event", world.watched[0])]
    assert "BackupDrilled" in told
    # Nothing more is written, nor are its pods looked at again, also by a controller that is new.
    for state in (memory, PassState()):
        mark = world.server.audit_mark()
        pass_(world, state)
        asked = world.server.audit_events(mark, user=world.user)
        assert not [item for item in asked if item.verb in WRITES]
        assert not [
            item for item in asked if "pods" in item.resource and item.namespace == world.control
        ]
    world.api.delete(_job(world, "drill-1"))
    pass_(world, memory)
    assert noted(world, names.LAST_DRILL) == last


def test_a_backup_is_in_doubt_until_a_drill_clears_it(world: World) -> None:
    memory = PassState()
    pass_(world, memory)
    against: Json = {"succeeded": False, "exit_code": 23, "reason": "DrillDiffers"}
    against |= {"message": "public.orders holds other rows", "outcome": Outcome.FAILED}
    away: Json = {"succeeded": False, "exit_code": 11, "reason": "StorageFailed"}
    away |= {"message": "the store is away", "outcome": Outcome.FAILED, "backup": "", "began": ""}
    impossible: Json = {"reason": "NotDrillable", "message": "no key is given", "backup": ""}
    impossible |= {"outcome": Outcome.NOT_DRILLABLE}
    expected = [
        (against, "failed", True, False),
        (away, "failed", True, False),
        (impossible, "not-drillable", True, False),
        ({}, "passed", False, True),
    ]
    for number, (said, outcome, in_doubt, good) in enumerate(expected):
        name = f"drill-{number}"
        ask(world, name)
        say(world, name, passed(**said))
        pass_(world, memory)
        last = noted(world, names.LAST_DRILL)
        assert (last["job"], last["outcome"]) == (name, outcome)
        assert last.get("in_doubt", False) is in_doubt
        assert noted(world, names.LAST_PROOF)["good"] is good
        [row] = world.rows(world.watched[0])
        assert row["drill"]["problem"] is in_doubt
    told = {item["reason"] for item in world.api.list("v1", "Event", world.watched[0])}
    assert {"BackupInDoubt", "BackupNotDrillable", "BackupDrilled"} <= told
