"""The Jobs that people ask for, made from a dump CronJob as the controller builds it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from controller.manifests.cronjob import build_cronjob
from controller.manifests.job_env import CA_FOLDER
from controller.manifests.overlay import overlay
from controller.manifests.reading.identity import SecretKey
from controller.manifests.restore_job import (
    CLIENT,
    RestoreJob,
    Target,
    build_client_job,
    build_restore_job,
)
from controller.manifests.storages.sources import reader_account
from controller.manifests.verb_job import VerbJob, build_check_job, build_verb_job
from controller.model import names
from controller.model.objects import Json, ObjectRef
from controller.model.owner import Owner
from controller.workloads.backup_spec import BackupSpec
from dumpers.contract import names as variables
from dumpers.contract.engine_spec import EngineSpec, Role
from dumpers.contract.restore.jobs import LoadJob
from dumpers.contract.restore.jobs import RestoreJob as RestoreEnvironment
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.contract.storages import variables as storage_variables
from dumpers.engines.registry import ENGINES
from dumpers.engines.shared_options import DATABASES
from dumpers.runtime.errors import ConfigurationError, ExitCode
from tests.fakes.worlds import request, settings

WANTED = VerbJob(name="ksnapshot-restore-db-12345678-abcde", verb="restore", deadline=60, keep=600)
IDENTITY = SecretKey(secret="identity", key="key.txt")


def cronjob(
    engine: EngineSpec, *, host: str = "db", certificates: str = "", writer: bool = False
) -> Json:
    found = request(engine.type)
    login = {
        credential.variable: credential.role.value
        for credential in engine.credentials
        if credential.role in {Role.USERNAME, Role.PASSWORD, Role.DATABASE}
    }
    of_restores = {name: text for name, text in login.items() if text != Role.DATABASE.value}
    spec = BackupSpec(
        name="ksnapshot-x-db-12345678",
        owner=Owner(namespace="demo", ref=ObjectRef(kind="StatefulSet", name="db")),
        engine=engine,
        request=found,
        host=host,
        port=1234,
        credentials=login,
        restore_credentials=of_restores if writer else {},
        certificates=certificates,
    )
    return overlay(None, build_cronjob(spec, settings(BACKUP_SECRET_NAME="keys"), "cluster", None))


def restore(source: Json, engine: EngineSpec, **target: Any) -> Json:
    return build_restore_job(
        source,
        engine,
        Target(cronjob=target.pop("cronjob", source), **target),
        RestoreJob(
            backup="latest",
            request=RestoreRequest(mode=RestoreMode.BESIDE, suffix="_$(HOME)"),
            identity=IDENTITY,
            requested_by="ada",
        ),
        WANTED,
    )


def pod_of(job: Json) -> Any:
    return job["spec"]["template"]["spec"]


def containers(job: Json) -> Mapping[str, Any]:
    return {item["name"]: item for item in pod_of(job)["containers"]}


def env_of(container: Json) -> Mapping[str, Any]:
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container["env"]}


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.type)
def test_the_reader_has_the_keys_and_the_client_has_the_login(engine: EngineSpec) -> None:
    job = restore(cronjob(engine, certificates="pem"), engine)
    reader, client = (env_of(containers(job)[name]) for name in (names.CONTAINER, CLIENT))
    database = engine.variables | {engine.tls_variable, engine.ca_file_variable}
    assert not database & set(reader)
    assert {
        storage_variables.S3_ACCESS_KEY,
        storage_variables.S3_SECRET_KEY,
        storage_variables.S3_BUCKET,
    } <= set(reader)
    assert {variables.CLUSTER, variables.CRONJOB, variables.IDENTITY_FILE} <= set(reader)
    assert set(client) <= database | {variables.EXCHANGE, variables.RESTORE}
    assert {engine.host_variable, engine.port_variable, engine.ca_file_variable} <= set(client)
    assert {item.variable for item in engine.credentials if item.role is Role.PASSWORD} <= set(
        client
    )
    # What a shell would put in: the kubelet does, unless it is escaped.
    assert reader[variables.RESTORE] == '{"mode":"beside","suffix":"_$$(HOME)"}'


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.type)
def test_the_containers_read_what_the_job_gives_them(engine: EngineSpec) -> None:
    job = restore(cronjob(engine), engine)

    def environment(name: str) -> dict[str, str]:
        """The container's own, with something in the place of every key of a Secret."""
        texts = env_of(containers(job)[name])
        found = {key: text if isinstance(text, str) else "x" for key, text in texts.items()}
        # The kubelet puts `$` for `$$`.
        found = {key: text.replace("$$", "$") for key, text in found.items()}
        # Which an image sets, or a ConfigMap has not.
        own = {variables.ENGINE: engine.type, variables.HOSTNAME: "pod"}
        return {key: text for key, text in (found | own).items() if text != "x" or "S3_" not in key}

    reader = RestoreEnvironment.from_env(environment(names.CONTAINER))
    client = LoadJob.from_env(environment(CLIENT), ENGINES)
    assert (
        reader.request
        == client.request
        == RestoreRequest(mode=RestoreMode.BESIDE, suffix="_$(HOME)")
    )
    assert reader.exchange == client.exchange
    assert (reader.backup, reader.requested_by) == ("latest", "ada")
    assert reader.cronjob == "ksnapshot-x-db-12345678"
    assert reader.deadline == WANTED.deadline
    assert (client.connection.host, client.connection.port) == ("db", 1234)


