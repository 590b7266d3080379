"""BackupSpec → the CronJob that reads the backups of its dump CronJob back, by its own schedule.

Its pods know the store and, where the operator gave one, the identity; of the database they know
neither address nor login.
"""

from typing import Any

from controller.manifests.cronjob import verify_schedule
from controller.manifests.job_env import more_of_store, plain_variable, store
from controller.manifests.job_pod import CONTAINER_SECURITY, FAILURE_POLICY, POD_SECURITY
from controller.manifests.optional_fields import (
    CA_VOLUME,
    WAITING_JOBS,
    OptionalValues,
    Place,
    fields_at,
    managed_fields,
    record,
    requested_fields,
)
from controller.manifests.ownership import LABELS
from controller.manifests.reading.identity import (
    IDENTITY,
    IDENTITY_MOUNT,
    IDENTITY_PATH,
    identity_of,
    identity_volume,
)
from controller.manifests.sidecars import without_sidecars
from controller.manifests.verb_job import WRITER, reader_account
from controller.model import names
from controller.model.kinds import CRONJOB, CRONJOB_API
from controller.model.objects import DELETE, DELETE_ENTRY, Json
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec
from controller.workloads.timing.spread import is_spread
from controller.workloads.verifying import DEADLINE
from dumpers.contract import names as variables

_HISTORY = 3
_TMP = "tmp"
# Not those of the CronJob: 0.6.0 deletes Jobs with its label that it does not know.
_JOB_LABELS = {names.PART_OF_LABEL: names.PART_OF, names.COMPONENT_LABEL: names.VERIFY}
# A dump's alone: it waits for its place at the database, and trusts the database's certificates.
_OF_DUMPS = frozenset({WAITING_JOBS, CA_VOLUME})


def build_verify_cronjob(
    spec: BackupSpec, settings: Settings, cluster: str, existing: Json | None
) -> Json:
    """Build the CronJob of a workload that has a schedule for it.

    `existing` records which optional fields are to be taken back.
    """
    asked = spec.request.verify_schedule
    requested = {
        item: value
        for item, value in requested_fields(spec, settings).items()
        if item not in _OF_DUMPS
    }
    optional = without_sidecars(managed_fields(requested, existing), existing)
    marks = {
        names.OWNER: spec.owner.key,
        names.OWNER_KIND: spec.owner.ref.kind,
        names.INSTANCE: settings.instance,
        names.CLUSTER: cluster,
        names.CRONJOB: spec.name,
    }
    return {
        "apiVersion": CRONJOB_API,
        "kind": CRONJOB,
        "metadata": {
            "name": names.verify_cronjob_name(spec.name),
            "namespace": settings.control_namespace,
            "labels": {**LABELS, **_JOB_LABELS},
            "annotations": {
                **marks,
                names.OPTIONAL_FIELDS: record(requested) or DELETE,
                names.ASKED_SCHEDULE: asked if is_spread(asked) else DELETE,
            },
        },
        "spec": {
            **fields_at(Place.CRONJOB_SPEC, optional),
            "schedule": verify_schedule(spec, cluster),
            "timeZone": spec.request.time_zone,
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": _HISTORY,
            "failedJobsHistoryLimit": _HISTORY,
            "jobTemplate": {
                "metadata": {"labels": _JOB_LABELS, "annotations": marks},
                "spec": {
                    "activeDeadlineSeconds": DEADLINE,
                    "backoffLimit": spec.request.retries,
                    "podFailurePolicy": FAILURE_POLICY,
                    "template": {
                        "metadata": _pod_metadata(optional),
                        "spec": _pod(spec, settings, cluster, optional),
                    },
                },
            },
        },
    }


def _pod_metadata(optional: OptionalValues) -> Json:
    annotations = fields_at(Place.POD_ANNOTATIONS, optional)
    labels = fields_at(Place.POD_LABELS, optional) | _JOB_LABELS
    return {"labels": labels, "annotations": annotations}


def _pod(spec: BackupSpec, settings: Settings, cluster: str, optional: OptionalValues) -> Json:
    account = reader_account(settings).service_account or settings.backup_service_account
    mount: Json = IDENTITY_MOUNT
    volume: Json = {"name": IDENTITY, **DELETE_ENTRY}
    if identity := identity_of(settings):
        volume = identity_volume(identity)
    else:
        mount = {**IDENTITY_MOUNT, **DELETE_ENTRY}
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "serviceAccountName": account,
        "securityContext": POD_SECURITY,
        **fields_at(Place.POD_SPEC, optional),
        "containers": [
            {
                "name": names.CONTAINER,
                "image": settings.image(spec.request.image),
                "imagePullPolicy": str(settings.image_pull_policy),
                "command": DELETE,
                "args": [names.VERIFY],
                "env": _variables(spec, settings, cluster),
                **fields_at(Place.CONTAINER, optional),
                "securityContext": CONTAINER_SECURITY,
                "volumeMounts": [
                    {"name": _TMP, "mountPath": "/tmp"},  # noqa: S108  the pod's
                    mount,
                ],
            }
        ],
        "volumes": [{"name": _TMP, "emptyDir": {}}, volume],
    }


def _variables(spec: BackupSpec, settings: Settings, cluster: str) -> list[Json]:
    """The store with the keys of jobs that read it, whose backups are meant, and how many."""
    config, account = settings.backup_configmap_name, reader_account(settings)
    own: dict[str, Any] = {
        variables.CLUSTER: cluster,
        variables.WORKLOAD: spec.owner.key,
        variables.CRONJOB: spec.name,
        variables.DEADLINE: str(DEADLINE),
        variables.VERIFY_SAMPLE: spec.request.verify_sample,
        variables.IDENTITY_FILE: IDENTITY_PATH if settings.identity_secret else "",
        variables.LOG_LEVEL: spec.request.log_level or "",
    }
    keys = settings.backup_secret_name if account == WRITER else account.secret
    return [
        *store(config, keys),
        *more_of_store(config),
        *(plain_variable(name, text) for name, text in own.items() if text),
    ]
