"""What values say of pods: the controller's, prune's, and those of the workloads' CronJobs."""

import json
from typing import Any

import pytest

from controller.manifests.cronjob import build_cronjob
from controller.manifests.overlay import overlay
from controller.model.objects import ObjectRef
from controller.model.owner import Owner
from controller.settings.pods.security import CONTAINER_SECURITY, POD_SECURITY
from controller.workloads.backup_spec import BackupSpec
from tests.fakes.worlds import request
from tests.integration.chart.helm import (
    HelmError,
    container,
    environment,
    find,
    pod_template,
    render,
    settings_of,
)

_PRUNE = "--set=prune.enabled=true,clusterName=c"
_POD: dict[str, Any] = {
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"app.kubernetes.io/managed-by": "ksnapshot"}},
        }
    ],
    "priorityClassName": "low",
    "runtimeClassName": "gvisor",
    "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["store.example"]}],
    "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
    "affinity": {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 1,
                    "preference": {"matchExpressions": [{"key": "ssd", "operator": "Exists"}]},
                }
            ]
        }
    },
}
_VARIABLE = {"name": "TZ", "value": "Europe/Paris"}
_VOLUME = {"name": "hosts", "secret": {"secretName": "hosts"}}
_MOUNT = {"name": "hosts", "mountPath": "/etc/hosts.d", "readOnly": True}


def _json(path: str, value: object) -> str:
    return f"--set-json={path}={json.dumps(value)}"


