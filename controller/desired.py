"""BackupSpec → the CronJob and Secret that should exist (contract sections 5, 7, 9.4, 9.11).

A desired object holds only the fields that are ours; None stands for a field that must be absent.
Some fields are ours only as long as something asks for them. Which these are is recorded on the
CronJob, so that they are taken back afterwards, and that what others set there stays.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from controller.inventory import members_text
from controller.model import names
from controller.model.objects import Json, annotations_of
from controller.settings.settings import Settings, Verify
from controller.workloads.backup_spec import BackupSpec
from dumpers import contract, location
from dumpers.errors import FINAL_EXIT_CODES

CONTAINER = "job"
CRONJOB_API = "batch/v1"
_HISTORY = 3
_TMP = "tmp"
_BACKEND_PATH = "ksnapshot"
# Keys of the user's ConfigMap and Secret, as 0.6.0 reads them.
_CONFIGMAP_KEYS = (
    (location.S3_REGION, "S3_REGION", True),
    (location.S3_ENDPOINT, "S3_ENDPOINT", True),
    (location.S3_BUCKET, "S3_BUCKET", False),
)
_SECRET_KEYS = (
    (location.S3_ACCESS_KEY, "AWS_ACCESS_KEY_ID"),
    (location.S3_SECRET_KEY, "AWS_SECRET_ACCESS_KEY"),
)
# Keys of the ConfigMap that 0.6.0 did not know, all of them optional.
_MORE_CONFIGMAP_KEYS = (
    (location.S3_PATH_STYLE, "S3_PATH_STYLE", True),
    (location.S3_CA_BUNDLE, "S3_CA_BUNDLE", True),
    (location.S3_STORAGE_CLASS, "S3_STORAGE_CLASS", True),
    (location.S3_SSE, "S3_SSE", True),
    (location.S3_SSE_KMS_KEY_ID, "S3_SSE_KMS_KEY_ID", True),
    (location.S3_TAGS, "S3_TAGS", True),
    (location.S3_MAX_BANDWIDTH, "S3_MAX_BANDWIDTH", True),
    *((name, name, True) for name in location.PROXIES),
)
_LABELS = {names.MANAGED_BY_LABEL: names.MANAGED_BY}
_FAILURE_POLICY = {
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
}
# Fields that may be held: of the CronJob, of the container, and of the pod.
_SUSPEND = "suspend"
_RESOURCES = "resources"
_POD_FIELDS = (
    "nodeSelector",
    "tolerations",
    "affinity",
    "priorityClassName",
    "imagePullSecrets",
)
# The volume with the certificates to trust.
_CA, _CA_FOLDER = "ca", "/etc/ksnapshot/ca"
# The pod's labels and annotations are held one by one, under these prefixes.
_POD_METADATA = {"labels": "label:", "annotations": "annotation:"}


def cronjob(spec: BackupSpec, settings: Settings, cluster: str, existing: Json | None) -> Json:
    """The CronJob; its labels on the pod template reach the Jobs by the API's own default."""
    asked = _asked(spec, settings)
    held = annotations_of(existing or {}).get(names.HELD, "").split()
    asked_or_released = dict.fromkeys(held) | asked
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
                names.OWNER_UID: spec.owner.uid or None,
                names.MEMBERS: members_text(spec.members),
                names.INSTANCE: settings.instance,
                names.CLUSTER: cluster,
                names.HELD: " ".join(sorted(asked)) or None,
                names.GONE_SINCE: None,
            },
        },
        "spec": {
            **_only(asked_or_released, (_SUSPEND,)),
            "schedule": spec.request.schedule,
            "timeZone": spec.request.time_zone,
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": _HISTORY,
            "failedJobsHistoryLimit": _HISTORY,
            "jobTemplate": {"spec": _job(spec, settings, cluster, asked_or_released)},
        },
    }


