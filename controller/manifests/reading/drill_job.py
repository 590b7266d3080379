"""Builds the Job that drills one backup because a person asks for it, from its dump CronJob."""

from typing import Any

from controller.manifests.overlay import overlay
from controller.manifests.reading import drill_pod
from controller.manifests.reading.drilled import Drilled
from controller.manifests.reading.identity import (
    IDENTITY_MOUNT,
    IDENTITY_PATH,
    SecretKey,
    identity_volume,
)
from controller.manifests.verb_job import (
    VerbJob,
    build_container,
    build_job,
    container_of,
    plain_variables,
    store_variables,
)
from controller.model import names
from controller.model.objects import Json, annotations_of
from controller.settings.settings import Settings
from dumpers.contract import names as variables
from dumpers.contract.engine_spec import EngineSpec


def build_drill_job(
    cronjob: Json,
    engine: EngineSpec,
    drilled: Drilled,
    settings: Settings,
    wanted: VerbJob,
    *,
    identity: SecretKey | None,
) -> dict[str, Any]:
    """Build the Job; `wanted` says in its variables which backup is meant, and who asks.

    `identity` holds the private keys, None for a backup in the clear. The CronJob says which checks
    of the user's own it makes.
    """
    dump = container_of(cronjob)
    sql = annotations_of(cronjob).get(names.DRILL_SQL, "")
    told = drill_pod.reader_variables(
        drilled, wanted.deadline, sql=sql, identity=IDENTITY_PATH if identity else ""
    )
    reader = build_container(
        dump,
        name=names.CONTAINER,
        verb=drill_pod.DRILL,
        env=store_variables(dump, {**wanted.variables, **told}, wanted.account),
        mounts=[drill_pod.EXCHANGE_MOUNT, *([IDENTITY_MOUNT] if identity else [])],
    )
    level = [item for item in dump.get("env") or () if item["name"] == variables.LOG_LEVEL]
    login = drill_pod.client_variables(engine, drilled.server, wanted.deadline, sql)
    client = build_container(
        dump,
        name=drill_pod.CLIENT,
        verb=drill_pod.REHEARSE,
        env=[*plain_variables(login), *level],
        mounts=[drill_pod.EXCHANGE_MOUNT, drill_pod.DRILL_MOUNT],
    )
    volumes = [
        drill_pod.scratch_volume(drill_pod.SERVER),
        *drill_pod.shared_volumes(drilled, settings),
        *([identity_volume(identity)] if identity else []),
    ]
    job = build_job(cronjob, wanted, containers=[reader, client], volumes=volumes)
    job["spec"]["ttlSecondsAfterFinished"] = drill_pod.seconds_kept(drilled, settings, wanted.keep)
    template = job["spec"]["template"]
    template["metadata"]["annotations"] |= drill_pod.pod_annotations(settings)
    server = overlay(None, drill_pod.server_container(drilled, settings))
    pull = template["spec"].get("imagePullSecrets") or []
    more = [item for item in settings.drill_pull_secrets if item not in pull]
    template["spec"] |= {
        "initContainers": [server],
        **({"imagePullSecrets": [*pull, *more]} if more else {}),
    }
    return job
