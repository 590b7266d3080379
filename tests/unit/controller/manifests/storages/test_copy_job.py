"""The Job that copies a backup, made from a dump CronJob and the storages of the install."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from controller.cli.backup_verbs.copy import nearest_other
from controller.manifests.storages.copy_job import build_copy_job, why_not_copied
from controller.manifests.storages.of_cronjob import storages_of
from controller.manifests.verb_job import VerbJob, container_of
from controller.model.objects import Json
from controller.settings.settings import Settings
from dumpers.contract.copy.jobs import CopyJob
from dumpers.engines.registry import ENGINES
from tests.fakes.worlds import settings
from tests.unit.controller.manifests.test_restore_job import cronjob

WANTED = VerbJob(
    name="ksnapshot-copy-db-12345678-abcde",
    verb="copy",
    deadline=60,
    keep=600,
    env={"KSNAPSHOT_BACKUP": "r1"},
)
DEFINED: Mapping[str, Any] = {
    "off-site": {
        "bucket": "off-bucket",
        "path": "there",
        "credentialsSecret": "off-keys",
        "readerSecret": "off-reader",
        "objectLock": {"mode": "COMPLIANCE", "days": 30},
    },
    "old": {"bucket": "old-bucket", "credentialsSecret": "off-keys", "accessMode": "ReadOnly"},
    "retired": {"bucket": "former", "credentialsSecret": "off-keys", "namespaces": []},
    "others": {"bucket": "other-bucket", "credentialsSecret": "off-keys", "namespaces": ["other"]},
}


def install(**env: str) -> Settings:
    return settings(STORAGES=json.dumps(DEFINED), BACKUP_SECRET_NAME="keys", **env)


def read(job: dict[str, Any]) -> CopyJob:
    """What the Job reads of its environment, in which a key is the name of its Secret."""
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["copy"]
    env = {"HOSTNAME": "pod"}
    for item in container["env"]:
        source = item.get("valueFrom", {})
        if "secretKeyRef" in source:
            env[item["name"]] = source["secretKeyRef"]["name"]
        elif "configMapKeyRef" not in source:
            env[item["name"]] = item["value"]
        elif source["configMapKeyRef"]["key"] == "S3_BUCKET":
            env[item["name"]] = "main-bucket"
    return CopyJob.from_env(env)


def copy(source: str, target: str, **env: str) -> CopyJob:
    made = cronjob(ENGINES[0])
    return read(build_copy_job(made, WANTED, install(**env), source=source, target=target))


@pytest.mark.parametrize(
    ("env", "keys"),
    [
        ({}, "keys"),
        ({"READER_SECRET_NAME": "reading"}, "reading"),
        # The pod has the account of the dumps.
        ({"READER_SERVICE_ACCOUNT_NAME": "reader"}, "keys"),
    ],
)
def test_main_is_read_and_another_storage_written(env: Mapping[str, str], keys: str) -> None:
    found = copy("main", "off-site", **env)
    assert (found.source.name, found.target.name, found.backup) == ("main", "off-site", "r1")
    source, target = found.source.location, found.target.location
    assert (source.bucket, source.path, source.access_key) == ("main-bucket", "ksnapshot", keys)
    assert (target.bucket, target.path, target.access_key) == ("off-bucket", "there", "off-keys")
    assert target.object_lock is not None
    assert found.cronjob == "ksnapshot-x-db-12345678"


def test_another_storage_is_read_and_main_written() -> None:
    found = copy("off-site", "main", READER_SECRET_NAME="reading")
    source, target = found.source.location, found.target.location
    assert (found.source.name, source.bucket, source.access_key) == (
        "off-site",
        "off-bucket",
        "off-reader",
    )
    assert (target.bucket, target.access_key) == ("main-bucket", "keys")


def test_the_login_of_the_database_is_left_out() -> None:
    engine = ENGINES[0]
    job = build_copy_job(cronjob(engine), WANTED, install(), source="main", target="off-site")
    [container] = job["spec"]["template"]["spec"]["containers"]
    named = {item["name"] for item in container["env"]}
    assert not named & {engine.host_variable, *(item.variable for item in engine.credentials)}
    assert len(named) == len(container["env"])


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("main", "off-site", ""),
        ("off-site", "main", ""),
        ("old", "main", ""),
        ("main", "main", "main is where the backup is copied from, too"),
        ("main", "old", "the storage old is only read"),
        ("main", "others", "the storage others is not for namespace demo"),
        ("main", "none", "the storage none is not there"),
        ("others", "main", "the storage others is not there, or not for namespace demo"),
        ("none", "main", "the storage none is not there"),
        ("retired", "main", "the storage retired is not there, or not for namespace demo"),
    ],
)
def test_a_copy_that_may_not_be_made_is_refused(source: str, target: str, said: str) -> None:
    why = why_not_copied(cronjob(ENGINES[0]), install(), source=source, target=target)
    assert why.startswith(said)
    assert bool(why) == bool(said)


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("retired", "main", ""),
        ("others", "main", ""),
        # Nothing says any more where it is, or with which keys.
        ("gone", "main", "the storage gone is not there"),
        # It gets what the CronJob writes, and nothing more.
        ("main", "retired", "the storage retired is not for namespace demo"),
    ],
)
def test_a_retired_storage_that_the_cronjob_names_is_copied_from(
    source: str, target: str, said: str
) -> None:
    """As it is verified and restored from: what uses it goes on."""
    made = cronjob(ENGINES[0])
    named = {"name": "KSNAPSHOT_STORAGES", "value": "main,retired,others,gone"}
    container_of(made)["env"].append(named)
    why = why_not_copied(made, install(), source=source, target=target)
    assert why.startswith(said)
    assert bool(why) == bool(said)
    if not why:
        found = read(build_copy_job(made, WANTED, install(), source=source, target=target))
        assert found.source.location.bucket == DEFINED[source]["bucket"]


@pytest.mark.parametrize(
    ("listed", "target", "source"),
    [
        ("", "off-site", "main"),
        ("", "main", "main"),
        ("main,off-site", "off-site", "main"),
        ("main,off-site", "main", "off-site"),
    ],
)
def test_the_storage_to_copy_from(listed: str, target: str, source: str) -> None:
    made = cronjob(ENGINES[0])
    if listed:
        entries: list[Json] = container_of(made)["env"]
        entries.append({"name": "KSNAPSHOT_STORAGES", "value": listed})
    assert nearest_other(storages_of(made), target) == source
