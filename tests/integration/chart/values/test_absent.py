"""Values that are absent, as `helm upgrade --reuse-values` from 0.6.0 leaves them, or null."""

import functools
import re
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import libyaml
from tests.integration.chart.helm import CHART, OLD_VALUES, find, helm, render, settings_of
from tests.testbed.cluster.kubernetes_api import RELEASES, openapi

_OLD: dict[str, Any] = libyaml.read(OLD_VALUES.read_text()) | {"existingConfigMap": ""}
_NOW: dict[str, Any] = libyaml.read((CHART / "values.yaml").read_text())
_DIGEST = f"sha256:{'05' * 32}"
# What 0.6.0 did not have, and nobody gets unasked.
_UNASKED = ("--set=prune.serviceAccount.create=false,rbac.createUserRoles=false",)
_SWITCHES = (
    "clusterName=c",
    "replicaCount=2",
    "podDisruptionBudget.enabled=true",
    "podDisruptionBudget.maxUnavailable=2,replicaCount=3",
    "leaderElection.enabled=true",
    "global.imageRegistry=r.example:5000/mirror",
    "image.tag=9.9.9",
    f"image.digest={_DIGEST}",
    f"dumperDigests.clickhouse={_DIGEST}",
    "dumperImages.clickhouse=own/click:1",
    "dumperImages.mysql.v8=",
    "namespaceOverride=elsewhere",
    "commonLabels.team=data,commonAnnotations.owner=us",
    "rbac.watchNamespaces=*",
    "rbac.watchNamespaces=*,watchNamespaceSelector=team=shop",
    "rbac.watchNamespaces=a,rbac.readNames.a.secrets[0]=db",
    "controller.httpPort=9000",
    "controller.unwatchedPolicy=delete",
    "notifications.existingSecret=hooks",
    "statusPage.listen=0.0.0.0:8081",
    "backupJob.maxConcurrent=2",
    "backupJob.pod.priorityClassName=low",
    "retention.policy=keep-last=3",
    "verify.schedule=@weekly-random",
    "drill.schedule=@weekly-random",
    "drill.images.mysql=r/mysql:{major}",
    "drill.networkPolicy=true",
    "drill.volume.limit=40Gi",
    "prune.enabled=true,clusterName=c",
    "prune.enabled=true,clusterName=c,prune.serviceAccount.name=theirs",
    "prune.enabled=true,clusterName=c,prune.existingSecret=deletes",
    "prune.enabled=true,clusterName=c,admissionPolicy.enabled=true",
    "reader.existingSecret=reads",
    "reader.serviceAccount.create=true",
    "reader.serviceAccount.name=theirs",
    "admissionPolicy.enabled=true",
    "networkPolicy.enabled=true",
    "networkPolicy.enabled=true,drill.networkPolicy=true",
    "limits.workloadsPerNamespace=3",
    "encryption.enforced=true",
    "identitySecret=identity",
    "proof.signingKeySecret=signing",
    "bootstrap.from=All",
    "storages.offsite.bucket=offsite",
    "storages.offsite.bucket=offsite,prune.enabled=true,clusterName=c",
    "s3.region=eu-west-3,s3.endpoint=https://s3.example",
    "metrics.annotations=true",
    "metrics.service.enabled=true",
    "metrics.serviceMonitor.enabled=true",
    "metrics.podMonitor.enabled=true",
    "metrics.prometheusRule.enabled=true",
    "metrics.prometheusRule.enabled=true,metrics.prometheusRule.additionalLabels.team=data",
    "metrics.dashboard.enabled=true",
    "extraObjects[0].apiVersion=v1,extraObjects[0].kind=Secret,extraObjects[0].metadata.name=a",
)
_ALL = (
    "--set=prune.enabled=true,clusterName=c,drill.schedule=@weekly-random,replicaCount=2",
    "--set=networkPolicy.enabled=true,admissionPolicy.enabled=true",
    "--set=storages.offsite.bucket=offsite,storages.offsite.credentialsSecret=k",
    "--set=reader.serviceAccount.create=true,metrics.serviceMonitor.enabled=true",
    "--set=metrics.podMonitor.enabled=true,metrics.prometheusRule.enabled=true",
    "--set=metrics.dashboard.enabled=true,s3.bucket=b",
)
# Not the default, as their comments say; and those that switch something on above.
_ELSE = re.compile(
    r"^(prune|reader|storages|metrics|networkPolicy|admissionPolicy|drill"
    r"|drill\.schedule|prune\.(enabled|serviceAccount(\.create)?)|\w+\.enabled|metrics\.\w+(\.enabled)?"
    r"|reader\.serviceAccount(\.create)?|rbac\.createUserRoles"
    r"|(backupJob\.pod\.)?podSecurityContext\.(runAs(User|Group)|fsGroup))$"
)
_NAMES = {"name", "serviceAccountName", "secretName", "namespace", "image"}


