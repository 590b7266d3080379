"""A dump's Job and pod: identity, security, what is retried (contract 7, 9.4, 9.11)."""

from collections.abc import Mapping
from typing import Any

from controller.manifests.job_env import CA_FOLDER, CA_VOLUME, build_env
from controller.manifests.optional_fields import POD_FIELDS, POD_METADATA, RESOURCES, select
from controller.manifests.ownership import LABELS
from controller.model import names
from controller.model.names import CONTAINER
from controller.model.objects import Json
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec
from dumpers.contract import names as variables
from dumpers.runtime.errors import FINAL_EXIT_CODES

_TMP = "tmp"
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


def _pod_metadata(optional: Mapping[str, Any]) -> Json:
    metadata: dict[str, Any] = {}
    for field, prefix in POD_METADATA.items():
        found = {
            word.removeprefix(prefix): value
            for word, value in optional.items()
            if word.startswith(prefix)
        }
        if found:
            metadata[field] = found
    return metadata | {"labels": metadata.get("labels", {}) | LABELS}


def build_job(
    spec: BackupSpec, settings: Settings, cluster: str, optional: Mapping[str, Any]
) -> Json:
    """The Job's spec; `optional` holds the optional fields by their words, None removes one."""
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
        **select(optional, POD_FIELDS),
        "containers": [
            {
                "name": CONTAINER,
                "image": settings.image(spec.request.image),
                "imagePullPolicy": str(settings.image_pull_policy),
                "command": None,
                "args": None,
                "env": build_env(spec, settings, cluster),
                **select(optional, (RESOURCES,)),
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": True,
                },
                "volumeMounts": [
                    {"name": _TMP, "mountPath": "/tmp"},  # noqa: S108  the pod's
                    *(_ca_mount(optional) if CA_VOLUME in optional else ()),
                ],
            }
        ],
        "volumes": [
            {"name": _TMP, "emptyDir": {}},
            *(_ca_volume(optional) if CA_VOLUME in optional else ()),
        ],
    }


def _ca_mount(optional: Mapping[str, Any]) -> list[Json]:
    """One that is held and not asked for any more is to go: nothing of it is left but its key."""
    name, readonly = (CA_VOLUME, True) if optional[CA_VOLUME] else (None, None)
    return [{"mountPath": CA_FOLDER, "name": name, "readOnly": readonly}]


def _ca_volume(optional: Mapping[str, Any]) -> list[Json]:
    if not optional[CA_VOLUME]:
        return [{"name": CA_VOLUME, "secret": None}]
    source = {
        "secretName": names.secret_name(optional[CA_VOLUME]),
        "items": [{"key": variables.CA_KEY, "path": variables.CA_KEY}],
        # As the API server would have it.
        "defaultMode": 0o644,
    }
    return [{"name": CA_VOLUME, "secret": source}]
