"""What the controller refuses of `backupJob.pod`, helm refuses before."""

import json
from typing import Any

import pytest

from controller.settings.job_pod import parse_job_pod
from controller.settings.pods.extras import is_ours
from dumpers.engines.registry import ENGINES
from tests.integration.chart.helm import HelmError, render

_REFUSED: tuple[dict[str, Any], ...] = (
    *(
        {"extraEnv": [entry]}
        for entry in (
            {"name": "a.b", "value": "x"},
            {"name": "a-b", "value": "x"},
            {"name": "A"},
            {"name": "A", "value": "x", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}},
            {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "A", "valueFrom": {}},
        )
    ),
    {"extraEnv": [{"name": "A", "value": "x"}, {"name": "A", "value": "y"}]},
    *(
        {"extraVolumes": [{"name": name, "emptyDir": {}}]}
        for name in ("tmp", "tmp-x", "ca", "identity", "exchange", "drill", "passwd", "A")
    ),
    {"extraVolumes": [{"name": "a", "hostPath": {"path": "/"}}]},
    {"extraVolumes": [{"name": "a", "emptyDir": {}}, {"name": "a", "secret": {}}]},
    *(
        {
            "extraVolumes": [{"name": "a", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "a", "mountPath": path}],
        }
        for path in (
            "/certs/",
            "//certs",
            "/certs/../x",
            "/a b",
            "certs",
            *(f"/{of}" for of in ("tmp/x", "etc/ksnapshot", "run", "var/run/x", "bin", "dev")),
            *(f"/{of}" for of in ("lib", "lib64", "proc", "sbin", "sys", "usr/local/x", "opt")),
        )
    ),
    {"extraVolumeMounts": [{"name": "none", "mountPath": "/certs"}]},
    *(
        {"resources": resources}
        for resources in (
            {"limits": {"nvidia.com/gpu": 1}},
            {"limits": {"memory": "much"}},
            {"limit": {"memory": "1Gi"}},
        )
    ),
    {
        "podSecurityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "Localhost"}},
    },
    {"podSecurityContext": {"seLinuxOptions": {"type": "spc_t"}}},
)


def _asked(pod: object) -> str:
    return f"--set-json=backupJob.pod={json.dumps(pod)}"


@pytest.mark.parametrize("pod", _REFUSED, ids=json.dumps)
def test_helm_refuses_by_the_values_name_what_the_controller_refuses(
    pod: dict[str, object],
) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_job_pod(json.dumps(pod))
    with pytest.raises(HelmError, match=r"/backupJob/pod/|backupJob\.pod\."):
        render(_asked(pod))


def test_helm_refuses_every_variable_that_the_controller_keeps_to_itself() -> None:
    engines = {
        name
        for engine in ENGINES
        for name in (
            *engine.variables,
            *engine.source_variables,
            *engine.option_variables,
            *(number.variable for number in engine.numbers),
        )
    }
    more = {"PATH", "HOME", "HOSTNAME", "PGOPTIONS", "pgservicefile", "ELASTICDUMP_X", "LD_PRELOAD"}
    names = sorted(engines | more)
    assert all(map(is_ours, names))
    with pytest.raises(HelmError) as refused:
        render(_asked({"extraEnv": [{"name": name, "value": "x"} for name in names]}))
    told = str(refused.value)
    assert [name for name in names if f"extraEnv must not set {name}:" not in told] == []


def test_helm_takes_what_the_controller_takes() -> None:
    pod = {
        "extraEnv": [
            {"name": "TZ", "value": ""},
            {"name": "AWS_REGION", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}},
        ],
        "extraVolumes": [{"name": "certs", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "certs", "mountPath": "/certs/a.b", "readOnly": True}],
        "resources": {"limits": {"cpu": 1, "memory": "1.5Gi"}, "requests": {"cpu": "100m"}},
    }
    assert parse_job_pod(json.dumps(pod))
    assert render(_asked(pod))
