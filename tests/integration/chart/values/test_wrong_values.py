"""Helm refuses wrong values files by the path of the value, and says what it takes instead."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conformance.wrong_values import WRONG
from tests.fakes.selectors import TAKEN
from tests.integration.chart.helm import HelmError, render

# What the schema's checker says is wanted in its place.
_WANTED = re.compile(
    r"got .+, want .+|value must be .+|additional properties '.+' not allowed"
    r"|does not match pattern '.+'|missing property '.+'|items at .+ are equal"
)
# Values that are right one by one, and not together: what is said of them, and what to do.
_TOGETHER: tuple[tuple[dict[str, Any], str, str], ...] = (
    (
        {"watchNamespaces": ["a"], "rbac": {"watchNamespaces": ["a", "b"]}},
        "watchNamespaces (a) and rbac.watchNamespaces (a,b)",
        "set one of them, or both to the same namespaces",
    ),
    (
        {"watchNamespaces": ["shop"], "rbac": {"readNames": {"shpo": {"secrets": ["db"]}}}},
        "rbac.readNames has the namespace shpo",
        "correct its name, take it out, or add it to watchNamespaces",
    ),
    ({"watchNamespaces": ["*", "a"]}, "watchNamespaces (*,a)", "must be `*` alone"),
    ({"watchNamespaces": "shop-*"}, "watchNamespaces has shop-*", "by watchNamespaceSelector"),
    (
        {"watchNamespaceSelector": "team=shop"},
        "watchNamespaceSelector chooses among all",
        "set watchNamespaces to `*`",
    ),
    (
        {"watchNamespaces": "*", "watchNamespaceSelector": "team=shop,"},
        "watchNamespaceSelector (team=shop,) is no selector by labels",
        "write it as Kubernetes does",
    ),
    (
        {"watchNamespaces": "*", "watchNamespaceSelector": "team in shop"},
        "watchNamespaceSelector (team in shop) is no selector by labels",
        "write it as Kubernetes does",
    ),
    (
        {"watchNamespaces": ["*"], "rbac": {"createClusterRole": False}},
        "rbac.createClusterRole must not be false",
        "make the rights by hand",
    ),
    ({"watchNamespaces": ["", " "]}, "watchNamespaces", "at least one namespace"),
    ({"encryption": {"enabled": True}}, "encryption.recipient", "is required when"),
    ({"encryption": {"enforced": True}}, "encryption.recipient", "is required when"),
    ({"secret": {"create": True}}, "secret.awsAccessKeyId", "is required when"),
    (
        {"replicaCount": 2, "leaderElection": {"enabled": False}},
        "leaderElection.enabled",
        "must not be false when replicaCount is more than 1",
    ),
    (
        {"controller": {"httpPort": 9000}, "statusPage": {"listen": "[::]:9000"}},
        "statusPage.listen",
        "must have another port than controller.httpPort",
    ),
    ({"prune": {"enabled": True}}, "clusterName", "is required when prune.enabled is true"),
    (
        {"podLabels": {"app.kubernetes.io/instance": "x"}},
        "podLabels must not set app.kubernetes.io/instance",
        "the Deployment's selector uses it",
    ),
    (
        {"commonLabels": {"helm.sh/chart": "x"}},
        "commonLabels must not set helm.sh/chart",
        "leave it out",
    ),
    (
        {"backupJob": {"ttlSecondsAfterFinished": 60}},
        "backupJob.ttlSecondsAfterFinished is 60",
        "set it to 3600 or more",
    ),
    (
        {"metrics": {"prometheusRule": {"excludeRules": ["NoSuchAlert"]}}},
        "metrics.prometheusRule.excludeRules has NoSuchAlert",
        "take it out",
    ),
    (
        {"metrics": {"service": {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4", "IPv6"]}}},
        "metrics.service.ipFamilies",
        "name one family, or choose PreferDualStack",
    ),
    (
        {"extraVolumes": [{"name": "notifications", "emptyDir": {}}]},
        "extraVolumes must not have notifications",
        "choose another",
    ),
    (
        {"backupJob": {"pod": {"extraEnv": [{"name": "BACKEND_PATH", "value": "x"}]}}},
        "backupJob.pod.extraEnv must not set BACKEND_PATH",
        "which is for s3, storages",
    ),
)


def _refusal(folder: Path, values: object) -> str:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    with pytest.raises(HelmError) as refused:
        render(f"--values={file}")
    return str(refused.value)


def test_there_are_sixty_of_them_and_more() -> None:
    assert len(WRONG) + len(_TOGETHER) >= 60
    assert len({repr(case) for case in WRONG}) == len(WRONG)


@pytest.mark.parametrize(("path", "value"), WRONG)
def test_a_wrong_value_is_refused_by_its_path(path: str, value: object, tmp_path: Path) -> None:
    *parents, name = path.split(".")
    values = value
    for key in reversed([*parents, name]):
        values = {key: values}
    text = _refusal(tmp_path, values)
    parent = "".join(f"/{key}" for key in parents)
    by_path = f"at '{parent}/{name}" in text
    misspelt = f"at '{parent}': additional properties '{name}' not allowed" in text
    assert by_path or misspelt, text
    assert _WANTED.search(text), text


@pytest.mark.parametrize(("values", "named", "fix"), _TOGETHER)
def test_values_that_contradict_each_other_are_named_with_the_fix(
    values: dict[str, Any], named: str, fix: str, tmp_path: Path
) -> None:
    text = _refusal(tmp_path, values)
    assert f"  - {named}" in text
    assert fix in text


def test_every_selector_that_kubernetes_takes_is_taken(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    selector = ",".join(TAKEN)
    values.write_text(yaml.safe_dump({"watchNamespaces": "*", "watchNamespaceSelector": selector}))
    assert render(f"--values={values}")
