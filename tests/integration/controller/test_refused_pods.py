"""What refuses a dump's pod, or adds to it, on a real API server with the real Job controller."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model import names
from controller.model.status import Reason, WorkloadStatus
from tests.integration.controller.kube_controllers import api_server_with
from tests.integration.controller.webhook import (
    INJECT,
    INSIST,
    PROXY,
    REFUSE,
    WHY,
    configuration,
    webhook,
)
from tests.integration.controller.world import World, build, database, running_job
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.cluster.kubeapi import ApiError
from tests.testbed.toolchain.processes import wait_until

Json = dict[str, Any]
_SECONDS = 60
_POD = {"resources": {"limits": {"memory": "256Mi"}}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server_with("job-controller", tmp_path_factory.mktemp("manager")) as server:
        yield server


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Json]:
    with webhook(tmp_path_factory.mktemp("webhook")) as client:
        yield client


@pytest.fixture
def world(server: ApiServer) -> World:
    world = build(server, BACKUP_JOB_POD=json.dumps(_POD))
    database(world.api, world.watched[0])
    pass_(world)
    return world


def pass_(world: World) -> WorkloadStatus:
    """One pass, as of when no Job is too young; the status of the only workload."""
    now = datetime.now(UTC) + timedelta(seconds=10)
    result = run(world.kube(), world.settings, PassState(), now=now)
    assert result.succeeded, result.failures
    (item,) = result.results
    return item.status


def begin(world: World, **pod: object) -> Json:
    """A run, whose pod differs from that of the CronJob by some fields."""
    name = names.cronjob_name("postgresql", f"{world.watched[0]}/db")
    cronjob = world.cronjobs()[name]
    cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"] |= pod
    return running_job(world, cronjob)


def pods(world: World) -> list[Json]:
    return world.api.list("v1", "Pod", world.control)


def refused(world: World) -> str:
    """The Job controller's own words, once it has them from the API server."""
    found: list[str] = []

    def is_told() -> bool:
        events = world.api.list("v1", "Event", world.control)
        found[:] = [item["message"] for item in events if item["reason"] == "FailedCreate"]
        return bool(found)

    wait_until(is_told, seconds=_SECONDS, what="a FailedCreate")
    assert not pods(world)
    return found[0]


def one_pod(world: World) -> Json:
    wait_until(lambda: len(pods(world)) == 1, seconds=_SECONDS, what="the pod")
    return {"apiVersion": "v1", "kind": "Pod"} | pods(world)[0]


def quota(world: World) -> None:
    meta = {"name": "few", "namespace": world.control}
    hard = {"pods": "0"}
    made = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard}}
    world.api.set_status(world.api.create(made), {"hard": hard, "used": {"pods": "0"}})


def limit_range(world: World) -> None:
    meta = {"name": "small", "namespace": world.control}
    limits = [{"type": "Container", "max": {"memory": "64Mi"}}]
    spec = {"limits": limits}
    world.api.create({"apiVersion": "v1", "kind": "LimitRange", "metadata": meta, "spec": spec})


def restrict(world: World) -> None:
    meta = {"name": world.control}
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
    world.api.patch(namespace, {"metadata": {"labels": labels}})


@contextmanager
def asked(world: World, client: Json, kind: str, path: str) -> Iterator[None]:
    """The webhook's path is asked about new pods, once the API server has heard of it."""
    name = f"webhook-{secrets.token_hex(3)}"
    made = world.api.create(configuration(kind, name, path, client, world.control))

    def heard() -> bool:
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "probe", "namespace": world.control},
            "spec": {"containers": [{"name": "a", "image": "a"}]},
        }
        try:
            place = world.api.path("v1", "Pod", world.control)
            seen = world.api.request("POST", place, pod, query={"dryRun": "All"})
        except ApiError as error:
            return WHY in str(error)
        return len(seen["spec"]["containers"]) > 1

    try:
        wait_until(heard, seconds=_SECONDS, what="the webhook")
        yield
    finally:
        world.api.delete(made)


@pytest.mark.parametrize(
    ("prepare", "pod", "reason", "said"),
    [
        (quota, {}, "QuotaExceeded", "exceeded quota: few"),
        (limit_range, {}, "AdmissionDenied", "maximum memory usage per Container is 64Mi"),
        (restrict, {"hostNetwork": True}, "AdmissionDenied", 'violates PodSecurity "restricted'),
    ],
)
def test_what_refuses_a_pod_is_told_in_the_next_pass(
    world: World, prepare: Any, pod: Json, reason: str, said: str
) -> None:
    prepare(world)
    begin(world, **pod)
    assert said in refused(world)
    status = pass_(world)
    assert status.reason is Reason.RUN_BLOCKED
    assert f"{reason}: " in status.message
    assert said in status.message


def test_a_webhook_that_refuses_pods_is_told_in_the_next_pass(world: World, client: Json) -> None:
    with asked(world, client, "ValidatingWebhookConfiguration", REFUSE):
        begin(world)
        assert WHY in refused(world)
    status = pass_(world)
    assert status.reason is Reason.RUN_BLOCKED
    assert "AdmissionDenied: " in status.message
    assert WHY in status.message


def test_a_dump_pod_is_let_in_where_pods_are_restricted(world: World) -> None:
    restrict(world)
    begin(world)
    one_pod(world)
    assert pass_(world).reason is Reason.ANNOTATED


def test_an_injector_that_heeds_annotations_leaves_dump_pods_alone(
    world: World, client: Json
) -> None:
    with asked(world, client, "MutatingWebhookConfiguration", INJECT):
        begin(world)
        pod = one_pod(world)
    assert [item["name"] for item in pod["spec"]["containers"]] == [names.CONTAINER]


def test_a_dump_whose_injected_proxy_stays_is_recorded_and_its_pod_is_told_of(
    world: World, client: Json
) -> None:
    with asked(world, client, "MutatingWebhookConfiguration", INSIST):
        begin(world)
        pod = one_pod(world)
    assert [item["name"] for item in pod["spec"]["containers"]] == [names.CONTAINER, PROXY]
    said = {"version": 1, "succeeded": True, "exit_code": 0, "reason": "Succeeded"}
    said |= {"message": "fine", "stored_bytes": 42}
    ended = {"exitCode": 0, "message": json.dumps(said), "finishedAt": "2026-01-01T03:00:08Z"}
    box = {"image": "x", "imageID": "x", "ready": False, "restartCount": 0}
    states: list[Json] = [{"terminated": ended}, {"running": {"startedAt": "2026-01-01T03:00:00Z"}}]
    statuses = [
        box | {"name": name, "state": state}
        for name, state in zip((names.CONTAINER, PROXY), states, strict=True)
    ]
    world.api.set_status(pod, {"phase": "Running", "containerStatuses": statuses})
    status = pass_(world)
    (cronjob,) = world.cronjobs().values()
    record = json.loads(cronjob["metadata"]["annotations"][names.LAST_RESULT])
    assert (record["succeeded"], record["stored_bytes"]) == (True, 42)
    assert status.reason is Reason.RUN_BLOCKED
    assert f"PodStillRunning: the dump has ended, but its pod is kept running by: {PROXY}" in (
        status.message
    )
