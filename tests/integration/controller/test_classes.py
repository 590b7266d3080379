"""Classes on a real API server: what a workload gets by one, and what it may not say then."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model import names
from controller.plan.changes import PassResult
from tests.integration.controller.world import World, build, database
from tests.testbed.cluster.apiserver import ApiServer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CLASSES = {
    "gold": {
        "schedule": "0 4 * * *",
        "timezone": "Europe/Paris",
        "retention": "keep-daily=14",
        "resources": {"limits": {"memory": "1Gi"}},
        "retries": 0,
        "allow": ["timezone"],
        "defaultFor": {"labels": {"tier": "gold"}},
    },
    "lab": {"schedule": "@daily", "namespaces": ["lab-*"]},
}


def pass_(world: World, memory: PassState, minutes: int) -> PassResult:
    return run(world.kube(), world.settings, memory, now=NOW + timedelta(minutes=minutes))


def test_a_class_says_what_a_workload_does_not_and_refuses_what_it_may_not(
    apiserver: ApiServer,
) -> None:
    world, memory = build(apiserver, CLASSES=json.dumps(CLASSES)), PassState()
    (shop,) = world.watched
    database(world.api, shop, schedule="", labels={"tier": "gold"})
    named: dict[str, Any] = {"schedule": "", "class": "gold", "timezone": "Etc/UTC"}
    database(world.api, shop, "named", **named)
    database(world.api, shop, "stranger", **(named | {"class": "lab"}))
    assert pass_(world, memory, 0).succeeded
    rows = {row["workload"].partition("/")[2]: row for row in world.rows(shop)}
    assert {name: (row["state"], row["reason"]) for name, row in rows.items()} == {
        "db": ("wanted", "Annotated"),
        "named": ("wanted", "Annotated"),
        "stranger": ("unknown", "ClassInvalid"),
    }
    assert [rows[name].get("class") for name in ("db", "named", "stranger")] == [
        *("gold", "gold", None)
    ]
    assert (
        f"'lab': that class is not for namespace {shop}, which may use gold"
        in (rows["stranger"]["message"])
    )
    cronjob = world.cronjobs()[names.cronjob_name("postgresql", f"{shop}/db")]
    spec = cronjob["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("0 4 * * *", "Europe/Paris")
    assert spec["jobTemplate"]["spec"]["backoffLimit"] == 0
    (container,) = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"limits": {"memory": "1Gi"}}
    assert {"name": "KSNAPSHOT_RETENTION", "value": "keep-daily=14"} in container["env"]
    other = world.cronjobs()[names.cronjob_name("postgresql", f"{shop}/named")]
    assert (other["spec"]["schedule"], other["spec"]["timeZone"]) == ("0 4 * * *", "Etc/UTC")

    mark = apiserver.audit_mark()
    pass_(world, memory, 1)
    assert world.writes(mark) == []

    pod = world.api.get("v1", "Pod", shop, "db-0")
    assert pod
    own = {f"{names.PREFIX}retention": "keep-last=1"}
    world.api.patch(pod, {"metadata": {"annotations": own}})
    pass_(world, memory, 2)
    (row,) = (row for row in world.rows(shop) if row["workload"] == f"{shop}/db")
    assert (row["state"], row["reason"]) == ("unknown", "NotAllowedByClass")
    assert f"{names.PREFIX}retention, which is 'keep-last=1'" in row["message"]
    assert world.writes(mark) == []
    assert world.cronjobs()[cronjob["metadata"]["name"]] == cronjob
