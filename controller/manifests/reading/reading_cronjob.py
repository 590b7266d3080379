"""What the CronJobs share that read a workload's backups by schedules of their own.

They know the store and, where the operator gave one, the identity; of the workload's database they
know neither address nor login.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from controller.manifests.job_pod import FAILURE_POLICY, pod_security
from controller.manifests.optional_fields import (
    CA_VOLUME,
    TTL,
    WAITING_JOBS,
    OptionalField,
    OptionalValues,
    Place,
    fields_at,
    managed_fields,
    record,
    requested_fields,
)
from controller.manifests.reading.identity import (
    IDENTITY,
    IDENTITY_MOUNT,
    identity_of,
    identity_volume,
)
from controller.manifests.sidecars import without_sidecars
from controller.manifests.storages.entries import plain_variable
from controller.manifests.storages.sources import reader_account, sources_of
from controller.manifests.storages.storage_env import variables_of
from controller.model import names
from controller.model.kinds import CRONJOB, CRONJOB_API
from controller.model.objects import DELETE, DELETE_ENTRY, Json
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec
from controller.workloads.timing.spread import is_spread
from dumpers.contract import names as variables

# A dump's alone: it waits for its place at the database, and trusts the database's certificates.
_OF_DUMPS = frozenset({WAITING_JOBS, CA_VOLUME, TTL})
_OF_DUMP_PODS = frozenset({Place.VOLUME, Place.MOUNT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One kind of these CronJobs, for one workload.

    `asked` is the schedule as it was asked for, `schedule` the cron line; `deadline` is in seconds.
    """

    component: str
    name: str
    asked: str
    schedule: str
    deadline: int


def build_reading_cronjob(
    spec: BackupSpec,
    settings: Settings,
    cluster: str,
    existing: Json | None,
    reading: Reading,
    *,
    build_pod: Callable[[OptionalValues], Json],
    more: Mapping[OptionalField, Any] = MappingProxyType({}),
    annotations: Mapping[str, str] = MappingProxyType({}),
    job: Mapping[str, Any] = MappingProxyType({}),
) -> Json:
    """Build the CronJob around what `build_pod` makes of the optional fields of its containers.

    `existing` records which optional fields are to be taken back; `more` are asked for besides
    those of dumps, `annotations` are the pod's own, and `job` is what its Jobs have besides.
    """
    requested = {
        item: value
        for item, value in requested_fields(spec, settings).items()
        if item not in _OF_DUMPS and item.place not in _OF_DUMP_PODS
    } | dict(more)
    optional = without_sidecars(managed_fields(requested, existing), existing)
    # Not the label of dump CronJobs and their Jobs: 0.6.0 deletes those that it does not know.
    own = {names.PART_OF_LABEL: names.PART_OF, names.COMPONENT_LABEL: reading.component}
    marks = {
        names.OWNER: spec.owner.key,
        names.OWNER_KIND: spec.owner.ref.kind,
        names.INSTANCE: settings.instance,
        names.CLUSTER: cluster,
        names.CRONJOB: spec.name,
    }
    pod_metadata = {
        "labels": fields_at(Place.POD_LABELS, optional) | own,
        "annotations": fields_at(Place.POD_ANNOTATIONS, optional) | dict(annotations),
    }
    return {
        "apiVersion": CRONJOB_API,
        "kind": CRONJOB,
        "metadata": {
            "name": reading.name,
            "namespace": settings.control_namespace,
            "labels": {**own, names.MANAGED_BY_LABEL: DELETE},
            "annotations": {
                **marks,
                names.OPTIONAL_FIELDS: record(requested) or DELETE,
                names.ASKED_SCHEDULE: reading.asked if is_spread(reading.asked) else DELETE,
            },
        },
        "spec": {
            **fields_at(Place.CRONJOB_SPEC, optional),
            "schedule": reading.schedule,
            "timeZone": spec.request.time_zone,
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": settings.successful_jobs,
            "failedJobsHistoryLimit": settings.failed_jobs,
            "jobTemplate": {
                "metadata": {"labels": own, "annotations": marks},
                "spec": {
                    "activeDeadlineSeconds": reading.deadline,
                    "backoffLimit": spec.request.retries,
                    "podFailurePolicy": FAILURE_POLICY,
                    **job,
                    "template": {
                        "metadata": pod_metadata,
                        "spec": {
                            "restartPolicy": "Never",
                            "automountServiceAccountToken": False,
                            "enableServiceLinks": False,
                            "serviceAccountName": reader_account(settings).service_account
                            or settings.backup_service_account,
                            "securityContext": pod_security(settings),
                            **fields_at(Place.POD_SPEC, optional),
                            **build_pod(optional),
                        },
                    },
                },
            },
        },
    }


def identity_parts(settings: Settings) -> tuple[Json, Json]:
    """The mount and the volume with the operator's identity, or their deletion."""
    if identity := identity_of(settings):
        return IDENTITY_MOUNT, identity_volume(identity)
    return {**IDENTITY_MOUNT, **DELETE_ENTRY}, {"name": IDENTITY, **DELETE_ENTRY}


def reader_env(
    spec: BackupSpec, settings: Settings, cluster: str, own: Mapping[str, str]
) -> list[Json]:
    """The first storage with the keys of jobs that read it, whose backups are meant, and `own`."""
    sources = sources_of(spec.request.storages[:1], settings, reader_account(settings))
    named: dict[str, str] = {
        variables.CLUSTER: cluster,
        variables.WORKLOAD: spec.owner.key,
        variables.CRONJOB: spec.name,
        **own,
        variables.LOG_LEVEL: spec.request.log_level or "",
    }
    return [
        *variables_of(sources, settings.backup_configmap_name),
        *(plain_variable(name, text) for name, text in named.items() if text),
    ]
