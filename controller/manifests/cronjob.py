"""BackupSpec → the dump CronJob that should exist (contract sections 7, 9.4, 9.11).

The body holds only the fields that are ours; a field that must be absent is DELETE.
"""

from collections.abc import Mapping
from typing import Any

from controller.manifests.job_env import build_env
from controller.manifests.job_pod import build_job
from controller.manifests.optional_fields import (
    WAITING_JOBS,
    OptionalValues,
    Place,
    fields_at,
    managed_fields,
    record,
    requested_fields,
)
from controller.manifests.ownership import LABELS, members_text
from controller.manifests.reading.drilled import Drilled, drilled_of, required_proof
from controller.manifests.sidecars import without_sidecars
from controller.model import names
from controller.model.kinds import CRONJOB, CRONJOB_API
from controller.model.objects import DELETE, Json
from controller.model.status import Rejected
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec
from controller.workloads.timing.spread import is_spread, plain_schedule


def build_cronjob(
    spec: BackupSpec, settings: Settings, cluster: str, existing: Json | None
) -> Json:
    """Build the CronJob; `existing` records which optional fields are to be taken back.

    The labels of the pod template reach the Jobs by the API's own default.
    """
    asked = spec.request.schedule
    requested = requested_fields(spec, settings)
    optional = without_sidecars(managed_fields(requested, existing), existing)
    drilled = drilled_of(spec, settings, existing)
    env = build_env(spec, settings, cluster, required_proof(spec, drilled, existing))
    return {
        "apiVersion": CRONJOB_API,
        "kind": CRONJOB,
        "metadata": {
            "name": spec.name,
            "namespace": settings.control_namespace,
            "labels": dict(LABELS),
            "annotations": {
                names.OWNER: spec.owner.key,
                names.OWNER_KIND: spec.owner.ref.kind,
                names.OWNER_UID: spec.owner.uid or DELETE,
                names.MEMBERS: members_text(spec.members) or DELETE,
                names.RESTORE_LOGIN: " ".join(sorted(spec.restore_credentials)) or DELETE,
                names.INSTANCE: settings.instance,
                names.CLUSTER: cluster,
                names.OPTIONAL_FIELDS: record(requested) or DELETE,
                names.CLASS: spec.request.backup_class or DELETE,
                names.ASKED_SCHEDULE: asked if is_spread(asked) else DELETE,
                **_verification(verify_schedule(spec, cluster)),
                **_drills(drill_schedule(spec, cluster), drilled),
                names.DRILL_SQL: spec.request.drill_sql or DELETE,
                names.GONE_SINCE: DELETE,
            },
        },
        "spec": {
            **fields_at(Place.CRONJOB_SPEC, optional),
            "schedule": plain_schedule(asked, cluster, spec.owner.key),
            "timeZone": spec.request.time_zone,
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": settings.successful_jobs,
            "failedJobsHistoryLimit": settings.failed_jobs,
            "jobTemplate": _job_template(build_job(spec, optional, settings, env), optional),
        },
    }


def verify_schedule(spec: BackupSpec, cluster: str) -> str:
    """The cron line by which the workload's backups are read back; empty without one."""
    return _drawn(spec, cluster, spec.request.verify_schedule, names.VERIFY)


def drill_schedule(spec: BackupSpec, cluster: str) -> str:
    """The cron line by which the workload's backups are drilled; empty without one."""
    return _drawn(spec, cluster, spec.request.drill_schedule, names.DRILL)


def _drawn(spec: BackupSpec, cluster: str, asked: str, component: str) -> str:
    # Drawn by another key than the dump's, so that the two are not at one time.
    return asked and plain_schedule(asked, cluster, f"{spec.owner.key}/{component}")


def _verification(schedule: str) -> Mapping[str, Any]:
    """The annotations about reading backups back by a schedule, which go with it."""
    if schedule:
        return {names.VERIFY_SCHEDULE: schedule}
    return dict.fromkeys((names.VERIFY_SCHEDULE, names.VERIFY_SINCE, names.LAST_VERIFY), DELETE)


def _drills(schedule: str, drilled: Drilled | Rejected | None) -> Mapping[str, Any]:
    """The annotations about drilling backups by a schedule, which go with it.

    How the last drill ended stays: somebody may have asked for it.
    """
    if isinstance(drilled, Drilled):
        return {names.DRILL_SCHEDULE: schedule}
    return dict.fromkeys((names.DRILL_SCHEDULE, names.DRILL_SINCE), DELETE)


def _job_template(job: Json, optional: OptionalValues) -> Json:
    """The template of Jobs, which begin at once or wait until they are released."""
    if WAITING_JOBS not in optional:
        return {"spec": job}
    takes_back = optional[WAITING_JOBS] is DELETE
    return {
        "metadata": {"annotations": {names.AWAITS_RELEASE: DELETE if takes_back else "true"}},
        "spec": {**job, "suspend": DELETE if takes_back else True},
    }
