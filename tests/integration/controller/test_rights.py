"""Every verb of the chart's Roles is needed, and all that is needed is there."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model import names
from controller.plan.changes import PassResult
from tests.integration.chart.rights import (
    ALL,
    ALL_BY_NAME,
    CLUSTER,
    CONTROL,
    CONTROL_BY_NAME,
    WATCHED,
    WATCHED_BY_NAME,
)
from tests.integration.controller import legacy
from tests.integration.controller.rights import Right
from tests.integration.controller.world import (
    World,
    annotations,
    build,
    database,
    dump_pod,
    fail,
    finish,
    running_job,
    warn,
)
from tests.testbed.cluster.apiserver import ApiServer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = {"db": "StatefulSet", "web": "Deployment", "bare": "ReplicaSet"}
RIGHTS = [
    Right(role=role, resource=resource, action=verb)
    for role, given in (
        ("control", CONTROL),
        ("control", CONTROL_BY_NAME),
        ("watched", WATCHED),
        ("watched", WATCHED_BY_NAME),
        ("cluster", CLUSTER),
        ("all", ALL),
        ("all", ALL_BY_NAME),
    )
    for resource, verbs in given.items()
    for verb in sorted(verbs)
]


def made(server: ApiServer, without: Right | None = None, *, watches_all: bool) -> World:
    """Two namespaces, the second of which will be deleted."""
    return build(
        server,
        2,
        without=without,
        watches_all=watches_all,
        GONE_PASSES="1",
        GONE_GRACE_SECONDS="60",
        UNWATCHED_POLICY="delete",
    )


@pytest.mark.parametrize("watches_all", [False, True], ids=["named", "all"])
def test_with_the_charts_rights_everything_works_and_nothing_is_forbidden(
    apiserver: ApiServer, *, watches_all: bool
) -> None:
    world = made(apiserver, watches_all=watches_all)
    mark = apiserver.audit_mark()
    assert next(missing(world), None) is None
    asked = apiserver.audit_events(mark, user=world.user)
    assert asked
    # In the deleted namespace there are no rights any more.
    assert not [item for item in asked if item.code == 403 and item.namespace != world.watched[1]]


@pytest.mark.parametrize("right", RIGHTS, ids=str)
def test_without_one_right_something_does_not_work(apiserver: ApiServer, right: Right) -> None:
    assert next(missing(made(apiserver, right, watches_all=right.role == "all")), None)


def missing(world: World) -> Iterator[str]:
    """What does not work of all that the controller has to do, from the first backup to the last.

    A generator, as the first thing is enough.
    """
    kube, memory = world.kube(), PassState()

    def pass_(seconds: int, memory: PassState = memory) -> PassResult:
        return run(kube, world.settings, memory, now=NOW + timedelta(seconds=seconds))

    shop, other = world.watched
    for name, kind in KINDS.items():
        database(world.api, shop, name, kind=kind, config_map=name == "db")
    database(world.api, other)
    keys = [*(f"{shop}/{name}" for name in KINDS), f"{other}/db"]
    db, web, *_, last = cronjobs = [names.cronjob_name("postgresql", key) for key in keys]
    world.api.create(legacy.secret(world.settings, keys[0], of="0.5"))
    yield from pass_(0).failures
    yield from differs("created", world.cronjobs().keys(), set(cronjobs))
    yield from differs("mirrored", world.secrets().keys(), set(map(names.secret_name, cronjobs)))
    yield from differs("boards", {row["workload"] for row in shown(world)}, set(keys))
    cluster = world.cronjobs()[db]["metadata"]["annotations"][names.CLUSTER]
    yield from differs("cluster", cluster, world.cluster())

    before = versions(world)
    yield from pass_(10, PassState()).failures
    yield from differs("steady", versions(world), before)

    change(world, last)
    yield from pass_(20).failures
    password = world.secrets()[names.secret_name(db)]["data"]["POSTGRESQL_PASSWORD"]
    yield from differs("rotated", password, "bmV3")
    yield from differs("schedule", world.cronjobs()[web]["spec"]["schedule"], "@daily")
    now = [job for job in jobs(world) if job["metadata"]["name"].startswith("ksnapshot-backup-")]
    yield from differs("run now", len(now), 1)
    for job in now:
        fail(world, job, "DeadlineExceeded")
    yield from differs("waiting", [job for job in jobs(world) if job["spec"].get("suspend")], [])
    # It would keep its CronJob.
    world.api.delete(named("batch/v1", "Job", world.control, "run-3"))
    yield from differs("result", last_result(world, last).get("stored_bytes"), 42)
    yield from differs("reason", last_result(world, db).get("reason"), "QuotaExceeded")
    told = world.api.list("v1", "Event", shop)
    events = {(item["involvedObject"]["name"], item["reason"]) for item in told}
    yield from differs("event", events & {("db", "BackupFailed")}, {("db", "BackupFailed")})
    labels = world.secrets()[names.secret_name(last)]["metadata"].get("labels", {})
    yield from differs("labels", labels, {names.MANAGED_BY_LABEL: names.MANAGED_BY})
    yield from differs("status", [row["state"] for row in world.rows()], ["replaced"])
    schedules = {row["workload"]: row["schedule"] for row in shown(world)}
    yield from differs("board", schedules[keys[1]], "@daily")
    yield from pass_(90).failures
    yield from differs("status", world.rows(), [])
    yield from differs("replaced", world.cronjobs().keys(), set(cronjobs))

    remove(world)
    for seconds in (100, 170):
        yield from (item for item in pass_(seconds).failures if other not in item)
    yield from differs("deleted", world.cronjobs().keys(), set())
    board = named("v1", "ConfigMap", shop, "ksnapshot-status")
    world.api.patch(board, {"data": {"workloads.json": '{"workloads": [{"workload": "old"}]}'}})
    yield from (item for item in pass_(180, PassState()).failures if other not in item)
    yield from differs("stale board", world.rows(shop), [])


def differs(what: str, found: Any, expected: Any) -> Iterator[str]:
    if found != expected:
        yield f"{what}: {found}, not {expected}"


def last_result(world: World, cronjob: str) -> dict[str, Any]:
    annotations = world.cronjobs()[cronjob]["metadata"]["annotations"]
    found: dict[str, Any] = json.loads(annotations.get(names.LAST_RESULT, "{}"))
    return found


def jobs(world: World) -> list[dict[str, Any]]:
    whole = {"apiVersion": "batch/v1", "kind": "Job"}
    return [whole | job for job in world.api.list("batch/v1", "Job", world.control)]


def shown(world: World) -> list[dict[str, Any]]:
    return [row for namespace in world.watched for row in world.rows(namespace)]


def versions(world: World) -> dict[str, str]:
    found = world.cronjobs() | world.secrets()
    return {name: item["metadata"]["resourceVersion"] for name, item in found.items()}


def change(world: World, dumped: str) -> None:
    """What others do to workloads and to what was made for them, and a dump that has ended."""
    api, shop = world.api, world.watched[0]
    secret = named("v1", "Secret", shop, "db")
    api.patch(secret, {"stringData": {"password": "new"}})
    restarted = {"metadata": {"annotations": {"restarted": "yes"}}}
    api.patch(named("v1", "Pod", shop, "db-0"), restarted)
    says = {"metadata": {"annotations": annotations(schedule="@daily")}}
    api.patch(named("apps/v1", "Deployment", shop, "web"), {"spec": {"template": says}})
    api.patch(named("v1", "Pod", shop, "web-0"), says)
    asked = {"metadata": {"annotations": {f"{names.PREFIX}backup-now": "again"}}}
    api.patch(named("apps/v1", "Deployment", shop, "web"), asked)
    job = running_job(world, world.cronjobs()[dumped])
    dump_pod(world, job)
    finish(world, job)
    waits = {"annotations": {names.AWAITS_RELEASE: "true"}}
    waiting = running_job(world, world.cronjobs()[dumped], "run-3")
    api.patch(waiting, {"metadata": waits, "spec": {"suspend": True}})
    refused = running_job(
        world, world.cronjobs()[names.cronjob_name("postgresql", f"{shop}/db")], "run-2"
    )
    warn(world, refused, "FailedCreate", "exceeded quota: compute")
    fail(world, refused, "DeadlineExceeded")
    api.create(legacy.cronjob(world.settings, f"{shop}/db", "mysql"))
    api.create(legacy.secret(world.settings, f"{shop}/db", "mysql"))
    mirrored = named("v1", "Secret", world.control, names.secret_name(dumped))
    api.patch(mirrored, {"metadata": {"labels": {names.MANAGED_BY_LABEL: None}}})


def remove(world: World) -> None:
    """The workloads of the first namespace, and the second one as a whole."""
    shop, other = world.watched
    for name, kind in KINDS.items():
        world.api.delete(named("apps/v1", kind, shop, name))
        world.api.delete(named("v1", "Pod", shop, f"{name}-0"))
    world.api.delete(named("apps/v1", "ReplicaSet", shop, "web-1"))
    world.delete_namespace(other)


def named(version: str, kind: str, namespace: str, name: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": meta}
