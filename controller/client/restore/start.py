"""Starts the Job of one restore, once all that can be known before is right."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from controller.client.cluster.connection import Connection
from controller.client.cluster.known import Known
from controller.client.cluster.workload_names import Workload
from controller.client.jobs.asked import (
    IDENTITY_KEY,
    create_held_job,
    new_job_name,
)
from controller.client.jobs.beside import refuse_beside_running
from controller.client.jobs.chosen_storages import in_chosen
from controller.client.jobs.of_workload import cronjob_of
from controller.client.restore.identity import read_identity
from controller.client.restore.options import Address, login_of_keys, parse_secret_key
from controller.client.restore.wanted import RestoreWanted
from controller.client.terminal.ask import confirm
from controller.client.terminal.errors import CommandError, Exit
from controller.kube.client import SECRETS, Document
from controller.manifests.reading.identity import SecretKey
from controller.manifests.restore_job import (
    RESTORE,
    RestoreJob,
    Target,
    build_restore_job,
)
from controller.manifests.storages.sources import reader_account
from controller.manifests.verb_job import VerbJob
from controller.model.objects import name_of
from dumpers.contract import names as variables
from dumpers.contract.engine_spec import EngineSpec
from dumpers.contract.restore.request import RestoreMode
from dumpers.engines.registry import find as find_engine

# How long the Job, and with it what it did, stays to be looked at.
_KEEP = 7 * 86_400
_REPLACING = {RestoreMode.OVERWRITE, RestoreMode.SWAP}


def start_restore(
    connection: Connection,
    known: Known,
    source: Workload,
    wanted: RestoreWanted,
    options: Mapping[str, Any],
) -> Document:
    """Start the restore of a workload's backup and return its Job.

    `options` are the verb's own `storage`, `deadline`, in seconds, and `yes`. Raises OptionError,
    CommandError and KubeError; nothing is left behind then.
    """
    target = _target(connection, wanted, source, known)
    identity_secret = _identity_secret(connection, wanted)
    identity = read_identity(wanted.identity) if wanted.identity else ""
    name = new_job_name(RESTORE, source.key)
    # The Secret that is made of a file has the Job's name.
    own = SecretKey(secret=name, key=IDENTITY_KEY) if identity else None
    settings = connection.install.settings
    body = build_restore_job(
        in_chosen(cronjob_of(source), options["storage"], settings),
        _engine(source),
        target,
        RestoreJob(
            backup=wanted.backup,
            request=replace(wanted.request, by=name),
            identity=identity_secret or own,
            requested_by=connection.kubectl.whoami(),
            plan_only=wanted.plan,
        ),
        VerbJob(
            name=name,
            verb=RESTORE,
            deadline=options["deadline"],
            keep=_KEEP,
            env={variables.CLUSTER: wanted.from_cluster} if wanted.from_cluster else {},
            account=reader_account(settings),
        ),
    )
    if wanted.writes_in_place:
        refuse_beside_running(connection.kubectl, known.jobs or (), target.cronjob, RESTORE)
        if wanted.request.mode in _REPLACING and not options["yes"]:
            _confirm(wanted, target)
    # A dump of its CronJob would read what is half restored; of another place there is none.
    held = target.cronjob if wanted.writes_in_place and wanted.address == Address() else None
    return create_held_job(connection.kubectl, body, identity=identity, held=held)


def _target(
    connection: Connection, wanted: RestoreWanted, source: Workload, known: Known
) -> Target:
    """Where to restore to; CommandError where that cannot be."""
    at = source
    if wanted.to_workload:
        at = known.find(wanted.to_workload, "")
        if at.type != source.type:
            raise CommandError(
                f"{at.key} is a workload of type {at.type}, and the backup is of {source.type}",
                Exit.USAGE,
            )
    login = {}
    if secret := wanted.credentials_secret:
        login = dict(login_of_keys(secret, _keys(connection, secret), _engine(source)))
    address = wanted.address
    return Target(
        cronjob=cronjob_of(at),
        host=address.host,
        port=address.port,
        database=address.database,
        login=login,
    )


def _identity_secret(connection: Connection, wanted: RestoreWanted) -> SecretKey | None:
    if not wanted.identity_secret:
        return None
    secret = wanted.identity_secret.partition("/")[0]
    return parse_secret_key(wanted.identity_secret, _keys(connection, secret))


def _keys(connection: Connection, secret: str) -> Mapping[str, str]:
    """The keys of a Secret of the control namespace."""
    found = connection.kubectl.get(SECRETS, connection.install.namespace, secret)
    keys: Mapping[str, str] = found.get("data") or {}
    return keys


def _engine(workload: Workload) -> EngineSpec:
    engine = find_engine(workload.type)
    if engine is None:
        raise CommandError(f"this version knows no type {workload.type}: renew this command")
    return engine


def _confirm(wanted: RestoreWanted, target: Target) -> None:
    """Ask before something is replaced; CommandError where nobody can be asked."""
    what = {
        RestoreMode.OVERWRITE: "will be replaced and is gone then",
        RestoreMode.SWAP: "will be exchanged, and kept under another name",
    }[wanted.request.mode]
    where = wanted.address.database or "the database"
    confirm(
        f"What {where} of {name_of(target.cronjob)} holds {what}. Go on?",
        otherwise="say --yes to do it, or --plan to see what would happen",
    )
