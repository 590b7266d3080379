"""What people and the command see of workloads, on a real API server, under the chart's rights."""

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest

from controller.kube.client import CONFIG_MAPS
from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model import names
from controller.plan.changes import PassResult
from controller.report.status_document import MAX_BYTES, status_data
from tests.integration.controller.world import (
    World,
    build,
    database,
    dump_pod,
    fail,
    finish,
    running_job,
)
from tests.testbed.cluster.apiserver import ApiServer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAME = "ksnapshot-status"


def pass_(world: World, memory: PassState | None = None, minutes: int = 0) -> PassResult:
    now = NOW + timedelta(minutes=minutes)
    return run(world.kube(), world.settings, memory or PassState(), now=now)


def test_a_rejected_workload_is_shown_until_one_pass_after_it_was_mended(
    apiserver: ApiServer,
) -> None:
    world = build(apiserver)
    (shop,) = world.watched
    database(world.api, shop)
    database(world.api, shop, "broken", schedule="every day")
    memory = PassState()
    assert pass_(world, memory).succeeded
    (row,) = world.rows()
    assert (row["workload"], row["kind"], row["cronjob"]) == (f"{shop}/broken", "StatefulSet", "")
    assert (row["state"], row["reason"]) == ("unknown", "ScheduleInvalid")
    assert "schedule is 'every day'" in row["message"]
    assert row["since"] == "2026-01-01T00:00:00Z"
    states = {item["workload"]: item["state"] for item in world.rows(shop)}
    assert states == {f"{shop}/broken": "unknown", f"{shop}/db": "wanted"}

    mark = apiserver.audit_mark()
    for minutes in (1, 2, 3):
        pass_(world, memory, minutes)
    assert not [
        event for event in apiserver.audit_events(mark, user=world.user) if event.name == NAME
    ]
    pass_(world, minutes=4)
    assert world.shown(mark) == [], "also after a restart"
    assert world.rows() == [row]

    pod = world.api.get("v1", "Pod", shop, "broken-0")
    assert pod
    mended = {f"{names.PREFIX}schedule": "@daily"}
    world.api.patch(pod, {"metadata": {"annotations": mended}})
    mark = apiserver.audit_mark()
    pass_(world, memory, 5)
    assert world.rows() == []
    assert {item["state"] for item in world.rows(shop)} == {"wanted"}
    assert sorted(world.shown(mark)) == sorted([("update", world.control), ("update", shop)])
    for place in (world.control, shop):
        found = world.api.get("v1", "ConfigMap", place, NAME)
        assert found
        assert names.MANAGED_BY_LABEL not in found["metadata"]["labels"]
        assert found["metadata"]["annotations"][names.INSTANCE] == world.settings.instance


def test_a_namespace_that_forbids_its_board_keeps_nothing_else_from_anything(
    apiserver: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    world = build(apiserver, namespaces=2)
    dark, shop = world.watched
    for namespace in world.watched:
        database(world.api, namespace)
    role = world.api.get("rbac.authorization.k8s.io/v1", "Role", dark, "ksnapshot-watch")
    assert role
    reads = [rule for rule in role["rules"] if not {"create", "update"} & set(rule["verbs"])]
    world.api.patch(role, {"rules": reads})
    memory = PassState()
    for minutes in range(3):
        assert pass_(world, memory, minutes).succeeded
    assert len(world.cronjobs()) == 2
    assert (world.rows(dark), len(world.rows(shop)), world.rows()) == ([], 1, [])
    told = [item for item in caplog.records if item.getMessage() == "status not written"]
    assert [item.levelno for item in told] == [logging.WARNING]
    world.api.patch(role, {"rules": role["rules"]})
    for minutes in range(3, 20):
        pass_(world, memory, minutes)
        if world.rows(dark):
            break
    assert world.rows(dark)[0]["since"] == "2026-01-01T00:00:00Z"


def test_runs_reach_the_history_and_the_board_in_one_write_each(apiserver: ApiServer) -> None:
    world = build(apiserver)
    (shop,) = world.watched
    database(world.api, shop)
    memory = PassState()
    pass_(world, memory)
    cronjob = names.cronjob_name("postgresql", f"{shop}/db")
    first, second = (
        running_job(world, world.cronjobs()[cronjob], name) for name in ("run-1", "run-2")
    )
    dump_pod(world, first)
    finish(world, first)
    fail(world, second, "DeadlineExceeded", "2026-01-01T07:00:00Z")
    mark = apiserver.audit_mark()
    pass_(world, memory, 1)
    pass_(world, memory, 2)
    pass_(world, minutes=3)
    assert world.writes(mark) == [("update", "cronjobs", cronjob)]
    assert world.shown(mark) == [("update", shop)]
    history = json.loads(world.cronjobs()[cronjob]["metadata"]["annotations"][names.HISTORY])
    assert [(item["finished"], item["outcome"], item["bytes"]) for item in history] == [
        ("2026-01-01T07:00:00Z", "failed", 0),
        ("2026-01-01T03:00:09Z", "succeeded", 42),
    ]
    (row,) = world.rows(shop)
    assert row["last_result"]["reason"] == "DeadlineExceeded"
    assert row["last_success"] == "2026-01-01T03:00:09Z"
    assert row["restore_points"] == [{"finished": "2026-01-01T03:00:09Z", "backup": "", "bytes": 42, "notes": []}]


def test_the_api_server_takes_the_largest_document(apiserver: ApiServer) -> None:
    world = build(apiserver)
    (shop,) = world.watched
    # Quotes and letters of several bytes are longer on their way than in the document.
    row = dict.fromkeys(("kind", "type", "cronjob", "state", "reason", "since"), '"ü\\' * 20)
    rows = {
        (f"{shop}/{number}", "", ""): row | {"workload": f"{shop}/{number}", "message": '"' * 200}
        for number in range(9000)
    }
    data = status_data(rows, "2026-01-01T00:00:00Z")
    assert sum(len(text.encode()) for text in data.values()) > 0.95 * MAX_BYTES
    meta = {"name": NAME, "namespace": world.control}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
    made = world.kube().create(CONFIG_MAPS, world.control, body)
    assert world.kube().replace(CONFIG_MAPS, world.control, made)["data"] == data
