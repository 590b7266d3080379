"""Further storages, from the chart's values to the settings, Secrets and Jobs that come of them."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.manifests.storages.sources import WRITER, pruner_account, sources_of
from controller.manifests.storages.storage_env import further, places
from controller.model import names
from controller.settings.settings import Settings
from dumpers.contract.retention.jobs import PruneJob
from tests.integration.chart.helm import HelmError, environment, find, render, settings_of

_LONGEST = "a" * 32
_STORAGES: dict[str, Any] = {
    "main": {"namespaces": ["shop-*"]},
    "offsite": {
        "bucket": "far",
        "endpoint": "https://s3.far.example",
        "region": "eu-west-3",
        "path": "backups/here",
        "pathStyle": False,
        "credentialsSecret": "far-keys",
        "readerSecret": "far-reading",
        "pruneSecret": "far-deleting",
        "ca": {"configMap": "far-ca", "key": "bundle.pem"},
        "storageClass": "STANDARD_IA",
        "sse": "aws:kms",
        "sseKmsKeyId": "alias/backups",
        "tags": "team=data,env=prod",
        "maxBandwidth": "10Mi",
        "patience": "2m",
        "uploadConcurrency": 4,
        "objectLock": {"mode": "COMPLIANCE", "days": 30},
        "namespaces": ["shop-*", "billing"],
    },
    "cosi": {"bucketInfoSecret": "granted", "ca": {"secret": "cosi-ca"}},
    "archive": {"bucket": "old", "accessMode": "ReadOnly"},
    "retired": {"bucket": "former", "credentialsSecret": "former-keys", "namespaces": []},
    _LONGEST: {"bucket": "long"},
}


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Any:
    values = tmp_path_factory.mktemp("chart") / "values.yaml"
    given = {
        "clusterName": "c",
        "prune": {"enabled": True},
        "admissionPolicy": {"enabled": True},
        "storages": _STORAGES,
    }
    values.write_text(yaml.safe_dump(given))
    return render("--values", str(values), "--set=s3.bucket=near")


def test_the_controller_reads_what_the_chart_says(objects: Any) -> None:
    settings = settings_of(objects)
    assert list(settings.storages) == sorted(_STORAGES)
    assert set(settings.storages_for("billing")) == {"offsite", "cosi", _LONGEST}
    assert set(settings.storages_for("shop-1")) == {"main", "offsite", "cosi", _LONGEST}


def env_of(cronjob: Any) -> list[Any]:
    pod = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    env: list[Any] = pod["containers"][0]["env"]
    return env


@pytest.mark.parametrize(
    ("storage", "name"),
    [
        ("main", "ksnapshot-prune"),
        ("offsite", "ksnapshot-prune-offsite"),
        ("cosi", "ksnapshot-prune-cosi"),
        ("retired", "ksnapshot-prune-retired"),
        (_LONGEST, f"ksnapshot-prune-{_LONGEST}"),
    ],
)
def test_every_storage_that_is_written_has_its_prune_as_the_controller_would_make_it(
    objects: Any, storage: str, name: str
) -> None:
    settings = settings_of(objects)
    cronjob = find(objects, "CronJob", name)
    given = {item["name"]: item for item in env_of(cronjob)}
    sources = sources_of((storage,), settings, pruner_account(settings))
    made = (*places(sources), *further(sources, settings.backup_configmap_name))
    own = {"KSNAPSHOT_CLUSTER", "KSNAPSHOT_DEADLINE_SECONDS", "KSNAPSHOT_RETENTION_FLOOR"}
    assert {item["name"]: item for item in made} == {
        key: item for key, item in given.items() if key not in own
    }
    annotations = cronjob["spec"]["jobTemplate"]["metadata"]["annotations"]
    assert annotations.get(names.STORAGE, "main") == storage
    assert len(name) <= names.MAX_CRONJOB_NAME


def test_prune_reads_the_place_of_its_storage(objects: Any) -> None:
    cronjob = find(objects, "CronJob", "ksnapshot-prune-offsite")
    given = {item["name"]: item["value"] for item in env_of(cronjob) if "value" in item}
    job = PruneJob.from_env(given | {"HOSTNAME": "pod"})
    place = job.location
    assert (place.bucket, place.path, place.endpoint) == (
        "far",
        "backups/here",
        "https://s3.far.example",
    )
    assert place.object_lock is not None
    assert (place.object_lock.days, place.upload_concurrency, place.patience) == (30, 4, 120)


def test_releases_whose_names_begin_alike_have_their_own_prunes() -> None:
    shared = "backups-of-the-team-that-looks-after-databases"
    on = "--set=prune.enabled=true,clusterName=c,s3.bucket=near"
    further = [f"--set=storages.{name}.bucket=b" for name in ("far", _LONGEST)]
    made = [
        item["metadata"]["name"]
        for release in (f"{shared}-1", f"{shared}-2")
        for item in render(on, *further, release=release)
        if item["kind"] == "CronJob"
    ]
    assert len(set(made)) == len(made) == 6
    assert max(map(len, made)) <= names.MAX_CRONJOB_NAME


@pytest.mark.parametrize(
    ("given", "pruned"),
    [
        ({}, {"offsite"}),
        ({"s3.bucket": "near"}, {"main", "offsite"}),
        ({"existingConfigMap": "own"}, {"main", "offsite"}),
        # So that the missing bucket is told.
        ({"storages": "null"}, {"main"}),
    ],
    ids=["no main", "bucket", "ConfigMap", "nothing"],
)
def test_main_is_pruned_where_there_is_one(given: dict[str, str], pruned: set[str]) -> None:
    more = [f"--set={name}={value}" for name, value in given.items()]
    further = () if "storages" in given else ("--set=storages.offsite.bucket=far",)
    objects = render("--set=prune.enabled=true,clusterName=c", *further, *more)
    jobs = [item["spec"]["jobTemplate"] for item in objects if item["kind"] == "CronJob"]
    found = {job["metadata"]["annotations"].get(names.STORAGE, "main") for job in jobs}
    assert found == pruned
    assert (environment(objects)["MAIN_STORAGE"] == "true") is ("main" in pruned)


def test_nothing_prunes_what_is_only_read(objects: Any) -> None:
    made = {item["metadata"]["name"] for item in objects if item["kind"] == "CronJob"}
    assert not [name for name in made if "archive" in name]
    assert len(made) == len(_STORAGES) - 1


def test_jobs_may_use_the_secrets_of_storages_and_no_others(objects: Any) -> None:
    policy = next(item for item in objects if item["kind"] == "ValidatingAdmissionPolicy")
    listed = {item["name"]: item["expression"] for item in policy["spec"]["variables"]}
    secrets = set(json.loads(listed["secrets"]))
    own = {"far-keys", "far-reading", "far-deleting", "granted", "cosi-ca", "former-keys"}
    assert secrets == own | {"ksnapshot-secret"}
    # Who has its keys may delete.
    assert '"far-deleting"' in listed["deletes"]
    assert '"far-keys"' not in listed["deletes"]


@pytest.mark.parametrize(
    ("values", "deleting"),
    [
        ({"existingSecret": "shared"}, ["other"]),
        ({"reader": {"existingSecret": "shared"}}, ["other"]),
        ({"secret": {"create": True}}, ["other", "shared"]),
    ],
    ids=json.dumps,
)
def test_a_secret_that_dumps_have_is_no_deleting_one(
    values: dict[str, Any], deleting: list[str], tmp_path: Path
) -> None:
    keys = {"awsAccessKeyId": "a", "awsSecretAccessKey": "b"}
    given = values | {
        "secret": values.get("secret", {}) | keys,
        "clusterName": "c",
        "prune": {"enabled": True, "existingSecret": "far-keys"},
        "admissionPolicy": {"enabled": True},
        "storages": {
            "far": {"bucket": "far", "credentialsSecret": "far-keys", "pruneSecret": "shared"},
            "farther": {"bucket": "farther", "pruneSecret": "other"},
        },
    }
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(given))
    objects = render("--values", str(file))
    policy = next(item for item in objects if item["kind"] == "ValidatingAdmissionPolicy")
    deletes = {v["name"]: v["expression"] for v in policy["spec"]["variables"]}["deletes"]
    assert [name for name in ("far-keys", "other", "shared") if f'"{name}"' in deletes] == deleting


def test_without_storages_there_is_one_prune_of_main_alone() -> None:
    objects = render("--set=s3.bucket=near,clusterName=c,prune.enabled=true")
    (cronjob,) = [item for item in objects if item["kind"] == "CronJob"]
    assert cronjob["metadata"]["name"] == "ksnapshot-prune"
    assert not [item for item in env_of(cronjob) if item["name"].startswith("KSNAPSHOT_STORAGES")]
    assert settings_of(objects).storages == {}
    assert pruner_account(Settings.from_env({"WATCH_NAMESPACES": "a"})) == WRITER


@pytest.mark.parametrize(
    "storages",
    [
        {"Offsite": {"bucket": "b"}},
        {"off_site": {"bucket": "b"}},
        {"a" * 33: {"bucket": "b"}},
        {"main": {"bucket": "b"}},
        {"offsite": {"bukcet": "b"}},
        {"offsite": {"accessMode": "WriteOnly"}},
        {"offsite": {"objectLock": {"mode": "COMPLIANCE"}}},
        {"offsite": {"objectLock": {"mode": "HARD", "days": 3}}},
        {"offsite": {"uploadConcurrency": 17}},
        {"offsite": {"endpoint": "s3.example"}},
        {"offsite": {"endpoint": "https://user:password@s3.example"}},
        {"offsite": {"namespaces": ["Shop"]}},
        {"offsite": {"ca": {"file": "x"}}},
        {"offsite": {"credentialsSecret": "Keys"}},
    ],
    ids=json.dumps,
)
def test_the_schema_refuses_before_anything_is_installed(
    storages: dict[str, Any], tmp_path: Path
) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump({"storages": storages}))
    with pytest.raises(HelmError, match="storages"):
        render("--values", str(values))
