"""All values at once, and each of them by itself: what is rendered, and what Kubernetes takes."""

import copy
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import libyaml
from tests.integration.chart.helm import CHART, HelmError, pod_template, render
from tests.testbed.cluster.kubernetes_api import RELEASES, openapi

_FILE = Path(__file__).with_name("everything.yaml")
_EVERYTHING: dict[str, Any] = libyaml.read(_FILE.read_text())
_DIGEST = f"sha256:{'05' * 32}"
# Values that would mask others there, each with what it needs to have its effect.
_ALONE: Mapping[str, dict[str, Any]] = {
    "leaderElection.enabled": {"leaderElection": {"enabled": True}},
    "serviceAccount.create": {"serviceAccount": {"create": False}},
    "backupJob.serviceAccount.create": {"backupJob": {"serviceAccount": {"create": False}}},
    "prune.serviceAccount.create": {"prune": {"serviceAccount": {"create": False}}},
    "rbac.create": {"rbac": {"create": False}},
    "rbac.watchNamespaces": {"rbac": {"watchNamespaces": ["a"]}},
    "watchNamespaceSelector": {"watchNamespaces": ["*"], "watchNamespaceSelector": "team=a"},
    "rbac.createClusterRole": {"rbac": {"createClusterRole": False}},
    "rbac.createUserRoles": {"rbac": {"createUserRoles": False}},
    "dumperImages.mysql.v5_7": {"dumperImages": {"mysql": {"v5_7": "a/b:1"}}},
    "dumperImages.postgresql.v16": {"dumperImages": {"postgresql": {"v16": "a/b:1"}}},
    "dumperImages.elasticsearch": {"dumperImages": {"elasticsearch": "a/b:1"}},
    "dumperImages.clickhouse": {"dumperImages": {"clickhouse": "a/b:1"}},
    "dumperDigests.mysql.v8": {"dumperDigests": {"mysql": {"v8": _DIGEST}}},
    "existingSecret": {"existingSecret": "keys"},
    "existingConfigMap": {"existingConfigMap": "place"},
    "metrics.service.enabled": {"metrics": {"service": {"enabled": True}}},
    "podDisruptionBudget.enabled": {"podDisruptionBudget": {"enabled": True}},
    "helmTest.enabled": {"helmTest": {"enabled": False}},
}
_MONITORED = {"metrics": {"serviceMonitor": {"enabled": True}}}
_NEVER = {"metrics": {"serviceMonitor": {"enabled": True}, "renderMode": "never"}}
# Nothing else is taken in their place.
_FIXED = frozenset(
    f"{place}{name}"
    for place in ("", "backupJob.pod.")
    for name in (
        "podSecurityContext.runAsNonRoot",
        "containerSecurityContext.allowPrivilegeEscalation",
        "containerSecurityContext.capabilities.drop",
        "containerSecurityContext.readOnlyRootFilesystem",
    )
)
# Without them the others are refused.
_NEEDED = frozenset(
    {
        "encryption.recipient",
        "secret.awsAccessKeyId",
        "secret.awsSecretAccessKey",
        "clusterName",
        "admissionPolicy.secrets",
        "backupJob.pod.extraVolumes",
    }
)
# Of Prometheus' operator.
_MONITORING = {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
# The chart says that this needs 1.30.
_ADMISSION = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}


def _leaves(values: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}"


_VALUES = tuple(_leaves(libyaml.read((CHART / "values.yaml").read_text())))


def _without(path: str) -> dict[str, Any] | None:
    """All values but one; None where it is not among them."""
    values = copy.deepcopy(_EVERYTHING)
    *parents, last = path.split(".")
    inner = values
    for name in parents:
        inner = inner.get(name, {})
    return None if inner.pop(last, None) is None else values


def _rendered(folder: Path, name: str, values: object) -> list[dict[str, Any]] | None:
    """The objects; None where helm refuses the values."""
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(values))
    try:
        return render(f"--values={file}")
    except HelmError:
        return None


def test_everything_is_every_value_and_those_that_go_alone() -> None:
    there = {path for path in _VALUES if _without(path) is not None}
    rest = {*_ALONE, "metrics.renderMode"} | _FIXED
    assert there | rest == set(_VALUES)
    assert there & rest == set()


def test_each_value_changes_what_is_rendered(tmp_path: Path) -> None:
    whole, plain = _rendered(tmp_path, "whole", _EVERYTHING), _rendered(tmp_path, "plain", {})
    assert whole
    assert plain

    def is_idle(path: str) -> bool:
        less = _without(path)
        if less is None:
            changed = _rendered(tmp_path, path, _ALONE[path])
            return changed is None or changed == plain
        changed = _rendered(tmp_path, path, less)
        return changed == whole or (changed is None) != (path in _NEEDED)

    paths = [path for path in _VALUES if path not in _FIXED and path != "metrics.renderMode"]
    with ThreadPoolExecutor(2) as pool:
        idle = [path for path, found in zip(paths, pool.map(is_idle, paths), strict=True) if found]
    assert idle == []
    monitored = _rendered(tmp_path, "monitored", _MONITORED)
    assert monitored != _rendered(tmp_path, "never", _NEVER)


@pytest.mark.parametrize("release", RELEASES)
def test_kubernetes_knows_every_field_of_everything(release: str) -> None:
    known, unknown = openapi(release), set()
    for item in [*render(), *render(f"--values={_FILE}")]:
        faults = known.faults(item)
        if faults is None:
            unknown.add(item["kind"])
        assert not faults, f"{item['kind']} {item['metadata']['name']}: {faults}"
    assert unknown == _MONITORING | (_ADMISSION if release.startswith("v1.26.") else set())


def test_a_field_that_kubernetes_does_not_know_is_noticed() -> None:
    known = openapi("v1.36.3")
    [deployment] = [item for item in render() if item["kind"] == "Deployment"]
    assert known.faults(deployment) == []
    deployment["spec"]["replicas"] = "1"
    pod = pod_template(deployment)["spec"]
    pod["dnsConfigs"] = {}
    del pod["containers"][0]["name"]
    assert known.faults(deployment) == [
        ".spec.replicas: str, not integer",
        ".spec.template.spec.containers[0]: no name",
        ".spec.template.spec.dnsConfigs: not known",
    ]
