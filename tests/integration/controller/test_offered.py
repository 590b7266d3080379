"""What an admin offers and limits by chart values, as it shows in objects on a real API server."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model import names
from tests.fakes.recipients import RECIPIENTS
from tests.integration.controller.charted import charted, container_of
from tests.integration.controller.world import World, database
from tests.testbed.cluster.apiserver import ApiServer

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def verdicts(world: World) -> dict[str, tuple[str, str]]:
    """State and reason of each workload after a pass, by its name, as its board says."""
    assert run(world.kube(), world.settings, PassState(), now=NOW).succeeded
    rows = world.rows(world.watched[0])
    return {row["workload"].partition("/")[2]: (row["state"], row["reason"]) for row in rows}


def cronjob(world: World, name: str = "db") -> dict[str, Any]:
    return world.cronjobs()[names.cronjob_name("postgresql", f"{world.watched[0]}/{name}")]


def plain(container: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["value"] for item in container["env"] if "value" in item}


def test_whatever_a_class_holds_is_on_the_cronjobs(apiserver: ApiServer, tmp_path: Path) -> None:
    held = {
        "schedule": "H 4 * * *",
        "timezone": "Europe/Paris",
        "retention": "keep-daily=14",
        "encryption-enabled": "true",
        "encryption-recipient": RECIPIENTS[0],
        "compression": "zstd",
        "verify": "read-back",
        "accept": "standby",
        "storage": "offsite",
        "verify-schedule": "0 6 * * 0",
        "verify-sample": "1/7",
        "drill-schedule": "0 5 * * 6",
        "deadline-seconds": "3600",
        "retries": "5",
        "log-level": "debug",
        "resources": {"limits": {"memory": "1Gi"}},
    }
    values = {
        "s3": {"bucket": "near"},
        "identitySecret": "identity",
        "drill": {"images": {"postgresql": "registry.example/postgres:17"}},
        "storages": {"offsite": {"bucket": "far"}},
        "classes": {"gold": held | {"defaultFor": {"namespaces": ["shop*"]}}},
        "classRequired": True,
    }
    world, _ = charted(apiserver, tmp_path, values)
    database(world.api, world.watched[0], schedule="")
    assert verdicts(world) == {"db": ("wanted", "Annotated")}

    made = cronjob(world)
    spec, job = made["spec"], made["spec"]["jobTemplate"]["spec"]
    minute, *rest = spec["schedule"].split()
    assert (minute.isdigit(), rest) == (True, ["4", "*", "*", "*"])
    assert spec["timeZone"] == "Europe/Paris"
    assert (job["activeDeadlineSeconds"], job["backoffLimit"]) == (3600, 5)
    container = container_of(made)
    assert container["resources"] == {"limits": {"memory": "1Gi"}}
    env = plain(container)
    told = {
        "KSNAPSHOT_RETENTION": "keep-daily=14",
        "ENCRYPTION_ENABLED": "true",
        "ENCRYPTION_RECIPIENT": RECIPIENTS[0],
        "KSNAPSHOT_COMPRESSION": "zstd",
        "KSNAPSHOT_VERIFY": "read-back",
        "KSNAPSHOT_ACCEPT": "standby",
        "KSNAPSHOT_STORAGES": "offsite",
        "BACKEND_BUCKET": "far",
        "KSNAPSHOT_LOG_LEVEL": "debug",
    }
    assert told.items() <= env.items()
    assert made["metadata"]["annotations"][f"{names.PREFIX}class"] == "gold"
    verify, drill = (
        world.cronjobs()[name] for name in names.reader_names(made["metadata"]["name"])
    )
    assert (verify["spec"]["schedule"], drill["spec"]["schedule"]) == ("0 6 * * 0", "0 5 * * 6")
    assert plain(container_of(verify))["KSNAPSHOT_VERIFY_SAMPLE"] == "1/7"


def test_who_has_no_class_and_whom_a_class_is_not_for(apiserver: ApiServer, tmp_path: Path) -> None:
    classes = {
        "gold": {"schedule": "@daily", "defaultFor": {"labels": {"tier": "gold"}}},
        "lab": {"schedule": "@daily", "namespaces": ["lab-*"]},
    }
    world, _ = charted(apiserver, tmp_path, {"classes": classes, "classRequired": True})
    (shop,) = world.watched
    database(world.api, shop, "by-label", schedule="", labels={"tier": "gold"})
    database(world.api, shop, "without")
    named: dict[str, Any] = {"schedule": "", "class": "lab"}
    database(world.api, shop, "stranger", **named)
    assert verdicts(world) == {
        "by-label": ("wanted", "Annotated"),
        "without": ("unknown", "ClassMissing"),
        "stranger": ("unknown", "ClassInvalid"),
    }
    assert len(world.cronjobs()) == 1


def test_storages_that_are_not_for_a_workload(apiserver: ApiServer, tmp_path: Path) -> None:
    storages = {
        "main": {"namespaces": ["lab-*"]},
        "offsite": {"bucket": "far", "namespaces": ["shop*"]},
        "others": {"bucket": "theirs", "namespaces": ["lab-*"]},
        "retired": {"bucket": "former", "namespaces": []},
        "archive": {"bucket": "old", "accessMode": "ReadOnly"},
    }
    world, _ = charted(apiserver, tmp_path, {"s3": {"bucket": "near"}, "storages": storages})
    asked = ("main", "offsite", "others", "retired", "archive")
    for name in asked:
        database(world.api, world.watched[0], name, storage=name)
    assert verdicts(world) == {
        "main": ("unknown", "StorageNotAllowed"),
        "offsite": ("wanted", "Annotated"),
        "others": ("unknown", "StorageNotAllowed"),
        "retired": ("unknown", "StorageNotAllowed"),
        "archive": ("unknown", "StorageReadOnly"),
    }
    assert plain(container_of(cronjob(world, "offsite")))["BACKEND_BUCKET"] == "far"
    assert len(world.cronjobs()) == 1


def test_limits_of_a_namespace(apiserver: ApiServer, tmp_path: Path) -> None:
    limits = {"workloadsPerNamespace": 2, "minIntervalSeconds": 3600}
    world, _ = charted(apiserver, tmp_path, {"limits": limits})
    (shop,) = world.watched
    database(world.api, shop, "second")
    assert verdicts(world)["second"] == ("wanted", "Annotated")
    for name in ("first", "third"):
        database(world.api, shop, name)
    # One that has a CronJob keeps its place; the others come by name.
    assert verdicts(world) == {
        "first": ("wanted", "Annotated"),
        "second": ("wanted", "Annotated"),
        "third": ("unknown", "TooManyWorkloads"),
    }
    kept = cronjob(world, "first")
    pod = world.api.get("v1", "Pod", shop, "first-0")
    assert pod
    often = {"metadata": {"annotations": {f"{names.PREFIX}schedule": "*/5 * * * *"}}}
    world.api.patch(pod, often)
    assert verdicts(world)["first"] == ("unknown", "ScheduleTooOften")
    assert cronjob(world, "first") == kept
    assert len(world.cronjobs()) == 2


def test_hosts_that_are_allowed(apiserver: ApiServer, tmp_path: Path) -> None:
    allowed = ["*.shop.example", "10.20.0.0/16"]
    world, _ = charted(apiserver, tmp_path, {"hosts": {"allowed": allowed}})
    hosts = {
        "named": "db.shop.example",
        "numbered": "10.20.3.4",
        "elsewhere": "db.other.example",
        "near": "10.21.0.1",
        "itself": "127.0.0.1",
    }
    for name, host in hosts.items():
        database(world.api, world.watched[0], name, host=host)
    found = verdicts(world)
    assert {name for name, verdict in found.items() if verdict[0] == "wanted"} == {
        "named",
        "numbered",
    }
    refused = {found[name] for name in ("elsewhere", "near", "itself")}
    assert refused == {("unknown", "HostNotAllowed")}
    for name in ("named", "numbered"):
        env = plain(container_of(cronjob(world, name)))
        assert env["POSTGRESQL_HOST"] == hosts[name], json.dumps(env)
    assert len(world.cronjobs()) == 2
