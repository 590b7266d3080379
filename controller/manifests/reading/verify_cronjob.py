"""BackupSpec → the CronJob that reads the backups of its dump CronJob back, by its own schedule."""

from controller.manifests.cronjob import verify_schedule
from controller.manifests.job_pod import container_security
from controller.manifests.optional_fields import OptionalValues, Place, fields_at
from controller.manifests.reading.identity import IDENTITY_PATH
from controller.manifests.reading.reading_cronjob import (
    Reading,
    build_reading_cronjob,
    identity_parts,
    reader_env,
)
from controller.model import names
from controller.model.objects import DELETE, Json
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec
from controller.workloads.verifying import DEADLINE
from dumpers.contract import names as variables

_TMP = "tmp"


def build_verify_cronjob(
    spec: BackupSpec, settings: Settings, cluster: str, existing: Json | None
) -> Json:
    """Build the CronJob of a workload that has a schedule for it.

    `existing` records which optional fields are to be taken back.
    """
    reading = Reading(
        component=names.VERIFY,
        name=names.verify_cronjob_name(spec.name),
        asked=spec.request.verify_schedule,
        schedule=verify_schedule(spec, cluster),
        deadline=DEADLINE,
    )
    own = {
        variables.DEADLINE: str(DEADLINE),
        variables.VERIFY_SAMPLE: spec.request.verify_sample,
        variables.IDENTITY_FILE: IDENTITY_PATH if settings.identity_secret else "",
    }
    mount, volume = identity_parts(settings)

    def build_pod(optional: OptionalValues) -> Json:
        container = {
            "name": names.CONTAINER,
            "image": settings.image(spec.request.image),
            "imagePullPolicy": str(settings.image_pull_policy),
            "command": DELETE,
            "args": [names.VERIFY],
            "env": reader_env(spec, settings, cluster, own),
            **fields_at(Place.CONTAINER, optional),
            "securityContext": container_security(settings),
            "volumeMounts": [
                {"name": _TMP, "mountPath": "/tmp"},  # noqa: S108  the pod's
                mount,
            ],
        }
        return {"containers": [container], "volumes": [{"name": _TMP, "emptyDir": {}}, volume]}

    return build_reading_cronjob(spec, settings, cluster, existing, reading, build_pod=build_pod)
