"""The CronJob that verifies: what its container is told, what it must not know, whose it is."""

from collections.abc import Mapping
from typing import Any

import pytest

from controller.manifests.cronjob import build_cronjob
from controller.manifests.job_env import CA_FOLDER
from controller.manifests.overlay import overlay
from controller.manifests.ownership import DUMP, component_of, owner_of
from controller.manifests.reading.identity import IDENTITY_PATH
from controller.manifests.reading.verify_cronjob import build_verify_cronjob
from controller.model import names
from controller.model.names import cronjob_name, verify_cronjob_name
from controller.model.objects import Json, ObjectRef, annotations_of, labels_of
from controller.model.owner import Owner
from controller.workloads.backup_spec import BackupSpec
from controller.workloads.request import Request, parse_request
from dumpers.contract import names as variables
from dumpers.contract.engine_spec import EngineSpec
from dumpers.contract.storages import variables as storage_variables
from dumpers.contract.verify.jobs import VerifyJob
from dumpers.contract.verify.sample import Sample
from dumpers.engines.registry import ENGINES
from tests.fakes.worlds import asks, settings

OWNER = Owner(namespace="demo", ref=ObjectRef(kind="StatefulSet", name="db"))
DB = cronjob_name("postgresql", OWNER.key)


def spec(engine: str = "postgresql", env: Mapping[str, str] | None = None, **asked: str) -> Any:
    asked = {"verify_schedule": "0 6 * * 0"} | asked
    found = parse_request(asks(type=engine, **asked), settings(**(env or {})))
    assert isinstance(found, Request)
    return BackupSpec(
        name=cronjob_name(engine, OWNER.key),
        owner=OWNER,
        engine=found.engine,
        request=found,
        host="db",
        port=1234,
        credentials={item.variable: "x" for item in found.engine.credentials},
        certificates="pem",
    )


def built(of: BackupSpec, env: Mapping[str, str] | None = None, on: Json | None = None) -> Json:
    return overlay(on, build_verify_cronjob(of, settings(**(env or {})), "cluster", on))


def pod_of(cronjob: Json) -> Any:
    return cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def env_of(cronjob: Json) -> Mapping[str, Any]:
    (container,) = pod_of(cronjob)["containers"]
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container["env"]}


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.type)
def test_it_knows_the_store_and_nothing_of_the_database(engine: EngineSpec) -> None:
    cronjob = built(spec(engine.type), {"BACKUP_SECRET_NAME": "keys"})
    given = env_of(cronjob)
    options = {
        value
        for name, value in vars(storage_variables).items()
        if name.startswith("S3_") and value != storage_variables.S3_BUCKET_INFO
    }
    assert options | set(storage_variables.PROXIES) <= set(given)
    assert not set(given) & (engine.variables | {engine.tls_variable, engine.ca_file_variable})
    (container,) = pod_of(cronjob)["containers"]
    assert [item["mountPath"] for item in container["volumeMounts"]] == ["/tmp"]
    assert CA_FOLDER not in str(cronjob)
    assert names.secret_name(cronjob_name(engine.type, OWNER.key)) not in str(cronjob)


@pytest.mark.parametrize(
    ("asked", "env", "sample", "identity"),
    [
        ({}, {}, None, ""),
        ({"verify_sample": "1/7"}, {}, Sample(parts=1, of=7), ""),
        ({}, {"VERIFY_SAMPLE": "2/3"}, Sample(parts=2, of=3), ""),
        ({"verify_sample": "none"}, {"VERIFY_SAMPLE": "2/3"}, None, ""),
        ({}, {"IDENTITY_SECRET": "keys/key.txt"}, None, IDENTITY_PATH),
    ],
)
def test_its_job_reads_what_it_is_told(
    asked: dict[str, str], env: dict[str, str], sample: Sample | None, identity: str
) -> None:
    cronjob = built(spec(env=env, **asked), env)
    given = {key: text for key, text in env_of(cronjob).items() if isinstance(text, str)}
    # What the ConfigMap and the kubelet add.
    job = VerifyJob.from_env(given | {storage_variables.S3_BUCKET: "b", variables.HOSTNAME: "pod"})
    assert (job.backup, job.sample, job.identity_file) == ("", sample, identity)
    assert (job.cronjob, job.workload, job.cluster) == (DB, OWNER.key, "cluster")
    assert job.deadline == 86_400


