"""Builds a dump's Job and pod: identity, security, retries (contract 7, 9.4, 9.11)."""

from typing import Any

from controller.manifests.job_env import CA_FOLDER
from controller.manifests.optional_fields import CA_VOLUME, OptionalValues, Place, fields_at
from controller.manifests.ownership import LABELS
from controller.manifests.sharing.indexed_job import backoff_limit
from controller.model.names import CONTAINER
from controller.model.objects import DELETE, DELETE_ENTRY, Json
from controller.settings.pods.security import CONTAINER_SECURITY, POD_SECURITY
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec
from dumpers.contract import names as variables
from dumpers.runtime.errors import FINAL_EXIT_CODES

# The pod's volumes: scratch space, and the certificates to trust.
_TMP, _CA = "tmp", "ca"
FAILURE_POLICY = {
    "rules": [
        # The first match wins: a drained node does not count as a try, whatever the exit code.
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


def build_job(
    spec: BackupSpec, optional: OptionalValues, settings: Settings, env: list[Json]
) -> Json:
    """Build the spec of the CronJob's Jobs, whose container has the variables `env`."""
    return {
        "activeDeadlineSeconds": spec.request.deadline,
        "backoffLimit": backoff_limit(spec.request.spread, spec.request.retries),
        "podFailurePolicy": FAILURE_POLICY,
        **fields_at(Place.JOB_SPEC, optional),
        "template": {
            "metadata": _pod_metadata(optional),
            "spec": _pod(spec, optional, settings, env),
        },
    }


def pod_security(settings: Settings) -> Json:
    """The security context of job pods."""
    found: Json = settings.job_pod.get("podSecurityContext", POD_SECURITY)
    return found


def container_security(settings: Settings) -> Json:
    """The security context of all containers of job pods."""
    found: Json = settings.job_pod.get("containerSecurityContext", CONTAINER_SECURITY)
    return found


def _pod_metadata(optional: OptionalValues) -> Json:
    labels = fields_at(Place.POD_LABELS, optional) | LABELS
    annotations = fields_at(Place.POD_ANNOTATIONS, optional)
    return {"labels": labels} | ({"annotations": annotations} if annotations else {})


def _pod(spec: BackupSpec, optional: OptionalValues, settings: Settings, env: list[Json]) -> Json:
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "serviceAccountName": settings.backup_service_account,
        "securityContext": pod_security(settings),
        **fields_at(Place.POD_SPEC, optional),
        "containers": [
            {
                "name": CONTAINER,
                "image": settings.image(spec.request.image),
                "imagePullPolicy": str(settings.image_pull_policy),
                "command": DELETE,
                "args": DELETE,
                "env": env,
                **fields_at(Place.CONTAINER, optional),
                "securityContext": container_security(settings),
                "volumeMounts": [
                    {"name": _TMP, "mountPath": "/tmp"},  # noqa: S108  the pod's
                    *_ca_mount(optional),
                    *_entries(Place.MOUNT, "mountPath", optional),
                ],
            }
        ],
        "volumes": [
            {"name": _TMP, "emptyDir": {}},
            *_ca_volume(optional),
            *_entries(Place.VOLUME, "name", optional),
        ],
    }


def _entries(place: Place, key: str, optional: OptionalValues) -> list[Json]:
    """The user's own volumes or mounts, or their deletion, by the `key` of their entries."""
    return [
        {key: name, **DELETE_ENTRY} if value is DELETE else value
        for name, value in fields_at(place, optional).items()
    ]


def _ca_mount(optional: OptionalValues) -> list[Json]:
    """The mount of the certificates' volume, or its deletion; empty where it is not managed."""
    if CA_VOLUME not in optional:
        return []
    if optional[CA_VOLUME] is DELETE:
        return [{"mountPath": CA_FOLDER, **DELETE_ENTRY}]
    return [{"mountPath": CA_FOLDER, "name": _CA, "readOnly": True}]


def _ca_volume(optional: OptionalValues) -> list[Json]:
    """The volume with the certificates, or its deletion; empty where it is not managed."""
    if CA_VOLUME not in optional:
        return []
    if optional[CA_VOLUME] is DELETE:
        return [{"name": _CA, **DELETE_ENTRY}]
    source: dict[str, Any] = {
        "secretName": optional[CA_VOLUME],
        "items": [{"key": variables.CA_KEY, "path": variables.CA_KEY}],
        # As the API server would have it.
        "defaultMode": 0o644,
    }
    return [{"name": _CA, "secret": source}]
