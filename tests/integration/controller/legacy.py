"""What ksnapshot 0.6.0 leaves in the control namespace (contract sections 5 to 7)."""

from collections.abc import Mapping
from typing import Any

from controller.model import names
from controller.settings.settings import Settings

Json = dict[str, Any]
PASSWORD = "of-0.6.0-$(word)"
_LABELS = {"app.kubernetes.io/managed-by": "ksnapshot"}
_PORTS = {"mysql": "3306", "postgresql": "5432"}
_VALUES = {"USERNAME": "shop", "PASSWORD": PASSWORD, "DATABASE": "shop"}


def cronjob(
    settings: Settings,
    key: str,
    type_: str = "postgresql",
    *,
    schedule: str = "0 4 * * *",
    recipient: str = "age1old",
) -> Json:
    """As 0.6.0 sent it; unasked, for a workload that was encrypted then and is not any more."""
    namespace, _, service = key.partition("/")
    name = names.cronjob_name(type_, key)
    configmap, keys = settings.backup_configmap_name, settings.backup_secret_name
    prefix = type_.upper()
    env = [
        {"name": "BACKEND_TYPE", "value": "s3"},
        {"name": "BACKEND_PATH", "value": "ksnapshot"},
        _from("configMap", configmap, "BACKEND_S3_REGION", "S3_REGION", optional=True),
        _from("configMap", configmap, "BACKEND_S3_ENDPOINT", "S3_ENDPOINT", optional=True),
        _from("configMap", configmap, "BACKEND_BUCKET", "S3_BUCKET"),
    ]
    if keys:
        env.append(_from("secret", keys, "BACKEND_S3_ACCESS_KEY", "AWS_ACCESS_KEY_ID"))
        env.append(_from("secret", keys, "BACKEND_S3_SECRET_KEY", "AWS_SECRET_ACCESS_KEY"))
    env += [
        {"name": f"{prefix}_HOST", "value": f"{service}.{namespace}.svc.cluster.local"},
        {"name": f"{prefix}_PORT", "value": _PORTS[type_]},
        *(
            _from("secret", f"{name}-credentials", f"{prefix}_{item}", f"{prefix}_{item}")
            for item in _VALUES
        ),
        {"name": "ENCRYPTION_ENABLED", "value": "true"},
        {"name": "ENCRYPTION_RECIPIENT", "value": recipient},
    ]
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": name,
            "namespace": settings.control_namespace,
            "labels": _LABELS,
            "annotations": {"ksnapshot.clickandmortar.fr/owner": key},
        },
        "spec": {
            "concurrencyPolicy": "Forbid",
            "failedJobsHistoryLimit": 1,
            "successfulJobsHistoryLimit": 1,
            "schedule": schedule,
            "timeZone": "Etc/UTC",
            "jobTemplate": {
                "spec": {
                    "activeDeadlineSeconds": 14400,
                    "backoffLimit": 0,
                    "template": {"metadata": {"labels": _LABELS}, "spec": _pod(settings, env)},
                }
            },
        },
    }


def secret(
    settings: Settings,
    key: str,
    type_: str = "postgresql",
    *,
    of: str = "0.6",
    values: Mapping[str, str] = _VALUES,
) -> Json:
    """The mirrored credentials; before 0.6 they had the name of the CronJob."""
    name = names.cronjob_name(type_, key)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"{name}-credentials" if of == "0.6" else name,
            "namespace": settings.control_namespace,
            "labels": _LABELS,
        },
        "stringData": {f"{type_.upper()}_{item}": value for item, value in values.items()},
    }


def _from(kind: str, source: str, name: str, key: str, *, optional: bool = False) -> Json:
    reference = {"name": source, "key": key} | ({"optional": True} if optional else {})
    return {"name": name, "valueFrom": {f"{kind}KeyRef": reference}}


def _pod(settings: Settings, env: list[Json]) -> Json:
    return {
        "automountServiceAccountToken": False,
        "containers": [
            {
                "env": env,
                "image": "ghcr.io/clickandmortar/ksnapshot-dumper-postgresql-16:0.6.0",
                "imagePullPolicy": "IfNotPresent",
                "name": "job",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": True,
                },
                "volumeMounts": [{"mountPath": "/tmp", "name": "tmp"}],
            }
        ],
        "restartPolicy": "Never",
        "securityContext": {
            "fsGroup": 65532,
            "runAsGroup": 65532,
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "serviceAccountName": settings.backup_service_account,
        "volumes": [{"emptyDir": {}, "name": "tmp"}],
    }