def _dump(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The pod of a workload's dump CronJob, as the controller of these objects makes it."""
    pod: dict[str, Any] = pod_template(_cronjob(objects))["spec"]
    return pod


def _cronjob(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The dump CronJob of a workload."""
    settings = settings_of(objects, CONTROL_NAMESPACE="backup")
    found = request()
    spec = BackupSpec(
        name="cronjob",
        owner=Owner(namespace="shop", ref=ObjectRef(kind="StatefulSet", name="db")),
        engine=found.engine,
        request=found,
        host="db",
        port=5432,
        credentials={},
        certificates="",
    )
    made: dict[str, Any] = {}
    made |= overlay(None, build_cronjob(spec, settings, "c", None))
    return made


def test_what_is_asked_of_the_controllers_pod_is_in_it() -> None:
    source = [{"secretRef": {"name": "more"}, "prefix": "MORE_"}]
    objects = render(
        *(_json(name, value) for name, value in _POD.items()),
        _json("extraEnv", [_VARIABLE]),
        _json("extraEnvFrom", source),
        _json("extraVolumes", [_VOLUME]),
        _json("extraVolumeMounts", [_MOUNT]),
    )
    pod = pod_template(find(objects, "Deployment", "ksnapshot"))["spec"]
    assert pod.items() >= _POD.items()
    assert _VOLUME in pod["volumes"]
    made = container(objects)
    assert made["env"][-1] == _VARIABLE
    assert made["envFrom"] == source
    assert _MOUNT in made["volumeMounts"]


def test_what_is_asked_of_dump_pods_reaches_their_cronjobs() -> None:
    asked = {
        **_POD,
        "extraEnv": [_VARIABLE],
        "extraVolumes": [_VOLUME],
        "extraVolumeMounts": [_MOUNT],
    }
    objects = render(_PRUNE, *(_json(f"backupJob.pod.{name}", asked[name]) for name in asked))
    pod = _dump(objects)
    assert pod.items() >= _POD.items()
    assert pod["volumes"][-1] == {
        "name": "hosts",
        "secret": {"secretName": "hosts", "defaultMode": 0o644},
    }
    [dump] = pod["containers"]
    assert dump["env"][-1] == _VARIABLE
    assert dump["volumeMounts"][-1] == _MOUNT
    pruning = pod_template(find(objects, "CronJob", "ksnapshot-prune"))["spec"]
    assert pruning.items() >= _POD.items()


def _securities(objects: list[dict[str, Any]]) -> list[tuple[Any, Any]]:
    """Of the controller's pod, of prune's and of a dump's: the pod's and its container's."""
    pods = (
        pod_template(find(objects, "Deployment", "ksnapshot"))["spec"],
        pod_template(find(objects, "CronJob", "ksnapshot-prune"))["spec"],
        _dump(objects),
    )
    return [(pod["securityContext"], pod["containers"][0]["securityContext"]) for pod in pods]


def test_every_pod_is_restricted_without_being_asked() -> None:
    absent = ("podSecurityContext", "containerSecurityContext")
    old = (f"--set={prefix}{name}=null" for name in absent for prefix in ("", "backupJob.pod."))
    for arguments in ((), tuple(old)):
        for pod, of_container in _securities(render(_PRUNE, *arguments)):
            assert (pod, of_container) == (POD_SECURITY, CONTAINER_SECURITY)


def test_ids_may_be_left_to_the_cluster() -> None:
    ids = ("runAsUser", "runAsGroup", "fsGroup")
    asked = [
        f"--set={prefix}podSecurityContext.{name}=null"
        for prefix in ("", "backupJob.pod.")
        for name in ids
    ]
    asked += [
        f"--set={prefix}containerSecurityContext.runAsUser=1000"
        for prefix in ("", "backupJob.pod.")
    ]
    kept = {name: value for name, value in POD_SECURITY.items() if name not in ids}
    for pod, of_container in _securities(render(_PRUNE, *asked)):
        assert pod == kept
        assert of_container == {**CONTAINER_SECURITY, "runAsUser": 1000}


def test_the_pod_of_helm_test_is_the_controllers_but_for_its_labels() -> None:
    objects = render(*(_json(name, value) for name, value in _POD.items()))
    pod = find(objects, "Pod", "ksnapshot-test")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    template = pod_template(find(objects, "Deployment", "ksnapshot"))
    found = pod["metadata"]["labels"].keys() & template["metadata"]["labels"].keys()
    assert found == set()
    spec, controllers = pod["spec"], template["spec"]
    same = ("serviceAccountName", "securityContext", "automountServiceAccountToken", *_POD)
    assert [spec[name] for name in same] == [controllers[name] for name in same]
    [test] = spec["containers"]
    same = ("image", "imagePullPolicy", "securityContext", "env")
    assert [test[name] for name in same] == [container(objects)[name] for name in same]
    assert test["args"] == ["plan", "--strict"]
    kinds = {item["kind"] for item in render("--set=helmTest.enabled=false")}
    assert "Pod" not in kinds


def _budget(*values: str) -> object:
    objects = render(*(f"--set={value}" for value in values))
    budgets = [item["spec"] for item in objects if item["kind"] == "PodDisruptionBudget"]
    return budgets[0]["maxUnavailable"] if budgets else None


def test_a_budget_of_disruptions_is_as_values_say() -> None:
    assert _budget() is None
    assert _budget("replicaCount=2") == 1
    assert _budget("replicaCount=3", "podDisruptionBudget.maxUnavailable=2") == 2
    assert _budget("replicaCount=3", "podDisruptionBudget.maxUnavailable=50%") == "50%"
    assert _budget("podDisruptionBudget.enabled=true") == 1
    assert _budget("replicaCount=2", "podDisruptionBudget.enabled=false") is None
    assert _budget("replicaCount=2", "podDisruptionBudget=null") == 1


def test_how_long_jobs_stay() -> None:
    objects = render(
        _PRUNE,
        "--set=backupJob.successfulJobsHistoryLimit=5,backupJob.failedJobsHistoryLimit=6",
        "--set=backupJob.ttlSecondsAfterFinished=86400",
        "--set=prune.successfulJobsHistoryLimit=7,prune.failedJobsHistoryLimit=8",
    )
    kept = [
        (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"])
        for spec in (
            _cronjob(objects)["spec"],
            find(objects, "CronJob", "ksnapshot-prune")["spec"],
        )
    ]
    assert kept == [(5, 6), (7, 8)]
    assert _cronjob(objects)["spec"]["jobTemplate"]["spec"]["ttlSecondsAfterFinished"] == 86400
    unasked = _cronjob(render())["spec"]
    assert (unasked["successfulJobsHistoryLimit"], unasked["failedJobsHistoryLimit"]) == (3, 3)
    assert "ttlSecondsAfterFinished" not in unasked["jobTemplate"]["spec"]


def test_objects_of_the_users_own_are_rendered() -> None:
    secret = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "keys"},
    }
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-more\n"
    objects = render(_json("extraObjects", [secret, text]))
    assert find(objects, "ExternalSecret", "keys") == secret
    find(objects, "ConfigMap", "ksnapshot-more")


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("extraEnv", [{"name": "HTTP_PORT", "value": "1"}], "extraEnv must not set HTTP_PORT"),
        (
            "extraEnv",
            [{"name": "BACKUP_SECRET_NAME", "value": "mine"}],
            "extraEnv must not set BACKUP_SECRET_NAME",
        ),
        (
            "extraEnv",
            [{"name": "DEFAULT_ENCRYPTION_ENABLED", "value": "false"}],
            "extraEnv must not set DEFAULT_ENCRYPTION_ENABLED",
        ),
        *(
            ("extraEnv", [{"name": name, "value": "x"}], f"extraEnv must not set {name}")
            for name in (
                "PYTHONPATH",
                "PYTHONSAFEPATH",
                "LD_PRELOAD",
                "HOME",
                "PATH",
                "KUBERNETES_SERVICE_HOST",
            )
        ),
        ("extraVolumes", [{"name": "tmp", "emptyDir": {}}], "extraVolumes must not have tmp"),
        (
            "extraVolumeMounts",
            [{"name": "a", "mountPath": "/var/run/secrets/kubernetes.io"}],
            "extraVolumeMounts must not have /var/run/secrets/kubernetes.io",
        ),
        *(
            (
                "backupJob.pod.extraEnv",
                [{"name": name, "value": "x"}],
                f"backupJob.pod.extraEnv must not set {name}",
            )
            for name in ("BACKEND_BUCKET", "AWS_ACCESS_KEY_ID", "KSNAPSHOT_CLUSTER", "https_proxy")
        ),
    ],
)
def test_what_the_chart_sets_cannot_be_set_again(path: str, value: object, sentence: str) -> None:
    with pytest.raises(HelmError) as refused:
        render(_json(path, value))
    assert sentence in str(refused.value)


def test_volumes_that_the_admission_policy_refuses_are_told_before() -> None:
    admission = "--set=admissionPolicy.enabled=true"
    volumes = _json("backupJob.pod.extraVolumes", [_VOLUME, {"name": "c", "configMap": {}}])
    with pytest.raises(HelmError) as refused:
        render(admission, volumes)
    assert "has the Secret hosts, which admissionPolicy.enabled does not let" in str(refused.value)
    assert "has c, which admissionPolicy.enabled does not let" in str(refused.value)
    login = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hosts", "key": "a"}}}
    with pytest.raises(HelmError, match=r"extraEnv has the Secret hosts, which admissionPolicy"):
        render(admission, _json("backupJob.pod.extraEnv", [login]))
    listed = render(
        "--set=admissionPolicy.enabled=true,admissionPolicy.secrets={hosts}",
        _json("backupJob.pod.extraVolumes", [_VOLUME]),
        _json("backupJob.pod.extraEnv", [login]),
    )
    assert "hosts" in (environment(listed)["BACKUP_JOB_POD"] or "")
