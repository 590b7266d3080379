"""Starts the Job that drills one backup, once it is known which server it may have."""

from collections.abc import Mapping
from typing import Any

from controller.client.cluster.connection import Connection
from controller.client.cluster.workload_names import Workload
from controller.client.jobs.asked import IDENTITY_KEY, create_held_job, create_job, new_job_name
from controller.client.jobs.chosen_storages import in_chosen
from controller.client.jobs.of_workload import cronjob_of
from controller.client.restore.identity import read_identity
from controller.client.restore.options import parse_secret_key
from controller.client.terminal.errors import CommandError, Exit
from controller.kube.client import CRONJOBS, SECRETS, Document, NotFoundError
from controller.manifests.ownership import is_ours
from controller.manifests.reading import drill_pod
from controller.manifests.reading.drill_job import build_drill_job
from controller.manifests.reading.drilled import Drilled, room_of, server_version_of
from controller.manifests.reading.identity import SecretKey, identity_of
from controller.manifests.storages.sources import reader_account
from controller.manifests.verb_job import VerbJob
from controller.model import names
from controller.model.objects import Json, name_of
from controller.model.status import Rejected
from controller.workloads.drilling.server_image import choose_image, full_name
from dumpers.contract import names as variables
from dumpers.contract.engine_spec import EngineSpec
from dumpers.engines.registry import find as find_engine

# How long the Job, and with it what it found, stays to be looked at.
_KEEP = 7 * 86_400


def start_drill(connection: Connection, workload: Workload, options: Mapping[str, Any]) -> Document:
    """Start the drill of a workload's backup and return its Job.

    `options` are the verb's own. Raises OptionError, CommandError and KubeError; nothing is left
    behind then.
    """
    settings = connection.install.settings
    cronjob = in_chosen(cronjob_of(workload), options["storage"], settings)
    engine = _engine(workload)
    drilled = _drilled(connection, engine, cronjob, options["image"])
    name = new_job_name(names.DRILL, workload.key)
    keys = read_identity(options["identity"]) if options["identity"] else ""
    # The Secret that is made of a file has the Job's name.
    own = SecretKey(secret=name, key=IDENTITY_KEY) if keys else None
    named = _identity_secret(connection, options["identity_secret"])
    body = build_drill_job(
        cronjob,
        engine,
        drilled,
        settings,
        VerbJob(
            name=name,
            verb=names.DRILL,
            deadline=settings.drill_deadline,
            keep=_KEEP,
            env={
                variables.BACKUP: options["backup"],
                variables.REQUESTED_BY: connection.kubectl.whoami(),
            },
            account=reader_account(settings),
        ),
        identity=own or named or identity_of(settings),
    )
    if keys:
        return create_held_job(connection.kubectl, body, identity=keys)
    return create_job(connection.kubectl, body)


def _drilled(connection: Connection, engine: EngineSpec, cronjob: Json, image: str) -> Drilled:
    """The throwaway server; CommandError where there is none, or no image is known for it.

    Without an image that is asked for it is that of the CronJob which drills, else the operator's.
    """
    server = engine.drill_server
    if server is None:
        raise CommandError(
            f"backups of {engine.title} cannot be drilled by this version", Exit.REFUSED
        )
    found: str | Rejected = full_name(image) if image else _image_by_schedule(connection, cronjob)
    if not found:
        settings = connection.install.settings
        found = choose_image(engine, "", server_version_of(cronjob), settings)
    if isinstance(found, Rejected):
        raise CommandError(f"{found.message}: name one by --image", Exit.REFUSED)
    return Drilled(server=server, image=found, room=room_of(cronjob))


def _image_by_schedule(connection: Connection, cronjob: Json) -> str:
    """The image with which the workload is drilled by a schedule; empty where it is not."""
    name = names.drill_cronjob_name(name_of(cronjob))
    try:
        found = connection.kubectl.get(CRONJOBS, connection.install.namespace, name)
    except NotFoundError:
        return ""
    if not is_ours(found, connection.install.settings):
        return ""
    pod = found["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    images = {item["name"]: item["image"] for item in pod.get("initContainers") or ()}
    return str(images.get(drill_pod.SERVER, ""))


def _identity_secret(connection: Connection, text: str) -> SecretKey | None:
    if not text:
        return None
    secret = text.partition("/")[0]
    found = connection.kubectl.get(SECRETS, connection.install.namespace, secret)
    return parse_secret_key(text, found.get("data") or {})


def _engine(workload: Workload) -> EngineSpec:
    engine = find_engine(workload.type)
    if engine is None:
        raise CommandError(f"this version knows no type {workload.type}: renew this command")
    return engine
