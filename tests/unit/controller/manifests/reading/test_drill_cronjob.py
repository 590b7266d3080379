"""The CronJob and the Job of a drill: what each container is given, and what it must not know."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from controller.manifests.cronjob import build_cronjob
from controller.manifests.overlay import overlay
from controller.manifests.ownership import component_of, owner_of
from controller.manifests.reading.drill_cronjob import build_drill_cronjob
from controller.manifests.reading.drill_job import build_drill_job
from controller.manifests.reading.drilled import Drilled, drilled_of, room_of
from controller.manifests.reading.identity import IDENTITY_PATH, SecretKey
from controller.manifests.storages.sources import reader_account
from controller.manifests.verb_job import VerbJob
from controller.model import names
from controller.model.objects import Json, ObjectRef, annotations_of, labels_of
from controller.model.owner import Owner
from controller.model.status import Reason, Rejected
from controller.workloads.backup_spec import BackupSpec
from controller.workloads.request import Request, parse_request
from dumpers.contract import names as variables
from dumpers.contract.drill.jobs import DrillJob, RehearseJob
from dumpers.contract.drill.server import DRILL_ACCOUNT, DRILL_FOLDER, ThrowawayServer
from dumpers.contract.engine_spec import EngineSpec
from dumpers.contract.storages import variables as storage_variables
from dumpers.engines.registry import ENGINES
from tests.fakes.worlds import asks, settings

OWNER = Owner(namespace="demo", ref=ObjectRef(kind="StatefulSet", name="db"))
DB = names.cronjob_name("postgresql", OWNER.key)
SERVER = ThrowawayServer(
    script='exec "$(command -v postgres)" $$', user="drill", database="", environment={"A": "b$c"}
)
_IMAGE = "docker.io/library/postgres:16"
_RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


def spec(engine: str = "postgresql", env: Mapping[str, str] | None = None, **asked: str) -> Any:
    asked = {"drill_schedule": "0 5 * * 6"} | asked
    found = parse_request(asks(type=engine, **asked), settings(**(env or {})))
    assert isinstance(found, Request)
    return BackupSpec(
        name=names.cronjob_name(engine, OWNER.key),
        owner=OWNER,
        # Engines of which no backups are drilled yet look the same from here.
        engine=replace(found.engine, drill_server=SERVER),
        request=found,
        host="db",
        port=1234,
        credentials={item.variable: "x" for item in found.engine.credentials},
        certificates="pem",
        server_image="postgres:16",
    )


def dump(of: BackupSpec, env: Mapping[str, str] | None = None, on: Json | None = None) -> Json:
    return overlay(on, build_cronjob(of, settings(**(env or {})), "cluster", on))


def built(
    of: BackupSpec,
    env: Mapping[str, str] | None = None,
    on: Json | None = None,
    told: Json | None = None,
) -> Json:
    how = settings(**(env or {}))
    drilled = drilled_of(of, how, told)
    assert isinstance(drilled, Drilled)
    return overlay(on, build_drill_cronjob(of, how, "cluster", on, drilled))


def has_told(**result: Any) -> Json:
    return {"metadata": {"annotations": {names.LAST_SUCCESS: json.dumps(result)}}}


def pod_of(item: Json) -> Any:
    template = item["spec"].get("jobTemplate", item)
    return template["spec"]["template"]["spec"]


def containers(item: Json) -> dict[str, Any]:
    pod = pod_of(item)
    return {one["name"]: one for one in (*pod["initContainers"], *pod["containers"])}


def env_of(container: Json) -> Mapping[str, Any]:
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container["env"]}


def plain(container: Json) -> dict[str, str]:
    """What its variables say by themselves; the kubelet makes one `$` of two."""
    found = {name: text for name, text in env_of(container).items() if isinstance(text, str)}
    return {name: text.replace("$$", "$") for name, text in found.items()}


def job(of: BackupSpec, env: Mapping[str, str] | None = None, **more: Any) -> Json:
    how = settings(**(env or {}))
    drilled = drilled_of(of, how, more.get("told"))
    assert isinstance(drilled, Drilled)
    wanted = VerbJob(
        name="ksnapshot-drill-db-12345678-abcde",
        verb="drill",
        deadline=60,
        keep=600,
        env={variables.BACKUP: "3f9c", variables.REQUESTED_BY: "ada"},
        account=reader_account(how),
    )
    identity: SecretKey | None = more.get("identity")
    return build_drill_job(dump(of, env), of.engine, drilled, how, wanted, identity=identity)


@pytest.mark.parametrize("made", [built, job])
@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.type)
def test_only_the_reader_has_the_keys_and_nobody_a_login(engine: EngineSpec, made: Any) -> None:
    env = {"BACKUP_SECRET_NAME": "keys", "IDENTITY_SECRET": "identity/key.txt"}
    cronjob = made(spec(engine.type), env)
    found = containers(cronjob)
    assert list(found) == ["server", "job", "client"]
    named = {
        name
        for name, container in found.items()
        if any(not isinstance(value, str) for value in env_of(container).values())
    }
    assert named == {"job"}
    assert names.secret_name(DB) not in str(cronjob)
    assert names.secret_name(names.cronjob_name(engine.type, OWNER.key)) not in str(cronjob)
    assert not set(env_of(found["job"])) & engine.variables
    mounted = {
        name: {item["name"] for item in container["volumeMounts"]}
        for name, container in found.items()
    }
    assert mounted["client"] == {"tmp-client", "exchange", "drill"}
    assert mounted["server"] == {"tmp-server", "drill", "passwd"}
    assert {"tmp-job", "exchange"} <= mounted["job"] <= {"tmp-job", "exchange", "identity"}
    volumes = {item["name"] for item in pod_of(cronjob)["volumes"]}
    assert volumes == set().union(*mounted.values())


@pytest.mark.parametrize("made", [built, job])
def test_the_client_finds_the_server_and_the_reader_its_backup(made: Any) -> None:
    of = spec()
    cronjob = made(of, {"BACKUP_SECRET_NAME": "keys"})
    found = containers(cronjob)
    run = {variables.HOSTNAME: "pod"}
    reader = DrillJob.from_env(plain(found["job"]) | run | {storage_variables.S3_BUCKET: "b"})
    assert (reader.cronjob, reader.workload, reader.image) == (DB, OWNER.key, _IMAGE)
    assert (reader.backup, reader.deadline) == (
        ("latest", 21_600) if made is built else ("3f9c", 60)
    )
    client = RehearseJob.from_env(
        plain(found["client"]) | run | {variables.ENGINE: "postgresql"}, ENGINES
    )
    assert client.exchange == reader.exchange
    connection = client.connection
    assert (connection.host, connection.port) == ("127.0.0.1", 5432)
    assert (connection.username, connection.password) == ("drill", "")
    assert (found["job"]["args"], found["client"]["args"]) == (["drill"], ["rehearse"])


@pytest.mark.parametrize("made", [built, job])
def test_only_the_client_has_the_checks_of_a_users_own(made: Any) -> None:
    sql = "SELECT $$a$$ = '$(HOME)';\n-- ours\nSELECT count(*) > 0\nFROM people;\n"
    found = containers(made(spec(drill_sql=sql)))
    named = {name for name, one in found.items() if variables.DRILL_SQL in env_of(one)}
    assert named == {"client"}
    client = RehearseJob.from_env(
        plain(found["client"]) | {variables.ENGINE: "postgresql"}, ENGINES
    )
    assert [check.sql for check in client.checks] == [
        "SELECT $$a$$ = '$(HOME)'",
        "SELECT count(*) > 0\nFROM people",
    ]
    # The reader knows how many they are, so that none goes unasked.
    assert plain(found["job"])[variables.DRILL_CHECKS] == "2"
    without = containers(made(spec()))
    assert variables.DRILL_SQL not in str(without)
    assert variables.DRILL_CHECKS not in str(without)


def test_the_dump_cronjob_keeps_the_checks_for_drills_that_are_asked_for() -> None:
    marked = dump(spec(drill_schedule="none", drill_sql="SELECT true"))
    assert annotations_of(marked)[names.DRILL_SQL] == "SELECT true"
    assert variables.DRILL_SQL not in str(pod_of(marked))
    assert names.DRILL_SQL not in annotations_of(dump(spec(), on=marked))


@pytest.mark.parametrize("made", [built, job])
def test_the_server_is_a_sidecar_that_may_do_nothing(made: Any) -> None:
    cronjob = made(spec(), {"DRILL_RESOURCES": '{"limits": {"memory": "1Gi"}}'})
    found = containers(cronjob)
    server = found["server"]
    assert (server["restartPolicy"], server["image"]) == ("Always", _IMAGE)
    # As the kubelet hands it on.
    assert [part.replace("$$", "$") for part in server["command"]] == [
        "/bin/sh",
        "-c",
        SERVER.script,
    ]
    assert plain(server) == SERVER.environment
    assert server["resources"] == {"limits": {"memory": "1Gi"}}
    for container in found.values():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
    pod = pod_of(cronjob)
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    template = cronjob["spec"].get("jobTemplate", cronjob)["spec"]["template"]
    accounts = annotations_of(template)[names.PASSWD].splitlines()
    user = str(pod["securityContext"]["runAsUser"])
    assert user in [line.split(":")[2] for line in accounts if line.startswith(DRILL_ACCOUNT)]
    marks = annotations_of(template)
    assert marks["eks.amazonaws.com/skip-containers"] == "server,client"
    assert marks["azure.workload.identity/skip-containers"] == "server;client"
    places = {item["mountPath"]: item for item in server["volumeMounts"]}
    assert {"/tmp", DRILL_FOLDER, "/etc/passwd"} == set(places)


@pytest.mark.parametrize(
    ("size", "limit", "room"),
    [
        (None, "20Gi", {"emptyDir": {"sizeLimit": "20Gi"}}),
        (1, "20Gi", {"emptyDir": {"sizeLimit": "1Gi"}}),
        (1 << 30, "20Gi", {"emptyDir": {"sizeLimit": "4Gi"}}),
        (5 << 30, "16Gi", {"emptyDir": {"sizeLimit": "16Gi"}}),
    ],
)
def test_room_is_on_the_node_up_to_a_limit(size: int | None, limit: str, room: Json) -> None:
    env = {"DRILL_VOLUME": json.dumps({"limit": limit})}
    cronjob = built(spec(), env, told=has_told(source_bytes=size) if size else None)
    volumes = {item.pop("name"): item for item in pod_of(cronjob)["volumes"]}
    assert volumes["drill"] == room


@pytest.mark.parametrize("storage_class", ["", "fast"])
def test_above_it_the_drill_gets_a_volume_that_goes_with_its_pod(storage_class: str) -> None:
    volume = {"limit": "8Gi", "storageClassName": storage_class}
    env = {"DRILL_VOLUME": json.dumps(volume)}
    small = built(spec(), env, told=has_told(source_bytes=1 << 30))
    # In place of the other one, as a whole.
    cronjob = built(spec(), env, on=small, told=has_told(source_bytes=5 << 30))
    (found,) = (item for item in pod_of(cronjob)["volumes"] if item["name"] == "drill")
    assert set(found) == {"name", "ephemeral"}
    claim = found["ephemeral"]["volumeClaimTemplate"]["spec"]
    assert claim["resources"] == {"requests": {"storage": "16Gi"}}
    assert claim.get("storageClassName", "") == storage_class


def test_a_claim_does_not_outlive_its_drill_by_long() -> None:
    env = {"DRILL_VOLUME": '{"limit": "8Gi"}'}
    big, small = (has_told(source_bytes=size << 30) for size in (5, 1))
    cronjob = built(spec(), env, told=big)
    assert cronjob["spec"]["jobTemplate"]["spec"]["ttlSecondsAfterFinished"] == 900
    assert job(spec(), env, told=big)["spec"]["ttlSecondsAfterFinished"] == 900
    # On the node it is gone with its drill, whose Job may be looked at.
    on_node = built(spec(), env, on=cronjob, told=small)
    assert "ttlSecondsAfterFinished" not in on_node["spec"]["jobTemplate"]["spec"]
    assert job(spec(), env, told=small)["spec"]["ttlSecondsAfterFinished"] == 600


def test_room_changes_seldom_and_is_never_too_small() -> None:
    sizes = [10**9 * step // 100 for step in range(100, 900)]
    rooms = [room_of(has_told(source_bytes=size)) for size in sizes]
    assert all(room and room >= 3 * size for room, size in zip(rooms, sizes, strict=True))
    assert len(set(rooms)) == 4
    for nothing in ({}, {"source_bytes": 0}, {"source_bytes": "1"}, {"source_bytes": True}):
        assert room_of(has_told(**nothing)) is None


def test_a_retry_does_not_help_a_pod_that_is_refused_for_good_and_settings_are_taken_back() -> None:
    env = {
        "IDENTITY_SECRET": "keys",
        "BACKUP_MAX_CONCURRENT": "1",
        "BACKUP_JOB_POD": '{"imagePullSecrets": [{"name": "ours"}], "resources": {}}',
        "DRILL_IMAGE_PULL_SECRETS": '[{"name": "registry"}, {"name": "ours"}]',
    }
    asked = built(spec(suspend="true", log_level="debug"), env)
    assert asked["spec"]["suspend"] is True
    assert "suspend" not in asked["spec"]["jobTemplate"]["spec"]
    assert asked["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"] == 21_600
    assert pod_of(asked)["imagePullSecrets"] == [{"name": "ours"}, {"name": "registry"}]
    found = containers(asked)
    assert plain(found["job"])[variables.IDENTITY_FILE] == IDENTITY_PATH
    for name in ("job", "client"):
        assert plain(found[name])[variables.LOG_LEVEL] == "debug"
    taken_back = built(spec(), on=asked)
    assert taken_back == built(spec())
    assert built(spec(), on=taken_back) is taken_back


def test_the_command_brings_a_key_of_its_own() -> None:
    made = job(spec(), identity=SecretKey(secret="mine", key="identity"))
    (volume,) = (item for item in pod_of(made)["volumes"] if "secret" in item)
    assert volume["secret"]["secretName"] == "mine"
    assert plain(containers(made)["job"])[variables.IDENTITY_FILE] == IDENTITY_PATH
    assert "identity" not in {item["name"] for item in containers(made)["client"]["volumeMounts"]}


def test_it_is_of_its_owner_and_0_6_0_leaves_it_alone() -> None:
    cronjob = built(spec())
    assert owner_of(cronjob) == ("demo", OWNER.ref)
    bare = {**cronjob, "metadata": {**cronjob["metadata"], "labels": {}}}
    assert component_of(cronjob) == component_of(bare) == names.DRILL
    template = cronjob["spec"]["jobTemplate"]
    for item in (cronjob, template, template["spec"]["template"]):
        assert names.MANAGED_BY_LABEL not in labels_of(item)
        assert labels_of(item)[names.COMPONENT_LABEL] == names.DRILL
    labels = {**labels_of(cronjob), names.MANAGED_BY_LABEL: names.MANAGED_BY}
    earlier = {**cronjob, "metadata": {**cronjob["metadata"], "labels": labels}}
    assert names.MANAGED_BY_LABEL not in labels_of(built(spec(), on=earlier))


@pytest.mark.parametrize(
    ("asked", "env", "proof", "is_drilled"),
    [
        ({}, {}, variables.PROOF_DRILLED, True),
        ({"verify_schedule": "0 6 * * 0"}, {}, variables.PROOF_DRILLED, True),
        ({"drill_schedule": "none"}, {}, None, False),
        ({"drill_schedule": "none", "verify_schedule": "0 6 * * 0"}, {}, "read", False),
        # Nobody could restore it here.
        ({"encryption_enabled": "true"}, {}, None, False),
        ({"encryption_enabled": "true", "verify_schedule": "0 6 * * 0"}, {}, "read", False),
        (
            {"encryption_enabled": "true"},
            {"IDENTITY_SECRET": "keys"},
            variables.PROOF_DRILLED,
            True,
        ),
        # No server has an image, or its version is not known before the first dump.
        ({}, {"DRILL_ALLOWED_IMAGES": "[]"}, None, False),
        ({"verify_schedule": "0 6 * * 0"}, {"DRILL_ALLOWED_IMAGES": "[]"}, "read", False),
        ({}, {"DRILL_IMAGES": '{"postgresql": "r/pg:{major}"}'}, None, False),
    ],
)
def test_the_dumps_know_what_proves_them(
    asked: dict[str, str], env: dict[str, str], proof: str | None, *, is_drilled: bool
) -> None:
    env = {"DEFAULT_ENCRYPTION_RECIPIENT": _RECIPIENT} | env
    of = spec(env=env, **asked)
    made = dump(of, env)
    (container,) = pod_of({"spec": {"jobTemplate": made["spec"]["jobTemplate"]}})["containers"]
    assert env_of(container).get(variables.REQUIRED_PROOF) == proof
    line = "0 5 * * 6" if is_drilled else None
    assert annotations_of(made).get(names.DRILL_SCHEDULE) == line


@pytest.mark.parametrize(
    ("told", "proof"),
    [
        ({"outcome": "not-drillable", "backup": "3f9c"}, "read"),
        # Before the first dump there was nothing to try.
        ({"outcome": "not-drillable"}, variables.PROOF_DRILLED),
        ({"outcome": "passed", "backup": "3f9c"}, variables.PROOF_DRILLED),
        ({"outcome": "failed", "backup": "3f9c"}, variables.PROOF_DRILLED),
    ],
)
def test_no_drill_is_waited_for_of_backups_that_none_can_be_made_of(
    told: dict[str, str], proof: str
) -> None:
    of = spec(verify_schedule="0 6 * * 0")
    first = dump(of)
    first["metadata"]["annotations"][names.LAST_DRILL] = json.dumps(told)
    (container,) = pod_of(dump(of, on=first))["containers"]
    assert env_of(container).get(variables.REQUIRED_PROOF) == proof


def test_how_the_last_drill_ended_outlives_its_schedule() -> None:
    marks = {names.DRILL_SINCE: "2026-01-01T00:00:00Z", names.LAST_DRILL: "{}"}
    made = dump(spec())
    metadata = {**made["metadata"], "annotations": {**annotations_of(made), **marks}}
    marked = {**made, "metadata": metadata}
    assert dump(spec(), on=marked) is marked
    left = annotations_of(dump(spec(drill_schedule="none"), on=marked))
    assert {names.DRILL_SCHEDULE, names.DRILL_SINCE, names.LAST_DRILL} & set(left) == {
        names.LAST_DRILL
    }


def test_what_cannot_be_drilled_is_named() -> None:
    env = {"DEFAULT_ENCRYPTION_RECIPIENT": _RECIPIENT}
    encrypted = drilled_of(spec(env=env, encryption_enabled="true"), settings(**env), None)
    assert isinstance(encrypted, Rejected)
    assert encrypted.reason is Reason.NOT_DRILLABLE
    assert "identitySecret" in encrypted.message
    of = spec()
    without = drilled_of(
        replace(of, engine=replace(of.engine, drill_server=None)), settings(), None
    )
    assert isinstance(without, Rejected)
    assert without.reason is Reason.NOT_DRILLABLE
    assert drilled_of(spec(drill_schedule="none"), settings(), None) is None


def test_the_last_good_dump_tells_the_version_before_one_that_failed() -> None:
    env = {"DRILL_IMAGES": '{"postgresql": "r/pg:{major}"}'}
    told = {
        names.LAST_SUCCESS: json.dumps({"server_version": "16.4"}),
        names.LAST_RESULT: json.dumps({"server_version": "17.0"}),
    }
    failed = {**told, names.LAST_SUCCESS: "edited"}
    for annotations, image in ((told, "r/pg:16"), (failed, "r/pg:17")):
        found = drilled_of(spec(), settings(**env), {"metadata": {"annotations": annotations}})
        assert isinstance(found, Drilled)
        assert found.image == image


def test_a_time_that_is_left_to_us_is_another_than_those_of_dump_and_verification() -> None:
    of = spec(
        schedule="@daily-random", verify_schedule="@daily-random", drill_schedule="@daily-random"
    )
    made = dump(of)
    cronjob = built(of)
    lines = {
        made["spec"]["schedule"],
        annotations_of(made)[names.VERIFY_SCHEDULE],
        cronjob["spec"]["schedule"],
    }
    assert len(lines) == 3
    assert annotations_of(made)[names.DRILL_SCHEDULE] == cronjob["spec"]["schedule"]
    assert annotations_of(cronjob)[names.ASKED_SCHEDULE] == "@daily-random"
