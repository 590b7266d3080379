"""BackupSpec → the CronJob and Secret that should exist (contract sections 5, 7, 9.4, 9.11).

A desired object holds only the fields that are ours; None stands for a field that must be absent.
Some fields are ours only as long as something asks for them. Which these are is recorded on the
CronJob, so that they are taken back afterwards, and that what others set there stays.
"""

from controller.manifests.job_pod import build_job
from controller.manifests.optional_fields import SUSPEND, requested_fields, select
from controller.manifests.ownership import LABELS, members_text
from controller.model import names
from controller.model.kinds import CRONJOB_API
from controller.model.objects import Json, annotations_of
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec

_HISTORY = 3


def build_cronjob(
    spec: BackupSpec, settings: Settings, cluster: str, existing: Json | None
) -> Json:
    """The CronJob; its labels on the pod template reach the Jobs by the API's own default."""
    asked = requested_fields(spec, settings)
    held = annotations_of(existing or {}).get(names.OPTIONAL_FIELDS, "").split()
    asked_or_released = dict.fromkeys(held) | asked
    return {
        "apiVersion": CRONJOB_API,
        "kind": "CronJob",
        "metadata": {
            "name": spec.name,
            "namespace": settings.control_namespace,
            "labels": dict(LABELS),
            "annotations": {
                names.OWNER: spec.owner.key,
                names.OWNER_KIND: spec.owner.ref.kind,
                names.OWNER_UID: spec.owner.uid or None,
                names.MEMBERS: members_text(spec.members),
                names.INSTANCE: settings.instance,
                names.CLUSTER: cluster,
                names.OPTIONAL_FIELDS: " ".join(sorted(asked)) or None,
                names.GONE_SINCE: None,
            },
        },
        "spec": {
            **select(asked_or_released, (SUSPEND,)),
            "schedule": spec.request.schedule,
            "timeZone": spec.request.time_zone,
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": _HISTORY,
            "failedJobsHistoryLimit": _HISTORY,
            "jobTemplate": {"spec": build_job(spec, settings, cluster, asked_or_released)},
        },
    }