def secret(spec: BackupSpec, settings: Settings, cronjob_uid: str) -> Json | None:
    """The mirrored Secret, owned by its CronJob; None where there is nothing to mirror."""
    mirrored = {
        item.variable: spec.credentials[item.variable]
        for item in spec.engine.credentials
        if item.variable in spec.credentials
    }
    if spec.certificates:
        mirrored[contract.CA_KEY] = spec.certificates
    if not mirrored:
        return None
    data = {key: base64.b64encode(text.encode()).decode() for key, text in mirrored.items()}
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
        _value(location.BACKEND_TYPE, location.BACKEND_S3),
        _value(location.BACKEND_PATH, _BACKEND_PATH),
        *(_from_configmap(config, *item) for item in _CONFIGMAP_KEYS),
        *(_from_secret(keys, *item) for item in _SECRET_KEYS if keys),
        _value(spec.engine.host_variable, spec.host),
        _value(spec.engine.port_variable, str(spec.port)),
        *(_value(name, str(number)) for name, number in spec.request.numbers),
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
        _value(contract.DEADLINE, str(spec.request.deadline)),
        *(_from_configmap(config, *item) for item in _MORE_CONFIGMAP_KEYS),
        *(_value(name, text) for name, text in spec.request.texts),
    ]
    if spec.request.tls:
        env.append(_value(spec.engine.tls_variable, spec.request.tls))
    if spec.certificates:
        env.append(_value(spec.engine.ca_file_variable, f"{_CA_FOLDER}/{contract.CA_KEY}"))
    if spec.request.verify is Verify.READ_BACK:
        env.append(_value(contract.VERIFY, contract.READ_BACK))
    return env


def _asked(spec: BackupSpec, settings: Settings) -> dict[str, Any]:
    """The fields that are ours only while they are asked for, by the word that records them."""
    pod, request = settings.job_pod, spec.request
    asked = {name: pod[name] for name in (_RESOURCES, *_POD_FIELDS) if name in pod}
    for field, prefix in _POD_METADATA.items():
        asked |= {prefix + key: value for key, value in pod.get(field, {}).items()}
    if request.resources:
        asked[_RESOURCES] = json.loads(request.resources)
    if request.suspend is not None:
        asked[_SUSPEND] = request.suspend
    if spec.certificates:
        asked[_CA] = spec.name
    return asked


def _only(found: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: found[name] for name in names if name in found}


def _pod_metadata(optional: Mapping[str, Any]) -> Json:
    metadata: dict[str, Any] = {}
    for field, prefix in _POD_METADATA.items():
        found = {
            word.removeprefix(prefix): value
            for word, value in optional.items()
            if word.startswith(prefix)
        }
        if found:
            metadata[field] = found
    return metadata | {"labels": metadata.get("labels", {}) | _LABELS}


def _job(spec: BackupSpec, settings: Settings, cluster: str, optional: Mapping[str, Any]) -> Json:
    return {
        "activeDeadlineSeconds": spec.request.deadline,
        "backoffLimit": spec.request.retries,
        "podFailurePolicy": _FAILURE_POLICY,
        "template": {
            "metadata": _pod_metadata(optional),
            "spec": _pod(spec, settings, cluster, optional),
        },
    }


def _pod(spec: BackupSpec, settings: Settings, cluster: str, optional: Mapping[str, Any]) -> Json:
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
        **_only(optional, _POD_FIELDS),
        "containers": [
            {
                "name": CONTAINER,
                "image": settings.image(spec.request.image),
                "imagePullPolicy": str(settings.image_pull_policy),
                "command": None,
                "args": None,
                "env": environment(spec, settings, cluster),
                **_only(optional, (_RESOURCES,)),
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": True,
                },
                "volumeMounts": [
                    {"name": _TMP, "mountPath": "/tmp"},  # noqa: S108  the pod's
                    *(_ca_mount(optional) if _CA in optional else ()),
                ],
            }
        ],
        "volumes": [
            {"name": _TMP, "emptyDir": {}},
            *(_ca_volume(optional) if _CA in optional else ()),
        ],
    }


def _ca_mount(optional: Mapping[str, Any]) -> list[Json]:
    """One that is held and not asked for any more is to go: nothing of it is left but its key."""
    name, readonly = (_CA, True) if optional[_CA] else (None, None)
    return [{"mountPath": _CA_FOLDER, "name": name, "readOnly": readonly}]


def _ca_volume(optional: Mapping[str, Any]) -> list[Json]:
    if not optional[_CA]:
        return [{"name": _CA, "secret": None}]
    source = {
        "secretName": names.secret_name(optional[_CA]),
        "items": [{"key": contract.CA_KEY, "path": contract.CA_KEY}],
        # As the API server would have it.
        "defaultMode": 0o644,
    }
    return [{"name": _CA, "secret": source}]


def _value(name: str, value: str) -> Json:
    # As it stands: `$(NAME)` would become another variable's value, which may be a secret.
    return {"name": name, "value": value.replace("$", "$$")}


def _from_secret(secret: str, name: str, key: str) -> Json:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


# One for all CronJobs: most of what they hold.
@cache
def _from_configmap(config: str, name: str, key: str, optional: bool) -> Json:  # noqa: FBT001
    source: dict[str, Any] = {"name": config, "key": key}
    if optional:
        source["optional"] = True
    return {"name": name, "valueFrom": {"configMapKeyRef": source}}
