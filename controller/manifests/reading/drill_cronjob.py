"""BackupSpec → the CronJob that restores its newest backup into a throwaway server."""

from typing import Any

from controller.manifests.cronjob import drill_schedule
from controller.manifests.job_pod import container_security
from controller.manifests.optional_fields import (
    PULL_SECRETS,
    OptionalField,
    OptionalValues,
    Place,
    fields_at,
)
from controller.manifests.reading import drill_pod
from controller.manifests.reading.drilled import Drilled
from controller.manifests.reading.identity import IDENTITY_PATH
from controller.manifests.reading.reading_cronjob import (
    Reading,
    build_reading_cronjob,
    identity_parts,
    reader_env,
)
from controller.manifests.storages.entries import plain_variable
from controller.model import names
from controller.model.objects import DELETE, Json
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec
from dumpers.contract import names as variables


def build_drill_cronjob(
    spec: BackupSpec, settings: Settings, cluster: str, existing: Json | None, drilled: Drilled
) -> Json:
    """Build the CronJob of a workload that has a schedule for it, and a server to restore into.

    `existing` records which optional fields are to be taken back.
    """
    deadline = settings.drill_deadline
    reading = Reading(
        component=names.DRILL,
        name=names.drill_cronjob_name(spec.name),
        asked=spec.request.drill_schedule,
        schedule=drill_schedule(spec, cluster),
        deadline=deadline,
    )
    level = {variables.LOG_LEVEL: spec.request.log_level} if spec.request.log_level else {}
    sql = spec.request.drill_sql
    told = drill_pod.reader_variables(
        drilled, deadline, sql=sql, identity=IDENTITY_PATH if settings.identity_secret else ""
    )
    client = drill_pod.client_variables(spec.engine, drilled.server, deadline, sql) | level
    mount, volume = identity_parts(settings)

    def build_pod(optional: OptionalValues) -> Json:
        def container(name: str, verb: str, env: list[Json], *mounts: Json) -> Json:
            return {
                "name": name,
                "image": settings.image(spec.request.image),
                "imagePullPolicy": str(settings.image_pull_policy),
                "command": DELETE,
                "args": [verb],
                "env": env,
                **fields_at(Place.CONTAINER, optional),
                "securityContext": container_security(settings),
                "volumeMounts": [
                    drill_pod.scratch_mount(name),
                    drill_pod.EXCHANGE_MOUNT,
                    *mounts,
                ],
            }

        containers = [
            container(
                names.CONTAINER,
                drill_pod.DRILL,
                reader_env(spec, settings, cluster, told),
                mount,
            ),
            container(
                drill_pod.CLIENT,
                drill_pod.REHEARSE,
                [plain_variable(name, text) for name, text in client.items()],
                drill_pod.DRILL_MOUNT,
            ),
        ]
        scratch = (names.CONTAINER, drill_pod.CLIENT, drill_pod.SERVER)
        return {
            "initContainers": [drill_pod.server_container(drilled, settings)],
            "containers": containers,
            "volumes": [
                *map(drill_pod.scratch_volume, scratch),
                *drill_pod.shared_volumes(drilled, settings),
                volume,
            ],
        }

    return build_reading_cronjob(
        spec,
        settings,
        cluster,
        existing,
        reading,
        build_pod=build_pod,
        more=_pull_secrets(settings),
        annotations=drill_pod.pod_annotations(settings),
        job={"ttlSecondsAfterFinished": drill_pod.seconds_kept(drilled, settings) or DELETE},
    )


def _pull_secrets(settings: Settings) -> dict[OptionalField, Any]:
    """The pull secrets of dump pods and those of the servers' images; empty without the latter."""
    if not settings.drill_pull_secrets:
        return {}
    of_dumps = settings.job_pod.get(PULL_SECRETS.key, [])
    more = (one for one in settings.drill_pull_secrets if one not in of_dumps)
    return {PULL_SECRETS: [*of_dumps, *more]}
