"""What the chart's objects are called, where they are, and which images they run."""

import json

import pytest

from tests.integration.chart.helm import (
    HelmError,
    container,
    environment,
    find,
    pod_template,
    render,
)
from tests.testbed.cluster.kubernetes_api import openapi

_EVERYTHING = (
    "--set=prune.enabled=true,clusterName=c,replicaCount=2,drill.networkPolicy=true",
    "--set=secret.create=true,secret.awsAccessKeyId=a,secret.awsSecretAccessKey=b",
    "--set=admissionPolicy.enabled=true,reader.serviceAccount.create=true",
    "--set=metrics.serviceMonitor.enabled=true,metrics.podMonitor.enabled=true",
    "--set=metrics.prometheusRule.enabled=true,metrics.dashboard.enabled=true",
)
_DIGEST = f"sha256:{'4f' * 32}"
_ENGINES = ("mysql.v5_7", "mysql.v8", "postgresql.v16", "elasticsearch", "clickhouse")


def test_objects_are_where_the_override_says() -> None:
    objects = render(*_EVERYTHING, "--set=namespaceOverride=elsewhere")
    places = {item["metadata"].get("namespace", "") for item in objects}
    assert places == {"", "elsewhere", "default"}
    for item in objects:
        assert {one["namespace"] for one in item.get("subjects", ())} <= {"elsewhere"}
    binding = find(objects, "ValidatingAdmissionPolicyBinding", "ksnapshot-elsewhere-jobs", "")
    selector = binding["spec"]["matchResources"]["namespaceSelector"]
    assert selector["matchLabels"] == {"kubernetes.io/metadata.name": "elsewhere"}


def test_common_labels_and_annotations_are_on_every_object() -> None:
    objects = render(
        *_EVERYTHING,
        "--set=commonLabels.team=data,commonAnnotations.owner=us,podLabels.team=pods",
        "--set=serviceAccount.annotations.owner=account",
    )
    for item in objects:
        metadata = item["metadata"]
        assert metadata["labels"]["team"] == "data"
        assert item["kind"] == "Pod" or metadata["labels"]["app.kubernetes.io/managed-by"] == "Helm"
        is_account = item["kind"] == "ServiceAccount" and metadata["name"] == "ksnapshot"
        assert metadata["annotations"]["owner"] == ("account" if is_account else "us")
    deployment = find(objects, "Deployment", "ksnapshot")
    assert "team" not in deployment["spec"]["selector"]["matchLabels"]
    # What is said of the pods alone wins.
    assert pod_template(deployment)["metadata"]["labels"]["team"] == "pods"
    pruning = pod_template(find(objects, "CronJob", "ksnapshot-prune"))["metadata"]
    assert (pruning["labels"]["team"], pruning["annotations"]["owner"]) == ("data", "us")


def test_a_registry_takes_the_place_of_the_published_one() -> None:
    objects = render(
        *_EVERYTHING,
        "--set=global.imageRegistry=r.example:5000/mirror/,dumperImages.clickhouse=own/click:1",
    )
    assert container(objects)["image"] == "r.example:5000/mirror/clickandmortar/ksnapshot:0.7.0"
    published = "r.example:5000/mirror/clickandmortar/ksnapshot-dumper"
    images = environment(objects)
    assert images["MYSQL_DUMPER_IMAGE_8"] == f"{published}-mysql-8:0.7.0"
    assert images["CLICKHOUSE_DUMPER_IMAGE"] == "own/click:1"
    [job] = pod_template(find(objects, "CronJob", "ksnapshot-prune"))["spec"]["containers"]
    assert job["image"] == f"{published}-postgresql-16:0.7.0"
    policy = find(objects, "ValidatingAdmissionPolicy", "ksnapshot-backup-jobs", "")
    assert f"{published}-mysql-8:0.7.0" in str(policy["spec"]["variables"])


def test_a_digest_is_part_of_the_image() -> None:
    digests = [f"--set=dumperDigests.{path}={_DIGEST}" for path in _ENGINES]
    objects = render(*_EVERYTHING, f"--set=image.digest={_DIGEST}", *digests)
    assert container(objects)["image"] == f"ghcr.io/clickandmortar/ksnapshot:0.7.0@{_DIGEST}"
    images = [text for name, text in environment(objects).items() if "DUMPER_IMAGE" in name]
    assert len(images) == len(_ENGINES)
    for image in images:
        assert image
        assert image.endswith(f":0.7.0@{_DIGEST}")
    [job] = pod_template(find(objects, "CronJob", "ksnapshot-prune"))["spec"]["containers"]
    assert job["image"] in images


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            f"dumperDigests.mysql.v8={_DIGEST},dumperImages.mysql.v8=own/mysql:1",
            "dumperDigests.mysql.v8 is for the published image, and dumperImages.mysql.v8 names",
        ),
        (
            r"commonLabels.app\.kubernetes\.io/name=x",
            "commonLabels must not set app.kubernetes.io/name",
        ),
        (
            r"commonAnnotations.helm\.sh/hook=test",
            "commonAnnotations must not set helm.sh/hook",
        ),
        (
            r"commonAnnotations.ksnapshot\.clickandmortar\.fr/enabled=x",
            "commonAnnotations must not set ksnapshot.clickandmortar.fr/enabled",
        ),
    ],
)
def test_what_belongs_to_the_chart_is_refused(values: str, sentence: str) -> None:
    with pytest.raises(HelmError) as refused:
        render(f"--set={values}")
    assert sentence in str(refused.value)


@pytest.mark.parametrize("word", ["2024", "on", "007", "null", "1e3"])
def test_names_that_yaml_takes_for_something_else_stay_names(word: str) -> None:
    """Whatever is rendered: quoted, for what is not a text in YAML is no name."""
    objects = render(
        *_EVERYTHING,
        f"--set-json=watchNamespaces={json.dumps([word])}",
        f"--set-string=namespaceOverride={word},fullnameOverride={word},nameOverride={word}",
        f"--set-string=serviceAccount.name={word},backupJob.serviceAccount.name={word}",
        f"--set-string=prune.serviceAccount.name={word},reader.serviceAccount.name={word}",
        "--set=networkPolicy.enabled=true,leaderElection.enabled=true",
        release=word,
    )
    known = openapi("v1.36.3")
    faults = {item["kind"]: known.faults(item) for item in objects}
    assert {kind: found for kind, found in faults.items() if found} == {}
    for item in objects:
        metadata = item["metadata"]
        assert isinstance(metadata["name"], str)
        assert metadata.get("namespace", word) == word
        assert metadata["labels"].get("app.kubernetes.io/name", word) == word
        assert metadata["labels"].get("app.kubernetes.io/instance", word) == word
    accounts = [item for item in objects if item["kind"] == "ServiceAccount"]
    assert {item["metadata"]["name"] for item in accounts} == {word}
    pod = pod_template(find(objects, "Deployment", word, word))["spec"]
    assert pod["serviceAccountName"] == word
