"""The CronJob that drills, and what marks it, on the real API server."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model import names
from controller.model.status import Reason, State
from tests.integration.controller.world import (
    World,
    annotations,
    build,
    database,
    finish,
    running_job,
)
from tests.testbed.cluster.apiserver import ApiServer

Json = dict[str, Any]
ASKED = {"drill_schedule": "0 5 * * 6", "verify_schedule": "0 6 * * 0"}
DAY = "2026-01-01T03:00:08Z"


@pytest.fixture
def world(apiserver: ApiServer) -> World:
    world = build(
        apiserver,
        BACKUP_MAX_CONCURRENT="1",
        IDENTITY_SECRET="identity",
        DRILL_VOLUME='{"limit": "8Gi", "storageClassName": "fast"}',
        DRILL_RESOURCES='{"limits": {"memory": "1024Mi"}}',
        DRILL_IMAGE_PULL_SECRETS='[{"name": "registry"}]',
    )
    ask_for_both(world)
    assert pass_(world) == [(State.WANTED, Reason.ANNOTATED)]
    return world


def ask_for_both(world: World) -> None:
    """A database that asks for all of ASKED."""
    drill, verify = ASKED["drill_schedule"], ASKED["verify_schedule"]
    database(world.api, world.watched[0], drill_schedule=drill, verify_schedule=verify)


def pass_(world: World, minutes: int = 0) -> list[tuple[str, str]]:
    now = datetime.now(UTC) + timedelta(minutes=minutes)
    result = run(world.kube(), world.settings, PassState(), now=now)
    assert result.succeeded, result.failures
    return [(item.status.state, item.status.reason) for item in result.results]


def name(world: World) -> str:
    return names.cronjob_name("postgresql", f"{world.watched[0]}/db")


def cronjobs(world: World) -> dict[str, Json | None]:
    """The workload's CronJobs by what they do."""
    found, dump = world.cronjobs(), name(world)
    verify, drill = names.reader_names(dump)
    return {"dump": found.get(dump), "verify": found.get(verify), "drill": found.get(drill)}


def patch(world: World, of: str, change: Json) -> None:
    meta = {"name": of, "namespace": world.control}
    world.api.patch({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta}, change)


def ask(world: World, **asked: str) -> None:
    """Say something else in the annotations of the owner's template and of its pod."""
    gone = {names.PREFIX + key.replace("_", "-"): None for key in ASKED}
    values = {"metadata": {"annotations": {**gone, **annotations(**asked)}}}
    meta = {"name": "db", "namespace": world.watched[0]}
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta}
    world.api.patch(owner, {"spec": {"template": values}})
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {**meta, "name": "db-0"}}
    world.api.patch(pod, values)


