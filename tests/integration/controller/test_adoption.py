"""What ksnapshot 0.6.0 made is taken over as it stands (contract section 9, adoption)."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model import names
from dumpers.contract.storages import variables as storage_variables
from tests.integration.controller import legacy
from tests.integration.controller.world import (
    PASSWORD,
    World,
    build,
    database,
    finish,
    reference,
    running_job,
)
from tests.testbed.cluster.apiserver import ApiServer

NOW = datetime(2026, 1, 3, tzinfo=UTC)
Json = dict[str, Any]


@pytest.fixture
def world(apiserver: ApiServer) -> World:
    world = build(apiserver, BACKUP_SECRET_NAME="ksnapshot-secret")
    database(world.api, world.watched[0])
    return world


def environment(cronjob: Json) -> list[Json]:
    pod = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    env: list[Json] = pod["containers"][0]["env"]
    return env


def test_what_0_6_0_made_is_taken_over_in_place_once(world: World) -> None:
    key = f"{world.watched[0]}/db"
    name = names.cronjob_name("postgresql", key)
    given = legacy.cronjob(world.settings, key)
    # What its user changed since.
    given["spec"]["suspend"] = True
    given["metadata"]["labels"] = given["metadata"]["labels"] | {"team": "shop"}
    given["metadata"]["annotations"]["note"] = "theirs"
    cronjob = world.api.create(given)
    secret = world.api.create(legacy.secret(world.settings, key))
    world.api.create(legacy.secret(world.settings, key, of="0.5"))
    # It ended two days ago: 0.6.0 itself would delete it now.
    job = running_job(world, cronjob)
    finish(world, job)

    mark = world.server.audit_mark()
    result = run(world.kube(), world.settings, PassState(), now=NOW)
    assert result.succeeded, result.failures
    credentials = names.secret_name(name)
    assert world.writes(mark) == [
        ("update", "cronjobs", name),
        ("update", "secrets", credentials),
        ("delete", "secrets", name),
    ]
    cronjobs, secrets = world.cronjobs(), world.secrets()
    assert cronjobs.keys() == {name}
    assert secrets.keys() == {credentials}
    taken, mirrored = cronjobs[name], secrets[credentials]
    assert taken["metadata"]["uid"] == cronjob["metadata"]["uid"]
    assert mirrored["metadata"]["uid"] == secret["metadata"]["uid"]

    assert taken["spec"]["suspend"] is True
    assert taken["spec"]["schedule"] == "0 3 * * *"
    assert taken["metadata"]["labels"] == given["metadata"]["labels"]
    assert taken["metadata"]["annotations"].items() >= given["metadata"]["annotations"].items()
    job_spec = taken["spec"]["jobTemplate"]["spec"]
    limits = (taken["spec"]["successfulJobsHistoryLimit"], job_spec["backoffLimit"])
    assert limits == (3, 2)
    wanted = [item for item in environment(given) if not item["name"].startswith("ENCRYPTION_")]
    assert len(wanted) == len(environment(given)) - 2
    assert environment(taken)[: len(wanted)] == wanted
    ours = {item["name"] for item in environment(taken)[len(wanted) :]}
    options = {name for name in ours if name.startswith(("BACKEND_S3_", "KSNAPSHOT_"))}
    assert ours == options | set(storage_variables.PROXIES)

    (owner,) = mirrored["metadata"]["ownerReferences"]
    assert owner == {key: reference(taken)[key] for key in ("apiVersion", "kind", "name", "uid")}
    password = base64.b64decode(mirrored["data"]["POSTGRESQL_PASSWORD"]).decode()
    assert password == PASSWORD
    assert world.api.get("batch/v1", "Job", world.control, job["metadata"]["name"])

    mark = world.server.audit_mark()
    assert run(world.kube(), world.settings, PassState(), now=NOW).succeeded
    assert world.writes(mark) == []
