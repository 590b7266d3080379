"""Reasons of runs, from Jobs, pods and Events as the real API server keeps them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.cli.plan import render
from controller.loop.pass_state import PassState
from controller.loop.reconcile import isolate, run
from controller.manifests.verb_job import VerbJob, build_verb_job
from controller.model import names
from controller.observe.cluster import ObservationCache, observe_cluster
from tests.integration.controller.world import (
    World,
    build,
    database,
    dump_pod,
    fail,
    finish,
    running_job,
    warn,
)
from tests.testbed.cluster.apiserver import WRITES, ApiServer

BEGAN = "2026-01-01T03:00:00Z"
NOW = datetime(2026, 1, 1, 4, tzinfo=UTC)
Json = dict[str, Any]


@pytest.fixture
def world(apiserver: ApiServer) -> World:
    world = build(apiserver)
    database(world.api, world.watched[0])
    pass_(world)
    return world


def pass_(world: World) -> None:
    result = run(world.kube(), world.settings, PassState(), now=NOW)
    assert result.succeeded, result.failures


def cronjob(world: World) -> Json:
    name = names.cronjob_name("postgresql", f"{world.watched[0]}/db")
    found: Json = world.cronjobs()[name]
    return found


def record(world: World) -> Json:
    values = cronjob(world)["metadata"]["annotations"]
    found: Json = json.loads(values[names.LAST_RESULT])
    return found


def set_pod(world: World, pod: Json, state: Json, phase: str, *others: Json) -> None:
    more = {"image": "x", "imageID": "x", "ready": False, "restartCount": 0}
    statuses = [{"name": "job", "state": state} | more, *(other | more for other in others)]
    world.api.set_status(pod, {"phase": phase, "containerStatuses": statuses})


def plan_of(world: World) -> str:
    observation = observe_cluster(
        world.kube(), world.settings, ObservationCache(), now=NOW, isolate=isolate
    )
    return "\n".join(render(observation.view, world.settings))


def test_a_killed_dump_and_its_jobs_own_reason_are_recorded_once(world: World) -> None:
    job = running_job(world, cronjob(world))
    end = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-01T03:00:08Z"}
    set_pod(world, dump_pod(world, job), {"terminated": end}, "Failed")
    fail(world, job, "BackoffLimitExceeded")
    pass_(world)
    mark = world.server.audit_mark()
    pass_(world)
    asked = world.server.audit_events(mark, user=world.user)
    # Nothing is written, and no Events are read; a new process tries to make those that it tells.
    assert not [item for item in asked if (item.verb in WRITES) is not ("events" in item.resource)]
    found = record(world)
    assert (found["reason"], found["job_reason"]) == ("OOMKilled", "BackoffLimitExceeded")
    assert found["exit_code"] == 137


def test_a_job_that_may_make_no_pod_is_blocked_then_failed_for_that_reason(world: World) -> None:
    job = running_job(world, cronjob(world))
    world.api.set_status(job, {"active": 0, "startTime": BEGAN})
    warn(world, job, "FailedCreate", 'pods "run-1-" is forbidden: exceeded quota: compute')
    mine = f"run run-1 is blocked since {BEGAN}: QuotaExceeded"
    assert mine in plan_of(world)
    fail(world, job, "DeadlineExceeded")
    assert mine not in plan_of(world)
    pass_(world)
    found = record(world)
    assert (found["reason"], found["job_reason"]) == ("QuotaExceeded", "DeadlineExceeded")


def test_a_dump_that_ended_beside_a_running_sidecar_is_recorded_at_once(world: World) -> None:
    job = running_job(world, cronjob(world))
    world.api.set_status(job, {"active": 1, "startTime": BEGAN})
    pod = dump_pod(world, job)
    ended = pod["status"]["containerStatuses"][0]["state"]
    sidecar = {"name": "istio-proxy", "state": {"running": {"startedAt": BEGAN}}}
    set_pod(world, pod, ended, "Running", sidecar)
    pass_(world)
    assert (record(world)["succeeded"], record(world)["stored_bytes"]) == (True, 42)
    assert "PodStillRunning" in plan_of(world)
    world.api.delete(pod)
    fail(world, job, "DeadlineExceeded", "2026-01-01T07:00:00Z")
    pass_(world)
    assert record(world)["succeeded"] is True


def test_a_verification_is_kept_on_the_cronjob_whose_backup_it_is(world: World) -> None:
    wanted = VerbJob(name="ksnapshot-verify-db-1", verb="verify", deadline=60, keep=600)
    job = world.api.create(build_verb_job(cronjob(world), wanted))
    finish(world, job)
    said = {
        "version": 1,
        "succeeded": True,
        "exit_code": 0,
        "reason": "Succeeded",
        "message": "",
        "backup": "3f9c0a51b2d4",
        "began": "2026-01-01T02:00:00Z",
        "oldest_backup": "2025-12-01T02:00:00Z",
        "backups": 7,
    }
    ended = {"exitCode": 0, "message": json.dumps(said), "finishedAt": "2026-01-01T03:00:08Z"}
    set_pod(world, dump_pod(world, job), {"terminated": ended}, "Succeeded")
    pass_(world)
    annotations = cronjob(world)["metadata"]["annotations"]
    assert json.loads(annotations[names.LAST_PROOF]) == {
        "job": "ksnapshot-verify-db-1",
        "finished": "2026-01-01T03:00:09Z",
        "backup": "3f9c0a51b2d4",
        "began": "2026-01-01T02:00:00Z",
        "good": True,
        "grade": "verified",
        "oldest_backup": "2025-12-01T02:00:00Z",
        "backups": 7,
        "as_of": "2026-01-01T03:00:09Z",
    }
    # A verification is no run of the CronJob.
    assert names.LAST_RESULT not in annotations
    mark = world.server.audit_mark()
    pass_(world)
    events = world.server.audit_events(mark, user=world.user)
    assert not [event for event in events if event.verb in WRITES]
