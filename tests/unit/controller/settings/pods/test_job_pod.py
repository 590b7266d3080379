import json
from typing import Any

import pytest

from controller.settings.job_pod import parse_job_pod
from controller.settings.pods.extras import is_ours
from controller.settings.pods.security import CONTAINER_SECURITY, POD_SECURITY
from dumpers.engines.registry import ENGINES


def test_our_own_security_is_not_asked_for() -> None:
    pod = {"podSecurityContext": POD_SECURITY, "containerSecurityContext": CONTAINER_SECURITY}
    assert parse_job_pod(json.dumps(pod)) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"runAsUser": None, "fsGroup": None},
        {"runAsUser": 1001},
        {"seLinuxOptions": {"level": "s0:c1,c2", "type": "container_t"}},
    ],
)
def test_ids_may_be_others_or_left_to_the_cluster(change: dict[str, Any]) -> None:
    found = parse_job_pod(json.dumps({"podSecurityContext": {**POD_SECURITY, **change}}))
    wanted = {**POD_SECURITY, **change}
    assert found["podSecurityContext"] == {
        name: value for name, value in wanted.items() if value is not None
    }


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("podSecurityContext", {"runAsUser": 0}, "runAsUser as a number from 1 on"),
        ("podSecurityContext", {"runAsNonRoot": False}, "runAsNonRoot as true"),
        ("podSecurityContext", {"runAsNonRoot": None}, "runAsNonRoot: `restricted`"),
        ("podSecurityContext", {"seccompProfile": {"type": "Unconfined"}}, "seccompProfile as"),
        ("podSecurityContext", {"seLinuxOptions": {"type": "spc_t"}}, "seLinuxOptions as"),
        ("podSecurityContext", {"seLinuxOptions": {"user": "system_u"}}, "seLinuxOptions as"),
        ("containerSecurityContext", {"seLinuxOptions": {"role": "r"}}, "seLinuxOptions as"),
        ("podSecurityContext", {"sysctls": []}, "no podSecurityContext.sysctls"),
        ("containerSecurityContext", {"privileged": True}, "no containerSecurityContext.priv"),
        ("containerSecurityContext", {"capabilities": {"add": ["X"]}}, "capabilities as"),
        ("containerSecurityContext", {"readOnlyRootFilesystem": False}, "Filesystem as true"),
        ("containerSecurityContext", {"allowPrivilegeEscalation": True}, "Escalation as false"),
    ],
)
def test_less_than_restricted_is_refused(name: str, change: dict[str, Any], said: str) -> None:
    own = POD_SECURITY if name == "podSecurityContext" else CONTAINER_SECURITY
    with pytest.raises(ValueError, match=said):
        parse_job_pod(json.dumps({name: {**own, **change}}))


@pytest.mark.parametrize(
    "variable",
    [
        # In one order, as several processes collect the same tests.
        *sorted({name for item in ENGINES for name in (*item.variables, *item.source_variables)}),
        *("PGHOST", "PGSERVICEFILE", "MYSQL_PWD", "http_proxy", "NO_PROXY", "LD_PRELOAD"),
        *("AWS_ACCESS_KEY_ID", "AWS_ROLE_ARN", "AWS_ENDPOINT_URL", "AWS_PROFILE", "PYTHONPATH"),
        *("BACKEND_BUCKET", "STORAGE_OFF__S3_ENDPOINT", "KSNAPSHOT_CLUSTER", "PATH"),
        *("ENCRYPTION_ENABLED", "ENCRYPTION_RECIPIENT"),
    ],
)
def test_variables_that_say_where_a_dump_goes_and_who_asks_are_ours(variable: str) -> None:
    assert is_ours(variable)
    entry = {"name": variable, "value": "x"}
    with pytest.raises(ValueError, match=f"must not hold extraEnv.{variable}: ksnapshot"):
        parse_job_pod(json.dumps({"extraEnv": [entry]}))


@pytest.mark.parametrize("variable", ["TZ", "AWS_REGION", "AWS_STS_REGIONAL_ENDPOINTS", "MALLOC_"])
def test_other_variables_are_the_operators(variable: str) -> None:
    entry = {"name": variable, "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}
    assert parse_job_pod(json.dumps({"extraEnv": [entry]})) == {"extraEnv": [entry]}


@pytest.mark.parametrize(
    ("pod", "said"),
    [
        ({"extraEnv": ["TZ"]}, "extraEnv as a list"),
        ({"extraEnv": [{"name": "TZ"}]}, "extraEnv.TZ with a text"),
        ({"extraEnv": [{"name": "TZ", "value": 1}]}, "extraEnv.TZ with a text"),
        ({"extraEnv": [{"name": "T", "valueFrom": {"fieldRef": {}}}]}, "one of configMapKeyRef"),
        ({"extraEnv": [{"name": "T", "value": ""}] * 2}, "each of extraEnv once, not T twice"),
        ({"extraEnvFrom": []}, "no extraEnvFrom like that"),
        ({"extraVolumes": [{"name": "Up"}]}, "extraVolumes as a list"),
        ({"extraVolumes": [{"name": "tmp", "emptyDir": {}}]}, "extraVolumes.tmp: ksnapshot has"),
        ({"extraVolumes": [{"name": "ca", "emptyDir": {}}]}, "extraVolumes.ca: ksnapshot has"),
        ({"extraVolumes": [{"name": "h", "hostPath": {}}]}, "extraVolumes.h with one of secret"),
        ({"extraVolumes": [{"name": "h", "secret": "s"}]}, "extraVolumes.h.secret as an object"),
        ({"extraVolumeMounts": [{"name": "h", "mountPath": "/a"}]}, "at /a a volume of extraV"),
        ({"extraVolumeMounts": [{"name": "h", "mountPath": "a"}]}, "extraVolumeMounts as a list"),
        ({"extraVolumeMounts": [{"name": "h", "mountPath": "/a/.."}]}, "extraVolumeMounts as"),
        *(
            ({"extraVolumeMounts": [{"name": "h", "mountPath": path}]}, f"not mount {path}")
            for path in ("/tmp", "/etc/ksnapshot/ca", "/run/secrets", "/usr/bin", "/var/run/x")
        ),
    ],
)
def test_what_cannot_be_added_is_refused(pod: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_job_pod(json.dumps(pod))