def _new_since(old: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The values that an older release did not have, maps and what is in them."""
    for name, value in now.items():
        is_map = isinstance(value, dict)
        if name not in old:
            yield f"{path}{name}"
        if is_map and isinstance(old.get(name, {}), dict):
            yield from _new_since(old.get(name, {}), value, f"{path}{name}.")


def _is_given(path: str) -> bool:
    """Whether null may stand there: what must hold has no other value."""
    needed = r"^clusterName$|SecurityContext\.(?!runAsUser|runAsGroup|fsGroup)"
    return re.search(needed, path) is None


_NULLABLE = tuple(filter(_is_given, _new_since(_OLD, _NOW)))


@pytest.fixture(scope="module")
def reused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart as `--reuse-values` takes it: with the values of 0.6.0 as the only defaults."""
    chart = tmp_path_factory.mktemp("reused") / "ksnapshot"
    shutil.copytree(CHART, chart)
    (chart / "values.yaml").write_text(yaml.safe_dump(_OLD))
    return chart


def _faults(value: object, path: str = "") -> Iterator[str]:
    """Where there is nothing, or what templates make of nothing."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if inner is None or (name in _NAMES and inner == ""):
                yield f"{path}.{name} is empty"
            yield from _faults(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            if path.endswith(".egress") and inner == {}:
                yield f"{path}[{at}] lets everything through"
            yield from _faults(inner, f"{path}[{at}]")
    elif isinstance(value, str) and re.search(r"<nil>|<no value>|%!", value):
        yield f"{path} is {value[:80]}"


_known = functools.cache(openapi)


def _wrong(objects: list[dict[str, Any]], release: str = "v1.36.3") -> list[str]:
    """What is empty, and what Kubernetes does not take."""
    known = _known(release)
    return [
        f"{item['kind']} {item['metadata'].get('name')}: {fault}"
        for item in objects
        for fault in (*_faults(item), *(known.faults(item) or ()))
    ]


def _shown(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The objects by kind and name, the controller's variables as its settings."""
    shown: dict[str, Any] = {}
    settings = settings_of(objects, CONTROL_NAMESPACE="backup")
    shown["settings"] = {name: getattr(settings, name) for name in settings.__slots__}
    for item in objects:
        spec = item.get("spec", {})
        pod = {"Pod": spec, "Deployment": spec.get("template", {}).get("spec", {})}
        for made in pod.get(item["kind"], {}).get("containers", ()):
            made.pop("env")
        shown[f"{item['kind']} {item['metadata']['name']}"] = item
    return shown


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = {name for name in (*one, *other) if one.get(name) != other.get(name)}
    return {name: (one.get(name), other.get(name)) for name in sorted(names)}


def test_reused_values_lack_what_is_new(reused: Path) -> None:
    assert libyaml.read((reused / "values.yaml").read_text()) == _OLD
    assert {"networkPolicy", "networkPolicy.dnsPorts", "s3.pathStyle"} <= {*_NULLABLE}


@pytest.mark.parametrize("switch", ["s3.bucket=backups", *_SWITCHES])
def test_what_is_switched_on_after_reuse_is_what_the_defaults_make_of_it(
    switch: str, reused: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old.yaml"
    old.write_text(yaml.safe_dump(_OLD))
    found = render(*_UNASKED, f"--set={switch}", chart=reused)
    whole = render(f"--values={old}", *_UNASKED, f"--set={switch}")
    assert _wrong(found) == []
    assert _differing(_shown(found), _shown(whole)) == {}


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("switch", ["s3.bucket=backups", "prune.enabled=true,clusterName=c"])
def test_kubernetes_takes_what_reuse_makes(switch: str, release: str, reused: Path) -> None:
    assert _wrong(render(f"--set={switch}", chart=reused), release) == []


@pytest.mark.parametrize("switch", ["s3.bucket=backups", "prune.enabled=true,clusterName=c"])
def test_the_notes_after_reuse_lack_no_name(switch: str, reused: Path) -> None:
    text = helm("install", "a", reused, "--dry-run=client", f"--set={switch}")
    notes = text.partition("\nNOTES:\n")[2]
    assert "Dump CronJobs" in notes
    assert re.findall(r"<nil>|<no value>|%!|ServiceAccount [.,]|, +\(|\(\)", notes) == []


def test_a_value_that_is_null_is_its_default() -> None:
    def made(path: str) -> list[dict[str, Any]]:
        return render(*_ALL, f"--set={path}=null")

    whole = _shown(render(*_ALL))
    with ThreadPoolExecutor(2) as pool:
        rendered = dict(zip(_NULLABLE, pool.map(made, _NULLABLE), strict=True))
    wrong = {path: faults for path, objects in rendered.items() if (faults := _wrong(objects))}
    assert wrong == {}
    changed = {
        path: found for path in rendered if (found := _differing(_shown(rendered[path]), whole))
    }
    assert {path: found for path, found in changed.items() if not _ELSE.match(path)} == {}


def test_path_style_that_is_null_is_not_said() -> None:
    made = find(render("--set=s3.bucket=b,s3.pathStyle=null"), "ConfigMap", "ksnapshot-cm")
    assert made["data"] == {"S3_BUCKET": "b"}