@pytest.mark.parametrize("size", [0, 1 << 30, 5 << 30])
def test_a_steady_pass_writes_nothing(world: World, size: int) -> None:
    if size:
        told = {"finished": DAY, "succeeded": True, "source_bytes": size}
        annotated = {names.LAST_SUCCESS: json.dumps(told)}
        patch(world, name(world), {"metadata": {"annotations": annotated}})
        pass_(world)
    found = cronjobs(world)["drill"]
    assert found
    pod = found["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (volume,) = (item for item in pod["volumes"] if item["name"] == "drill")
    assert ("ephemeral" in volume) == (size > 1 << 30)
    assert pod["initContainers"][0]["image"] == "docker.io/library/postgres:latest"
    mark = world.server.audit_mark()
    assert pass_(world) == [(State.WANTED, Reason.ANNOTATED)]
    assert world.writes(mark) == []


def test_a_rollback_to_0_6_0_finds_none_of_what_reads_backups(world: World) -> None:
    verify, drill = names.reader_names(name(world))
    listed = world.api.list("batch/v1", "CronJob", world.control)
    managed = {
        item["metadata"]["name"]
        for item in listed
        if item["metadata"]["labels"].get(names.MANAGED_BY_LABEL) == names.MANAGED_BY
    }
    assert managed == {name(world)}
    # An earlier release of ours gave them that label, which goes; a lost one of theirs comes back.
    patch(world, verify, {"metadata": {"labels": {names.MANAGED_BY_LABEL: names.MANAGED_BY}}})
    patch(world, drill, {"metadata": {"labels": {names.COMPONENT_LABEL: None}}})
    mark = world.server.audit_mark()
    pass_(world)
    assert sorted(item for _, _, item in world.writes(mark)) == sorted([verify, drill])
    for of, component in ((verify, names.VERIFY), (drill, names.DRILL)):
        assert world.cronjobs()[of]["metadata"]["labels"] == {
            names.PART_OF_LABEL: names.PART_OF,
            names.COMPONENT_LABEL: component,
        }
    mark = world.server.audit_mark()
    pass_(world)
    assert world.writes(mark) == []


def test_a_foreign_cronjob_of_the_name_is_left_alone_and_the_dumps_go_on(
    apiserver: ApiServer,
) -> None:
    world = build(apiserver)
    _, drill = names.reader_names(name(world))
    pod = {"containers": [{"name": "x", "image": "x"}], "restartPolicy": "Never"}
    labels = {names.PART_OF_LABEL: names.PART_OF, names.COMPONENT_LABEL: names.DRILL}
    foreign = world.api.create(
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": drill, "namespace": world.control, "labels": labels},
            "spec": {
                "schedule": "0 0 1 1 *",
                "jobTemplate": {"spec": {"template": {"spec": pod}}},
            },
        }
    )
    ask_for_both(world)
    assert pass_(world) == [(State.WANTED, Reason.NAME_TAKEN)]
    found = cronjobs(world)
    assert found["dump"]
    assert found["verify"]
    mark = world.server.audit_mark()
    assert pass_(world) == [(State.WANTED, Reason.NAME_TAKEN)]
    ask(world)
    assert pass_(world) == [(State.WANTED, Reason.ANNOTATED)]
    assert drill not in [item for _, _, item in world.writes(mark)]
    left = cronjobs(world)["drill"]
    assert left
    assert left["metadata"]["resourceVersion"] == foreign["metadata"]["resourceVersion"]


def test_one_that_is_wanted_no_more_is_suspended_until_its_job_has_ended(world: World) -> None:
    drill = cronjobs(world)["drill"]
    assert drill
    job = running_job(world, drill, "drill-1")
    ask(world)
    pass_(world)
    drill = cronjobs(world)["drill"]
    assert drill
    assert drill["spec"]["suspend"] is True
    assert cronjobs(world)["verify"] is None
    mark = world.server.audit_mark()
    pass_(world)
    assert world.writes(mark) == []
    # Asked for again meanwhile, it goes on.
    ask(world, drill_schedule=ASKED["drill_schedule"])
    pass_(world)
    drill = cronjobs(world)["drill"]
    assert drill
    assert not drill["spec"].get("suspend")
    ask(world)
    pass_(world)
    finish(world, job)
    pass_(world)
    assert cronjobs(world)["drill"] is None


def test_a_workload_that_is_gone_ends_with_its_drill(apiserver: ApiServer) -> None:
    world = build(apiserver, GONE_PASSES="1", GONE_GRACE_SECONDS="0")
    ask_for_both(world)
    pass_(world)
    drill = cronjobs(world)["drill"]
    assert drill
    job = running_job(world, drill, "drill-1")
    for kind, version, item in (("StatefulSet", "apps/v1", "db"), ("Pod", "v1", "db-0")):
        meta = {"name": item, "namespace": world.watched[0]}
        world.api.delete({"apiVersion": version, "kind": kind, "metadata": meta})
    pass_(world)
    found = cronjobs(world)
    assert found["dump"]
    assert found["drill"]
    assert found["drill"]["spec"]["suspend"] is True
    finish(world, job)
    pass_(world)
    assert cronjobs(world)["dump"] is None
