"""What the controller builds of storages is what jobs read of them."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from controller.manifests.cronjob import build_cronjob
from controller.manifests.job_env import build_env
from controller.manifests.overlay import overlay
from controller.manifests.reading.reading_cronjob import reader_env
from controller.manifests.storages.sources import WRITER, Account, pruner_account, reader_account
from controller.manifests.verb_job import container_of, store_variables
from controller.model.objects import Json, ObjectRef
from controller.model.owner import Owner
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec
from controller.workloads.request import Request, parse_request
from dumpers.contract.env_reader import EnvReader
from dumpers.contract.jobs import DumpJob
from dumpers.contract.names import STORAGES
from dumpers.contract.storages import variables as storage_variables
from dumpers.contract.storages.location import S3Location
from dumpers.contract.storages.named_storage import read_storages
from dumpers.contract.storages.object_lock import ObjectLock
from dumpers.contract.storages.variables import named_variable
from dumpers.engines.registry import ENGINES
from tests.fakes.worlds import asks, settings

OWNER = Owner(namespace="demo", ref=ObjectRef(kind="StatefulSet", name="db"))
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
GRANTED = {
    "spec": {
        "bucketName": "granted",
        "secretS3": {
            "endpoint": "https://cosi.example",
            "region": "r",
            "accessKeyID": "cosi-id",
            "accessSecretKey": "cosi-secret",
        },
    }
}
# The Secrets and ConfigMaps of the control namespace.
OBJECTS: Mapping[str, Mapping[str, str]] = {
    "ksnapshot-cm": {"S3_BUCKET": "near", "S3_OBJECT_LOCK": "GOVERNANCE:3", "HTTPS_PROXY": "p"},
    "keys": {"AWS_ACCESS_KEY_ID": "near-id", "AWS_SECRET_ACCESS_KEY": "near-secret"},
    "reading": {"AWS_ACCESS_KEY_ID": "reading-id", "AWS_SECRET_ACCESS_KEY": "reading-secret"},
    "far-keys": {"AWS_ACCESS_KEY_ID": "far-id", "AWS_SECRET_ACCESS_KEY": "far-secret"},
    "far-reading": {"AWS_ACCESS_KEY_ID": "far-reader", "AWS_SECRET_ACCESS_KEY": "far-r-secret"},
    "far-ca": {"ca.crt": PEM},
    "granted": {"BucketInfo": json.dumps(GRANTED)},
}
DEFINED: dict[str, dict[str, Any]] = {
    "off-site": {
        "bucket": "far",
        "endpoint": "https://s3.far.example",
        "region": "eu-west-3",
        "path": "backups/here",
        "pathStyle": False,
        "credentialsSecret": "far-keys",
        "readerSecret": "far-reading",
        "ca": {"secret": "far-ca"},
        "storageClass": "STANDARD_IA",
        "sse": "aws:kms",
        "sseKmsKeyId": "alias/backups",
        "tags": "team=data,env=prod",
        "maxBandwidth": "10Mi",
        "patience": "2m",
        "uploadConcurrency": 4,
        "objectLock": {"mode": "COMPLIANCE", "days": 30},
    },
    "cosi": {"bucketInfoSecret": "granted"},
    "bare": {"bucket": "bare"},
}
FAR = S3Location(
    bucket="far",
    path="backups/here",
    region="eu-west-3",
    endpoint="https://s3.far.example",
    access_key="far-id",
    secret_key="far-secret",
    path_style=False,
    ca_bundle=PEM,
    storage_class="STANDARD_IA",
    sse="aws:kms",
    sse_kms_key_id="alias/backups",
    tags=(("team", "data"), ("env", "prod")),
    max_bandwidth=10 << 20,
    patience=120,
    upload_concurrency=4,
    object_lock=ObjectLock(mode="COMPLIANCE", days=30),
)
COSI = S3Location(
    bucket="granted",
    path="ksnapshot",
    endpoint="https://cosi.example",
    region="r",
    access_key="cosi-id",
    secret_key="cosi-secret",
)
NEAR = S3Location(
    bucket="near",
    path="ksnapshot",
    access_key="near-id",
    secret_key="near-secret",
    object_lock=ObjectLock(mode="GOVERNANCE", days=3),
)
BARE = S3Location(bucket="bare", path="ksnapshot")
PLACES = {"main": NEAR, "off-site": FAR, "cosi": COSI, "bare": BARE}


def how(**env: str) -> Settings:
    return settings(STORAGES=json.dumps(DEFINED), BACKUP_SECRET_NAME="keys", **env)


def spec(storage: str, where: Settings) -> BackupSpec:
    request = parse_request(asks(storage=storage), where)
    assert isinstance(request, Request)
    return BackupSpec(
        name="ksnapshot-postgresql-demo-db-x",
        owner=OWNER,
        engine=request.engine,
        request=request,
        host="db",
        port=1,
        credentials={item.variable: "x" for item in request.engine.credentials},
    )


def kubelet(env: list[Json], objects: Mapping[str, Mapping[str, str]] = OBJECTS) -> dict[str, str]:
    """The values that a container of these variables gets; KeyError where none begins."""
    given: dict[str, str] = {}
    for entry in env:
        source = next(iter(entry.get("valueFrom", {}).values()), None)
        if source is None:
            given[entry["name"]] = entry["value"].replace("$$", "$")
        elif source["name"].endswith("-credentials"):
            given[entry["name"]] = "x"
        elif source["key"] in objects.get(source["name"], {}) or not source.get("optional"):
            given[entry["name"]] = objects[source["name"]][source["key"]]
    return given


def read(env: list[Json]) -> dict[str, S3Location]:
    reader = EnvReader(kubelet(env))
    found = {item.name: item.location for item in read_storages(reader)}
    assert reader.faults == []
    return found


@pytest.mark.parametrize(
    "storage", ["main", "off-site", "main,off-site", "off-site,main,cosi,bare", "cosi,main", "bare"]
)
def test_a_dump_reads_what_is_built_for_it(storage: str) -> None:
    where = how()
    env = build_env(spec(storage, where), where, "cluster")
    names = storage.split(",")
    assert read(env) == {name: PLACES[name] for name in names}
    assert list(read(env)) == names
    given = kubelet(env)
    assert (STORAGES in given) is (names != ["main"])
    assert given["HTTPS_PROXY"] == "p"
    assert len({item["name"] for item in env}) == len(env)
    job = DumpJob.from_env(given | {"KSNAPSHOT_ENGINE": "postgresql", "HOSTNAME": "pod"}, ENGINES)
    assert [item.location for item in job.storages] == [PLACES[name] for name in names]


def test_every_variable_of_a_storage_can_be_said_of_a_named_one() -> None:
    known = {text for key, text in vars(storage_variables).items() if key.startswith("S3_")}
    where = how()
    said = {item["name"] for item in build_env(spec("off-site", where), where, "")} | {
        item["name"] for item in build_env(spec("cosi", where), where, "")
    }
    further = {item["name"] for item in build_env(spec("cosi,off-site", where), where, "")}
    assert known - said == set()
    # The references of a first storage are not optional, so its keys are there.
    assert storage_variables.KEYS_SAID not in said
    assert named_variable(storage_variables.KEYS_SAID, "off-site") in further


def test_no_value_of_a_secret_stands_in_the_object() -> None:
    where = how()
    text = json.dumps(build_env(spec("main,off-site,cosi", where), where, ""))
    assert not [secret for secret in ("near-secret", "far-secret", "cosi-secret") if secret in text]


def test_a_secret_that_is_missing_keeps_no_dump_from_its_first_storage() -> None:
    where = how()
    without = {name: data for name, data in OBJECTS.items() if not name.startswith("far-")}
    env = build_env(spec("main,off-site", where), where, "")
    given = kubelet(env, without)
    assert (given["BACKEND_S3_ACCESS_KEY"], "STORAGE_OFF_SITE__S3_ACCESS_KEY" in given) == (
        "near-id",
        False,
    )
    # Nor does it make the pod's own identity sign what goes there.
    reader = EnvReader(given)
    main, offsite = read_storages(reader)
    assert (main.fault, reader.faults) == ("", [])
    assert "the storage's Secret" in offsite.fault
    # As the keys of main always have: a first storage without keys would be no backup at all.
    with pytest.raises(KeyError):
        kubelet(build_env(spec("off-site,main", where), where, ""), without)


def test_workloads_share_the_variables_of_a_storage() -> None:
    where = how()
    first, second = (
        {item["name"]: item for item in build_env(spec("main,off-site", where), where, "")}
        for _ in range(2)
    )
    shared = [name for name in first if first[name] is second[name]]
    assert {"BACKEND_BUCKET", "STORAGE_OFF_SITE__BUCKET", "HTTP_PROXY"} <= set(shared)


READERS = {"READER_SECRET_NAME": "reading"}


@pytest.mark.parametrize(
    ("storage", "env", "name", "keys"),
    [
        ("main", {}, "main", "near-id"),
        ("main", READERS, "main", "reading-id"),
        ("main,off-site", READERS, "main", "reading-id"),
        ("off-site,main", {}, "off-site", "far-reader"),
        ("off-site", READERS, "off-site", "far-reader"),
        ("cosi,main", READERS, "cosi", "cosi-id"),
        ("bare,main", READERS, "bare", None),
    ],
)
def test_jobs_that_read_get_the_first_storage_and_the_keys_of_readers(
    storage: str, env: dict[str, str], name: str, keys: str | None
) -> None:
    where = how(**env)
    of_schedule = reader_env(spec(storage, where), where, "cluster", {})
    cronjob = overlay(None, build_cronjob(spec(storage, where), where, "cluster", None))
    by_hand = store_variables(container_of(cronjob), {"OWN": "x"}, reader_account(where))
    for found in (read(of_schedule), read(by_hand)):
        assert {key: place.access_key for key, place in found.items()} == {name: keys}
        assert found[name].bucket == PLACES[name].bucket
    assert kubelet(by_hand)["OWN"] == "x"
    assert not [item for item in by_hand if item["name"].startswith("STORAGE_")]


def test_who_deletes_has_the_keys_for_it_in_each_storage() -> None:
    defined: dict[str, Any] = {**DEFINED, "cosi": {**DEFINED["cosi"], "pruneSecret": "may-delete"}}
    where = settings(STORAGES=json.dumps(defined), PRUNE_SECRET_NAME="reading")
    account = pruner_account(where)
    assert (account.secret, account.of_storages) == ("reading", {"cosi": "may-delete"})
    cronjob = overlay(None, build_cronjob(spec("cosi", where), where, "cluster", None))
    env = {item["name"]: item for item in store_variables(container_of(cronjob), {}, account)}
    source = env["BACKEND_S3_BUCKET_INFO"]["valueFrom"]["secretKeyRef"]
    assert source == {"name": "may-delete", "key": "BucketInfo"}
    assert "BACKEND_S3_ACCESS_KEY" not in env


def test_an_account_of_other_storages_alone_is_that_of_dumps_in_main() -> None:
    assert Account(of_storages={"off-site": "x"}) == WRITER
