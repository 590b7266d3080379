"""BackupSpec → the CronJob and Secret that should exist (contract sections 5, 7, 9.4, 9.11).

A desired object holds only the fields that are ours; None stands for a field that must be absent.
"""

import base64
from typing import Any

from controller import names
from controller.config import Settings
from controller.specs import BackupSpec
from controller.view import Json
from dumpers import contract
from dumpers.errors import FINAL_EXIT_CODES

CONTAINER = "job"
CRONJOB_API = "batch/v1"
DEADLINE_SECONDS = 14400
_BACKOFF_LIMIT = 2
_HISTORY = 3
_TMP = "tmp"
_BACKEND_PATH = "ksnapshot"
# Keys of the user's ConfigMap and Secret, as 0.6.0 reads them.
_CONFIGMAP_KEYS = (
    (contract.S3_REGION, "S3_REGION", True),
    (contract.S3_ENDPOINT, "S3_ENDPOINT", True),
    (contract.S3_BUCKET, "S3_BUCKET", False),
)
_SECRET_KEYS = (
    (contract.S3_ACCESS_KEY, "AWS_ACCESS_KEY_ID"),
    (contract.S3_SECRET_KEY, "AWS_SECRET_ACCESS_KEY"),
)
_LABELS = {names.MANAGED_BY_LABEL: names.MANAGED_BY}


def cronjob(spec: BackupSpec, settings: Settings, cluster: str) -> Json:
    """The CronJob; its labels on the pod template reach the Jobs by the API's own default."""
    return {
        "apiVersion": CRONJOB_API,
        "kind": "CronJob",
        "metadata": {
            "name": spec.name,
            "namespace": settings.control_namespace,
            "labels": dict(_LABELS),
            "annotations": {
                names.OWNER: spec.owner.key,
                names.OWNER_KIND: spec.owner.ref.kind,
                names.OWNER_UID: spec.owner.uid,
                names.INSTANCE: settings.instance,
                names.CLUSTER: cluster,
                names.GONE_SINCE: None,
            },
        },
        "spec": {
            "schedule": spec.request.schedule,
            "timeZone": spec.request.time_zone,
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": _HISTORY,
            "failedJobsHistoryLimit": _HISTORY,
            "jobTemplate": {"spec": _job(spec, settings, cluster)},
        },
    }


def secret(spec: BackupSpec, settings: Settings, cronjob_uid: str) -> Json | None:
    """The mirrored Secret, owned by its CronJob; None for an engine without credentials."""
    if not spec.engine.credentials:
        return None
    data: dict[str, str | None] = {
        item.variable: base64.b64encode(spec.credentials[item.variable].encode()).decode()
        for item in spec.engine.credentials
        if item.variable in spec.credentials
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": names.secret_name(spec.name),
            "namespace": settings.control_namespace,
            "labels": dict(_LABELS),
            "annotations": {names.INSTANCE: settings.instance},
            "ownerReferences": [owner_reference(spec.name, cronjob_uid)],
        },
        "data": data,
    }


def owner_reference(name: str, uid: str) -> Json:
    """The reference by which a Secret goes when its CronJob goes; never blockOwnerDeletion."""
    return {"apiVersion": CRONJOB_API, "kind": "CronJob", "name": name, "uid": uid}


def environment(spec: BackupSpec, settings: Settings, cluster: str) -> list[Json]:
    """Variables of the dump container, in 0.6.0's order, then ours."""
    config, keys = settings.backup_configmap_name, settings.backup_secret_name
    env = [
        _value(contract.BACKEND_TYPE, contract.BACKEND_S3),
        _value(contract.BACKEND_PATH, _BACKEND_PATH),
        *(_from_configmap(config, *item) for item in _CONFIGMAP_KEYS),
        *(_from_secret(keys, *item) for item in _SECRET_KEYS if keys),
        _value(spec.engine.host_variable, spec.host),
        _value(spec.engine.port_variable, str(spec.port)),
    ]
    mirrored = names.secret_name(spec.name)
    env += [
        _from_secret(mirrored, item.variable, item.variable)
        for item in spec.engine.credentials
        if item.variable in spec.credentials
    ]
    if spec.request.recipient:
        env.append(_value(contract.ENCRYPTION_ENABLED, "true"))
        env.append(_value(contract.ENCRYPTION_RECIPIENT, spec.request.recipient))
    env += [
        _value(contract.CLUSTER, cluster),
        _value(contract.WORKLOAD, spec.owner.key),
        _value(contract.CRONJOB, spec.name),
        _value(contract.DEADLINE, str(DEADLINE_SECONDS)),
    ]
    return env


def _job(spec: BackupSpec, settings: Settings, cluster: str) -> Json:
    return {
        "activeDeadlineSeconds": DEADLINE_SECONDS,
        "backoffLimit": _BACKOFF_LIMIT,
        "podFailurePolicy": {
            "rules": [
                # First match wins: a drained node must not count, whatever the exit code.
                {
                    "action": "Ignore",
                    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                },
                {
                    "action": "FailJob",
                    "onExitCodes": {
                        "containerName": CONTAINER,
                        "operator": "In",
                        "values": sorted(map(int, FINAL_EXIT_CODES)),
                    },
                },
            ]
        },
        "template": {"metadata": {"labels": dict(_LABELS)}, "spec": _pod(spec, settings, cluster)},
    }


def _pod(spec: BackupSpec, settings: Settings, cluster: str) -> Json:
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "serviceAccountName": settings.backup_service_account,
        "securityContext": {
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "fsGroup": 65532,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": CONTAINER,
                "image": settings.image(spec.request.image),
                "imagePullPolicy": str(settings.image_pull_policy),
                "command": None,
                "args": None,
                "env": environment(spec, settings, cluster),
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": True,
                },
                "volumeMounts": [{"name": _TMP, "mountPath": "/tmp"}],  # noqa: S108  the pod's
            }
        ],
        "volumes": [{"name": _TMP, "emptyDir": {}}],
    }


def _value(name: str, value: str) -> Json:
    return {"name": name, "value": value}


def _from_secret(secret: str, name: str, key: str) -> Json:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _from_configmap(config: str, name: str, key: str, optional: bool) -> Json:  # noqa: FBT001
    source: dict[str, Any] = {"name": config, "key": key}
    if optional:
        source["optional"] = True
    return {"name": name, "valueFrom": {"configMapKeyRef": source}}