@pytest.mark.parametrize(
    ("env", "secret", "account"),
    [
        ({}, "", "ksnapshot-backup-sa"),
        ({"BACKUP_SECRET_NAME": "keys"}, "keys", "ksnapshot-backup-sa"),
        (
            {"BACKUP_SECRET_NAME": "keys", "READER_SECRET_NAME": "reading"},
            "reading",
            "ksnapshot-backup-sa",
        ),
        # The identity of that account counts: the keys of the dumps would take its place.
        ({"BACKUP_SECRET_NAME": "keys", "READER_SERVICE_ACCOUNT_NAME": "reader"}, "", "reader"),
        ({"READER_SECRET_NAME": "reading", "READER_SERVICE_ACCOUNT_NAME": "r"}, "reading", "r"),
    ],
)
def test_it_goes_to_the_store_as_jobs_that_only_read(
    env: dict[str, str], secret: str, account: str
) -> None:
    cronjob = built(spec(), env)
    given = env_of(cronjob)
    keys = {given[name]["secretKeyRef"]["name"] for name in given if name in _KEYS}
    assert keys == ({secret} if secret else set())
    assert pod_of(cronjob)["serviceAccountName"] == account
    assert pod_of(cronjob)["automountServiceAccountToken"] is False


_KEYS = {storage_variables.S3_ACCESS_KEY, storage_variables.S3_SECRET_KEY}


def test_what_settings_ask_for_goes_with_them_and_no_job_of_it_waits_for_a_place() -> None:
    env = {
        "IDENTITY_SECRET": "keys",
        "BACKUP_MAX_CONCURRENT": "1",
        "BACKUP_JOB_POD": '{"nodeSelector": {"disk": "fast"}}',
    }
    asked = built(spec(suspend="true"), env)
    assert asked["spec"]["suspend"] is True
    assert "suspend" not in asked["spec"]["jobTemplate"]["spec"]
    assert pod_of(asked)["nodeSelector"] == {"disk": "fast"}
    (_, volume) = pod_of(asked)["volumes"]
    assert volume["secret"] == {
        "secretName": "keys",
        "items": [{"key": "identity", "path": "identity"}],
        "defaultMode": 0o440,
        "optional": True,
    }
    taken_back = built(spec(), on=asked)
    assert taken_back == built(spec())
    assert built(spec(), on=taken_back) is taken_back


def test_it_is_of_its_owner_and_never_one_that_dumps() -> None:
    cronjob = built(spec())
    assert owner_of(cronjob) == ("demo", OWNER.ref)
    assert component_of(cronjob) == names.VERIFY
    bare = {**cronjob, "metadata": {**cronjob["metadata"], "labels": {}}}
    assert component_of(bare) == names.VERIFY
    dump = overlay(None, build_cronjob(spec(), settings(), "cluster", None))
    assert component_of(dump) == DUMP
    # The labels of 0.6.0 are on the CronJob, which it then deletes, and not on Jobs and pods.
    template = cronjob["spec"]["jobTemplate"]
    for item in (template, template["spec"]["template"]):
        assert names.MANAGED_BY_LABEL not in labels_of(item)
        assert labels_of(item)[names.COMPONENT_LABEL] == names.VERIFY
    assert annotations_of(template)[names.CRONJOB] == DB


@pytest.mark.parametrize(
    "edited",
    [
        {names.CRONJOB: cronjob_name("postgresql", "demo/other")},
        {names.CRONJOB: ""},
        {names.OWNER: "demo/other"},
        {names.CRONJOB: "theirs", names.OWNER: ""},
    ],
)
def test_a_copy_or_an_edited_one_is_nobodys(edited: Mapping[str, str]) -> None:
    cronjob = built(spec())
    metadata = {**cronjob["metadata"], "annotations": {**annotations_of(cronjob), **edited}}
    assert owner_of({**cronjob, "metadata": metadata}) == ("", ObjectRef(kind="", name=""))


def test_the_dumps_of_a_workload_know_what_proves_them_only_where_it_verifies() -> None:
    def told(of: BackupSpec) -> tuple[Any, Any]:
        made = overlay(None, build_cronjob(of, settings(), "cluster", None))
        proof = env_of(made).get(variables.REQUIRED_PROOF)
        return proof, annotations_of(made).get(names.VERIFY_SCHEDULE)

    assert told(spec()) == (variables.PROOF_READ, "0 6 * * 0")
    assert told(spec(verify_schedule="none")) == (None, None)
    assert told(spec(verify_schedule="")) == (None, None)


def test_a_time_that_is_left_to_us_is_another_than_that_of_the_dump() -> None:
    of = spec(schedule="@daily-random", verify_schedule="@daily-random")
    dump = overlay(None, build_cronjob(of, settings(), "cluster", None))
    cronjob = built(of)
    assert cronjob["spec"]["schedule"] != dump["spec"]["schedule"]
    assert annotations_of(dump)[names.VERIFY_SCHEDULE] == cronjob["spec"]["schedule"]
    assert annotations_of(cronjob)[names.ASKED_SCHEDULE] == "@daily-random"
    assert cronjob["metadata"]["name"] == verify_cronjob_name(DB)