def test_a_login_without_a_database_is_enough_where_the_workload_names_several() -> None:
    mysql = next(engine for engine in ENGINES if engine.type == "mysql")
    source: Any = cronjob(mysql)
    (dump,) = source["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    dump["env"] = [item for item in dump["env"] if item["name"] != "MYSQL_DATABASE"]
    made = {variables.ENGINE: "mysql", variables.HOSTNAME: "pod"}

    def faults() -> str:
        given = env_of(containers(restore(source, mysql))[CLIENT])
        texts = {name: text if isinstance(text, str) else "x" for name, text in given.items()}
        try:
            LoadJob.from_env({**texts, **made}, ENGINES)
        except ConfigurationError as error:
            return str(error)
        return ""

    assert "MYSQL_DATABASE is not set" in faults()
    dump["env"].append({"name": DATABASES.variable, "value": "*"})
    assert faults() == ""


def test_the_containers_share_the_socket_and_nothing_else() -> None:
    postgresql = next(engine for engine in ENGINES if engine.type == "postgresql")
    job = restore(cronjob(postgresql, certificates="pem"), postgresql)
    mounts = {
        name: {mount["name"]: mount["mountPath"] for mount in item["volumeMounts"]}
        for name, item in containers(job).items()
    }
    reader, client = mounts[names.CONTAINER], mounts[CLIENT]
    assert set(reader) & set(client) == {"exchange"}
    assert CA_FOLDER in client.values()
    assert CA_FOLDER not in reader.values()
    volumes = {volume["name"]: volume for volume in pod_of(job)["volumes"]}
    assert set(volumes) == set(reader) | set(client)
    assert volumes["identity"]["secret"]["secretName"] == "identity"
    assert "identity" not in client


def test_a_job_takes_over_what_the_cronjob_says_of_its_pod() -> None:
    postgresql = next(engine for engine in ENGINES if engine.type == "postgresql")
    changes = {
        "nodeSelector": {"disk": "fast"},
        "containers": [{"name": "job", "resources": {"limits": {"memory": "1Gi"}}}],
    }
    source = overlay(
        cronjob(postgresql), {"spec": {"jobTemplate": {"spec": {"template": {"spec": changes}}}}}
    )
    job = restore(source, postgresql)
    spec, container = pod_of(job), containers(job)[CLIENT]
    assert spec["nodeSelector"] == {"disk": "fast"}
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["resources"] == {"limits": {"memory": "1Gi"}}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["args"] == ["load"]
    assert job["spec"]["backoffLimit"] == 0
    # 0.6.0 deletes what has its label.
    for labels in (job["metadata"]["labels"], job["spec"]["template"]["metadata"]["labels"]):
        assert names.MANAGED_BY_LABEL not in labels
        assert labels[names.PART_OF_LABEL] == "ksnapshot"
        assert labels[names.COMPONENT_LABEL] == "restore"
    assert labels["sidecar.istio.io/inject"] == "false"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({}, {"POSTGRESQL_HOST": "db", "POSTGRESQL_PORT": "1234"}),
        (
            {"host": "other", "port": "5", "database": "copy"},
            {
                "POSTGRESQL_HOST": "other",
                "POSTGRESQL_PORT": "5",
                "POSTGRESQL_DATABASE": "copy",
            },
        ),
    ],
)
def test_the_target(target: dict[str, str], expected: Mapping[str, str]) -> None:
    postgresql = next(engine for engine in ENGINES if engine.type == "postgresql")
    client = env_of(containers(restore(cronjob(postgresql), postgresql, **target))[CLIENT])
    assert client.items() >= expected.items()
    assert "secretKeyRef" in client["POSTGRESQL_PASSWORD"]


