"""Every block of docs/gitops.md is read, and its values are rendered by helm and fit the schema."""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import hcl2
import jsonschema
import pytest

from tests import libyaml
from tests.integration.chart.helm import CHART, find, render
from tests.paths import GOLDEN, REPOSITORY

_PAGE = (REPOSITORY / "docs" / "gitops.md").read_text()
_VERSION = libyaml.read((CHART / "Chart.yaml").read_text())["version"]
_SCHEMA = json.loads((CHART / "values.schema.json").read_text())

Json = dict[str, Any]


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL)


_OBJECTS = [item for block in _blocks("yaml") for item in libyaml.read_all(block)]


def _of(kind: str) -> list[Json]:
    return [item for item in _OBJECTS if item["kind"] == kind]


def _terraform() -> Json:
    (block,) = _blocks("terraform")
    (resource,) = hcl2.loads(block)["resource"]
    release: Json = resource['"helm_release"']['"ksnapshot"']
    return release


def _values_of_terraform() -> Json:
    (text,) = _terraform()["values"]
    heredoc = re.fullmatch(r'"<<-YAML\n(.*)\n *YAML"', text, re.DOTALL)
    assert heredoc
    values: Json = libyaml.read(textwrap.dedent(heredoc[1]))
    return values


(_APPLICATION,) = _of("Application")
_FROM_REGISTRY, _FROM_REPOSITORY = _of("HelmRelease")


@pytest.mark.parametrize(
    "values",
    [
        _APPLICATION["spec"]["source"]["helm"]["valuesObject"],
        _FROM_REGISTRY["spec"]["values"],
        _FROM_REPOSITORY["spec"]["values"],
        _values_of_terraform(),
    ],
    ids=["argo-cd", "flux-registry", "flux-repository", "terraform"],
)
def test_the_values_are_rendered_and_fit_the_schema(values: Json, tmp_path: Path) -> None:
    jsonschema.validate(values, _SCHEMA)
    file = tmp_path / "values.yaml"
    file.write_text(json.dumps(values), encoding="utf-8")
    objects = render(f"--values={file}")
    store = find(objects, "ConfigMap", "ksnapshot-cm")
    assert store["data"]["S3_BUCKET"] == values["s3"]["bucket"]
    watched = {item["metadata"]["namespace"] for item in objects if item["kind"] == "Role"}
    assert set(values["rbac"]["watchNamespaces"]) < watched


def test_every_block_names_this_version_of_the_chart() -> None:
    source = _APPLICATION["spec"]["source"]
    (oci,) = _of("OCIRepository")
    named = [
        (f"{source['repoURL']}/{source['chart']}", source["targetRevision"]),
        (oci["spec"]["url"].removeprefix("oci://"), oci["spec"]["ref"]["tag"]),
    ]
    release = {key: str(value).strip('"') for key, value in _terraform().items()}
    repository = release["repository"].removeprefix("oci://")
    named.append((f"{repository}/{release['chart']}", release["version"]))
    assert set(named) == {("ghcr.io/clickandmortar/charts/ksnapshot", _VERSION)}
    assert _FROM_REPOSITORY["spec"]["chart"]["spec"]["version"] == _VERSION


def test_releases_take_the_chart_from_the_source_beside_them() -> None:
    (oci,), (repository,) = _of("OCIRepository"), _of("HelmRepository")
    ref = _FROM_REGISTRY["spec"]["chartRef"]
    source = _FROM_REPOSITORY["spec"]["chart"]["spec"]["sourceRef"]
    assert ref == {"kind": "OCIRepository", "name": oci["metadata"]["name"]}
    assert source == {"kind": "HelmRepository", "name": repository["metadata"]["name"]}


def test_there_are_no_crds_and_nothing_that_the_chart_makes_is_ours_to_change() -> None:
    assert not (CHART / "crds").exists()
    objects = render("--set=s3.bucket=b")
    assert not [item for item in objects if item["kind"] == "CustomResourceDefinition"]
    # What the controller makes has another name or kind than all that the chart makes.
    made = {(item["kind"], item["metadata"]["name"]) for item in objects}
    assert not made & {("ConfigMap", "ksnapshot-status"), ("Lease", "ksnapshot-leader")}
    assert not [name for kind, name in made if kind == "CronJob"]


def test_argo_cd_is_told_to_leave_alone_what_the_controller_makes() -> None:
    (project,) = _of("AppProject")
    ignored = {item["kind"] for item in project["spec"]["orphanedResources"]["ignore"]}
    assert ignored == {"CronJob", "Job", "Lease", "ConfigMap"}


def test_no_label_of_what_the_controller_makes_is_one_that_argo_cd_tracks_by() -> None:
    made = [
        step["object"]["metadata"]
        for plan in GOLDEN.glob("operators/*/plan.yaml")
        for item in libyaml.read(plan.read_text())["items"]
        for step in item["steps"]
        if "create" in step
    ]
    assert len(made) > 40
    kept = {key for metadata in made for key in (*metadata["labels"], *metadata["annotations"])}
    assert "app.kubernetes.io/managed-by" in kept
    assert not [key for key in kept if "argocd" in key or key == "app.kubernetes.io/instance"]
