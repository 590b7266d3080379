"""Whole passes on a real API server, under the chart's rights and not as admin."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model import names
from controller.model.status import Reason, State
from controller.plan.changes import PassResult
from dumpers.contract.jobs import DumpJob
from dumpers.engines.registry import ENGINES
from tests.fakes.recipients import RECIPIENTS
from tests.integration.controller.rights import RBAC
from tests.integration.controller.world import (
    World,
    annotations,
    build,
    database,
    dump_pod,
    finish,
    running_job,
)
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.proxies.faults import Cut, Hang, Rule, Status, Truncate
from tests.testbed.toolchain.pki import authority

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pass_(world: World, memory: PassState | None = None, minutes: int = 0) -> PassResult:
    now = NOW + timedelta(minutes=minutes)
    return run(world.kube(), world.settings, memory or PassState(), now=now)


def verdicts(result: PassResult) -> dict[str, tuple[State, Reason]]:
    return {
        item.workload_plan.workload: (item.status.state, item.status.reason)
        for item in result.results
    }


@pytest.fixture
def world(apiserver: ApiServer) -> World:
    return build(apiserver)


def cronjob_of(world: World, name: str = "db") -> str:
    return names.cronjob_name("postgresql", f"{world.watched[0]}/{name}")


def test_an_annotated_workload_gets_cronjob_and_secret_and_a_second_pass_writes_nothing(
    world: World,
) -> None:
    database(world.api, world.watched[0])
    memory = PassState()
    first = pass_(world, memory)
    assert first.succeeded, first.failures
    assert verdicts(first) == {f"{world.watched[0]}/db": (State.WANTED, Reason.ANNOTATED)}
    name = cronjob_of(world)
    cronjob, secret = world.cronjobs()[name], world.secrets()[f"{name}-credentials"]
    assert secret["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "name": name,
            "uid": cronjob["metadata"]["uid"],
        }
    ]
    assert sorted(secret["data"]) == [
        "POSTGRESQL_DATABASE",
        "POSTGRESQL_PASSWORD",
        "POSTGRESQL_USERNAME",
    ]
    mark = world.server.audit_mark()
    assert pass_(world, memory).succeeded
    assert pass_(world).succeeded, "also after a restart"
    assert world.writes(mark) == []
    assert world.server.audit_events(mark, user=world.user)


def test_the_job_understands_the_environment_that_it_is_given(world: World) -> None:
    database(world.api, world.watched[0])
    pass_(world)
    name = cronjob_of(world)
    spec = world.cronjobs()[name]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    secret = world.secrets()[f"{name}-credentials"]["data"]
    job = DumpJob.from_env(environment(spec["containers"][0]["env"], secret), ENGINES)
    assert job.connection.host == f"db.{world.watched[0]}.svc.cluster.local"
    assert job.connection.password == "päss$(word)"
    assert (job.cronjob, job.workload) == (name, f"{world.watched[0]}/db")
    assert job.cluster == world.cluster()


def environment(env: list[dict[str, Any]], secret: Mapping[str, str]) -> dict[str, str]:
    given = {"KSNAPSHOT_ENGINE": "postgresql", "HOSTNAME": "pod", "BACKEND_BUCKET": "bucket"}
    for entry in env:
        if "value" in entry:
            given[entry["name"]] = entry["value"]
        elif reference := entry["valueFrom"].get("secretKeyRef"):
            given[entry["name"]] = base64.b64decode(secret[reference["key"]]).decode()
    return given


def test_a_hand_edit_is_put_right_once_and_what_is_not_ours_stays(world: World) -> None:
    database(world.api, world.watched[0])
    pass_(world)
    name = cronjob_of(world)
    cronjob = world.cronjobs()[name]
    pod = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    container["env"].insert(0, {"name": "LEFT_BEHIND", "value": "1"})
    container["command"] = ["sleep"]
    container["resources"] = {"requests": {"cpu": "1000m", "memory": "1024Mi"}}
    pod["nodeSelector"] = {"disk": "fast"}
    cronjob["metadata"]["labels"]["team"] = "shop"
    cronjob["metadata"]["annotations"]["note"] = "theirs"
    cronjob["spec"] |= {"suspend": True, "schedule": "5 5 * * *"}
    path = f"/apis/batch/v1/namespaces/{world.control}/cronjobs/{name}"
    world.api.request("PUT", path, cronjob)
    mark = world.server.audit_mark()
    pass_(world)
    pass_(world)
    assert world.writes(mark) == [("update", "cronjobs", name)]
    repaired = world.cronjobs()[name]
    pod = repaired["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["env"][0]["name"] == "BACKEND_TYPE"
    assert "command" not in pod["containers"][0]
    assert pod["containers"][0]["resources"]["requests"]["cpu"]
    assert pod["nodeSelector"] == {"disk": "fast"}
    assert repaired["metadata"]["labels"]["team"] == "shop"
    assert repaired["metadata"]["annotations"]["note"] == "theirs"
    assert repaired["spec"]["suspend"] is True
    assert repaired["spec"]["schedule"] == "0 3 * * *"


def test_a_changed_annotation_reaches_the_cronjob(world: World) -> None:
    database(world.api, world.watched[0])
    pass_(world)
    pod = world.api.get("v1", "Pod", world.watched[0], "db-0")
    assert pod
    values = annotations(schedule="@hourly", timezone="Europe/Paris")
    world.api.patch(pod, {"metadata": {"annotations": values}})
    pass_(world)
    spec = world.cronjobs()[cronjob_of(world)]["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("@hourly", "Europe/Paris")


def test_a_namespace_that_answers_403_loses_nothing_and_the_others_go_on(
    apiserver: ApiServer,
) -> None:
    world = build(apiserver, namespaces=2)
    for namespace in world.watched:
        database(world.api, namespace)
    memory = PassState()
    pass_(world, memory)
    world.forbid(world.watched[0])
    database(world.api, world.watched[1], "second")
    mark = world.server.audit_mark()
    results = [pass_(world, memory, minutes) for minutes in range(0, 60, 10)]
    assert all(verb == "create" for verb, _, _ in world.writes(mark))
    assert verdicts(results[-1]) == {
        f"{world.watched[0]}/db": (State.UNKNOWN, Reason.FORBIDDEN),
        f"{world.watched[1]}/db": (State.WANTED, Reason.ANNOTATED),
        f"{world.watched[1]}/second": (State.WANTED, Reason.ANNOTATED),
    }
    world.allow(world.watched[0])
    mark = world.server.audit_mark()
    assert pass_(world, memory).succeeded
    assert world.writes(mark) == []


def test_a_deleted_owner_is_gone_for_several_passes_and_a_while_before_its_cronjob_goes(
    world: World,
) -> None:
    owner = database(world.api, world.watched[0])
    memory = PassState()
    pass_(world, memory)
    world.api.delete(owner)
    world.api.delete({"apiVersion": "v1", "kind": "Pod", **pod_meta(world)})
    mark = world.server.audit_mark()
    states = [pass_(world, memory, minutes) for minutes in (0, 1, 2, 14)]
    assert {verdicts(item)[f"{world.watched[0]}/db"] for item in states} == {
        (State.GONE, Reason.OWNER_NOT_FOUND)
    }
    # Since when is noted once, then nothing is written until the time has come.
    assert world.writes(mark) == [("update", "cronjobs", cronjob_of(world))]
    job = running_job(world, world.cronjobs()[cronjob_of(world)])
    pass_(world, memory, 15)
    assert cronjob_of(world) in world.cronjobs(), "one of its Jobs runs"
    finish(world, job)
    pass_(world, memory, 16)
    assert world.cronjobs() == {}


def pod_meta(world: World) -> dict[str, Any]:
    return {"metadata": {"name": "db-0", "namespace": world.watched[0]}}


def test_the_last_result_survives_its_job_on_the_cronjob(world: World) -> None:
    database(world.api, world.watched[0])
    pass_(world)
    job = running_job(world, world.cronjobs()[cronjob_of(world)])
    pod = dump_pod(world, job)
    finish(world, job)
    mark = world.server.audit_mark()
    pass_(world)
    pass_(world)
    assert world.writes(mark) == [("update", "cronjobs", cronjob_of(world))]
    world.api.delete(job)
    world.api.delete(pod)
    pass_(world)
    values = world.cronjobs()[cronjob_of(world)]["metadata"]["annotations"]
    for key in (names.LAST_RESULT, names.LAST_SUCCESS):
        record = json.loads(values[key])
        assert (record["job"], record["stored_bytes"]) == ("run-1", 42)
        assert record["finished"] == "2026-01-01T03:00:09Z"


def test_what_the_api_refuses_is_told_and_leaves_no_secret(world: World) -> None:
    database(
        world.api, world.watched[0], encryption_enabled="true", encryption_recipient=RECIPIENTS[0]
    )
    broken = replace(world.settings, backup_service_account="No_Name")
    result = run(world.kube(), broken, PassState(), now=NOW)
    assert verdicts(result)[f"{world.watched[0]}/db"] == (State.UNKNOWN, Reason.REFUSED)
    assert not [name for name in world.secrets() if name.endswith("-credentials")]


def test_a_foreign_secret_is_never_overwritten(world: World) -> None:
    database(world.api, world.watched[0])
    name = f"{cronjob_of(world)}-credentials"
    meta = {"name": name, "namespace": world.control}
    foreign = world.api.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"a": "b"}}
    )
    result = pass_(world)
    assert verdicts(result)[f"{world.watched[0]}/db"] == (State.UNKNOWN, Reason.NAME_TAKEN)
    after = world.secrets()[name]
    assert after["metadata"] == foreign["metadata"]
    assert after["data"] == foreign["data"]
    assert world.cronjobs() == {}


def test_without_the_cluster_scoped_rights_everything_else_works(world: World) -> None:
    database(world.api, world.watched[0])
    meta = {"name": f"ksnapshot-{world.control}-namespaces"}
    world.api.delete({"apiVersion": RBAC, "kind": "ClusterRoleBinding", "metadata": meta})
    result = pass_(world)
    assert result.succeeded, result.failures
    values = world.cronjobs()[cronjob_of(world)]["metadata"]["annotations"]
    assert values[names.CLUSTER] == "default"


@pytest.mark.parametrize(
    "fault", [Status(500), Hang(), Cut(after=20), Truncate(40), Status(404), Status(429)]
)
def test_whatever_happens_to_the_lists_of_a_namespace_nothing_is_written(
    apiserver: ApiServer, faults: Any, fault: Any
) -> None:
    world = build(apiserver)
    database(world.api, world.watched[0])
    pass_(world)
    before = (world.cronjobs(), world.secrets())
    mine, theirs = authority(world.server.ca.parent / "proxy"), apiserver.ca
    pair = mine.server("proxy")
    proxy = faults.http(apiserver.port, tls=pair, upstream_ca=theirs)
    identity = apiserver.account(world.control, "ksnapshot")
    file = apiserver.kubeconfig_for(identity, url=proxy.url, ca=mine.pair.cert)
    proxy.set(Rule(fault, path=rf"/namespaces/{world.watched[0]}/"))
    result = run(world.kube(file, timeout=1), world.settings, PassState(), now=NOW)
    assert [item.status.state for item in result.results] == [State.UNKNOWN]
    assert (world.cronjobs(), world.secrets()) == before
    proxy.clear()
    mark = apiserver.audit_mark()
    assert run(world.kube(file), world.settings, PassState(), now=NOW).succeeded
    assert world.writes(mark) == []