def test_another_login_replaces_the_whole_one() -> None:
    postgresql = next(engine for engine in ENGINES if engine.type == "postgresql")
    login = {Role.PASSWORD: SecretKey(secret="writer", key="pass")}
    client = env_of(containers(restore(cronjob(postgresql), postgresql, login=login))[CLIENT])
    assert client["POSTGRESQL_PASSWORD"] == {"secretKeyRef": {"name": "writer", "key": "pass"}}
    assert "POSTGRESQL_USERNAME" not in client
    assert "POSTGRESQL_DATABASE" in client


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.type)
def test_restores_have_a_login_of_their_own_where_the_cronjob_records_one(
    engine: EngineSpec,
) -> None:
    source = cronjob(engine, writer=True)
    [dump] = source["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert "RESTORE_" not in str(dump)
    job = restore(cronjob(engine), engine, cronjob=source)
    assert "RESTORE_" not in str(containers(job)[names.CONTAINER])
    client = env_of(containers(job)[CLIENT])
    for item in engine.credentials:
        if item.role in {Role.USERNAME, Role.PASSWORD}:
            place = {"name": names.secret_name("ksnapshot-x-db-12345678")}
            assert client[item.variable] == {
                "secretKeyRef": place | {"key": f"RESTORE_{item.variable}"}
            }
    # A login by option replaces it whole.
    login = {Role.PASSWORD: SecretKey(secret="other", key="pass")}
    client = env_of(containers(restore(source, engine, login=login))[CLIENT])
    assert "RESTORE_" not in str(client)


def test_another_workloads_database_is_reached_by_its_own_variables() -> None:
    postgresql = next(engine for engine in ENGINES if engine.type == "postgresql")
    other = cronjob(postgresql, host="staging", certificates="pem")
    job = restore(cronjob(postgresql), postgresql, cronjob=other)
    client = env_of(containers(job)[CLIENT])
    assert client["POSTGRESQL_HOST"] == "staging"
    assert client["POSTGRESQL_CA_FILE"] == f"{CA_FOLDER}/ca.crt"


def test_a_restore_goes_by_the_targets_own_servers() -> None:
    clickhouse = next(engine for engine in ENGINES if engine.server_texts)
    source = cronjob(clickhouse)
    options = {"CLICKHOUSE_SHARDS": "a,b;c", "CLICKHOUSE_CLUSTER": "x", "CLICKHOUSE_TABLES": "t"}
    container = source["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    container["env"] += [{"name": name, "value": text} for name, text in options.items()]
    found = env_of(containers(restore(source, clickhouse))[CLIENT])
    assert found["CLICKHOUSE_SHARDS"] == "a,b;c"
    assert found["CLICKHOUSE_CLUSTER"] == "x"
    assert "CLICKHOUSE_TABLES" not in found
    undo = VerbJob(name="j", verb="undo", deadline=60, keep=60)
    taken_back = build_client_job(clickhouse, Target(cronjob=source), undo)
    assert env_of(containers(taken_back)[names.CONTAINER])["CLICKHOUSE_SHARDS"] == "a,b;c"
    # These are not those of another host.
    elsewhere = restore(source, clickhouse, host="elsewhere")
    assert not clickhouse.server_variables & set(env_of(containers(elsewhere)[CLIENT]))


def test_a_job_that_is_tried_again_fails_at_once_where_that_cannot_help() -> None:
    mysql = next(engine for engine in ENGINES if engine.type == "mysql")
    once = VerbJob(name="j", verb="list", deadline=60, keep=60)
    assert "podFailurePolicy" not in build_verb_job(cronjob(mysql), once)["spec"]
    spec = build_verb_job(cronjob(mysql), replace(once, retries=6))["spec"]
    assert spec["backoffLimit"] == 6
    codes = [
        rule.get("onExitCodes", {}).get("values", []) for rule in spec["podFailurePolicy"]["rules"]
    ]
    assert {int(ExitCode.TARGET_REFUSED), int(ExitCode.ENCRYPTION)} <= set(codes[1])
    assert int(ExitCode.TARGET_FAILED) not in codes[1]


def test_keys_may_be_optional_so_that_a_pod_begins_without_them() -> None:
    mysql = next(engine for engine in ENGINES if engine.type == "mysql")
    source = cronjob(mysql)
    for identity in (IDENTITY, replace(IDENTITY, is_optional=True)):
        asked = RestoreJob(
            backup="latest", request=RestoreRequest(), identity=identity, requested_by=""
        )
        job = build_restore_job(source, mysql, Target(cronjob=source), asked, WANTED)
        [volume] = [item for item in pod_of(job)["volumes"] if item["name"] == "identity"]
        assert volume["secret"].get("optional", False) is identity.is_optional


def test_other_jobs_have_one_container_with_the_stores_variables() -> None:
    mysql = next(engine for engine in ENGINES if engine.type == "mysql")
    wanted = VerbJob(name="j", verb="list", deadline=60, keep=60, env={variables.BACKUP: "latest"})
    job = build_verb_job(cronjob(mysql), wanted)
    [container] = containers(job).values()
    assert container["args"] == ["list"]
    assert env_of(container)[variables.BACKUP] == "latest"
    assert not mysql.variables & set(env_of(container))


@pytest.mark.parametrize(
    ("given", "secret", "service_account"),
    [
        ({}, "keys", "ksnapshot-backup-sa"),
        ({"READER_SECRET_NAME": "reading"}, "reading", "ksnapshot-backup-sa"),
        ({"READER_SERVICE_ACCOUNT_NAME": "reader"}, None, "reader"),
        (
            {"READER_SECRET_NAME": "reading", "READER_SERVICE_ACCOUNT_NAME": "reader"},
            "reading",
            "reader",
        ),
    ],
)
def test_what_only_reads_goes_to_the_store_by_the_readers_account(
    given: dict[str, str], secret: str | None, service_account: str
) -> None:
    engine = ENGINES[0]
    wanted = replace(WANTED, account=reader_account(settings(**given)))
    source = cronjob(engine)
    asked = RestoreJob(backup="latest", request=RestoreRequest(), identity=None, requested_by="")
    listing = build_verb_job(source, wanted)
    restoring = build_restore_job(source, engine, Target(cronjob=source), asked, wanted)
    for job in (listing, restoring):
        found = env_of(containers(job)[names.CONTAINER])
        keys = [
            found.get(name)
            for name in (storage_variables.S3_ACCESS_KEY, storage_variables.S3_SECRET_KEY)
        ]
        named = [item and item["secretKeyRef"]["name"] for item in keys]
        assert named == [secret, secret]
        assert pod_of(job)["serviceAccountName"] == service_account
    annotations = restoring["spec"]["template"]["metadata"]["annotations"]
    assert annotations["eks.amazonaws.com/skip-containers"] == CLIENT
    assert annotations["azure.workload.identity/skip-containers"] == CLIENT
    # Whatever writes is as it was.
    assert pod_of(build_verb_job(source, WANTED))["serviceAccountName"] == "ksnapshot-backup-sa"


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.type)
def test_what_takes_a_restore_back_knows_nothing_of_the_store(engine: EngineSpec) -> None:
    source = cronjob(engine, certificates="pem")
    wanted = VerbJob(name="j", verb="forget", deadline=60, keep=60, env={variables.FORGET: '["a"]'})
    job = build_client_job(engine, Target(cronjob=source), wanted)
    [container] = containers(job).values()
    found = env_of(container)
    assert found[variables.FORGET] == '["a"]'
    assert not any(name.startswith("BACKEND_") for name in found)
    assert engine.host_variable in found
    assert CA_FOLDER in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_the_log_level_of_a_workload_reaches_each_container_of_its_jobs() -> None:
    [engine, *_] = ENGINES
    source = cronjob(engine)
    [dump] = source["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert variables.LOG_LEVEL not in env_of(dump)
    dump["env"].append({"name": variables.LOG_LEVEL, "value": "debug"})
    wanted = VerbJob(name="j", verb="list", deadline=60, keep=60)
    for job in (
        restore(source, engine),
        build_verb_job(source, wanted),
        build_check_job(source, wanted),
    ):
        levels = {name: env_of(item)[variables.LOG_LEVEL] for name, item in containers(job).items()}
        assert set(levels.values()) == {"debug"}


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.type)
def test_a_check_is_given_all_that_a_dump_is_given(engine: EngineSpec) -> None:
    source = cronjob(engine, certificates="pem")
    wanted = VerbJob(name="j", verb="check", deadline=60, keep=60)
    job = build_check_job(source, wanted)
    [container] = containers(job).values()
    [dump] = source["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["check"]
    assert container["env"] == dump["env"]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert set(mounts) == {"/tmp", CA_FOLDER}
    assert {volume["name"] for volume in pod_of(job)["volumes"]} == set(mounts.values())
