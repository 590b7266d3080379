"""Builds the Job that restores a backup: a reader with the keys, and a client with the login.

A dump is code, which the database's client runs. So that client stands in a container without the
store's keys and without the identity, and the reader hands it the plain bytes over a socket.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.manifests.job_env import CA_FOLDER
from controller.manifests.reading.identity import (
    IDENTITY_MOUNT,
    IDENTITY_PATH,
    SecretKey,
    identity_volume,
)
from controller.manifests.secret import restore_key
from controller.manifests.storages.every_storage import every_store_variables
from controller.manifests.verb_job import (
    VerbJob,
    build_container,
    build_job,
    container_of,
    plain_variables,
    without_cloud_identity,
)
from controller.model import names
from controller.model.objects import Json, annotations_of, name_of
from controller.workloads.storages.dump_container import literal_of
from dumpers.contract import names as variables
from dumpers.contract.engine_spec import EngineSpec, Role
from dumpers.contract.restore.request import RestoreRequest

RESTORE, LOAD, UNDO, FORGET = "restore", "load", "undo", "forget"
# The components of the Jobs that change a database.
WRITERS = frozenset({RESTORE, UNDO, FORGET})
CLIENT = "client"
_EXCHANGE_FOLDER = "/run/ksnapshot/exchange"
_EXCHANGE = {"name": "exchange", "emptyDir": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a backup is restored to, as far as that is not the place it was dumped from.

    `cronjob` is the dump CronJob whose database it is. `host`, `port` and `database` replace that
    CronJob's where they are set. `login` replaces its login by roles; empty means the one that it
    records for restores, else that of its dumps.
    """

    cronjob: Json = field(repr=False)
    host: str = ""
    port: str = ""
    database: str = ""
    login: Mapping[Role, SecretKey] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreJob:
    """A restore of a workload's backup.

    `backup` is as the variable BACKUP has it. `identity` holds the private keys, None for a backup
    in the clear. With `plan_only` nothing is changed.
    """

    backup: str
    request: RestoreRequest
    identity: SecretKey | None
    requested_by: str
    plan_only: bool = False

    @property
    def shared_variables(self) -> dict[str, str]:
        """The variables of both containers."""
        return {
            variables.RESTORE: self.request.to_json(),
            variables.EXCHANGE: _EXCHANGE_FOLDER,
            **({variables.PLAN_ONLY: "true"} if self.plan_only else {}),
        }

    @property
    def reader_variables(self) -> dict[str, str]:
        """The variables that say which backup is read, how, and for whom."""
        return {
            variables.BACKUP: self.backup,
            **({variables.REQUESTED_BY: self.requested_by} if self.requested_by else {}),
            **({variables.IDENTITY_FILE: IDENTITY_PATH} if self.identity else {}),
        }


def build_restore_job(
    source: Json, engine: EngineSpec, target: Target, restore: RestoreJob, wanted: VerbJob
) -> dict[str, Any]:
    """Build the Job from the dump CronJob of the backup (`source`) and that of the target.

    Both are of `engine`. `wanted.env` may name another cluster, whose backup it is. The reader has
    all storages of `source`.
    """
    dump, theirs = container_of(source), container_of(target.cronjob)
    certificates = _certificates(target.cronjob, theirs)
    identity = _identity(restore.identity)
    exchange = {"name": _EXCHANGE["name"], "mountPath": _EXCHANGE_FOLDER}
    reader = build_container(
        dump,
        name=names.CONTAINER,
        verb=RESTORE,
        env=every_store_variables(
            dump,
            {**wanted.variables, **restore.reader_variables, **restore.shared_variables},
            wanted.account,
        ),
        mounts=[exchange, *(mount for mount, _ in identity)],
    )
    client = build_container(
        dump,
        name=CLIENT,
        verb=LOAD,
        env=[
            *_database_variables(theirs, engine, target),
            *plain_variables(restore.shared_variables),
        ],
        mounts=[exchange, *(mount for mount, _ in certificates)],
    )
    volumes = [_EXCHANGE, *(volume for _, volume in (*identity, *certificates))]
    job = build_job(source, wanted, containers=[reader, client], volumes=volumes)
    job["spec"]["template"]["metadata"]["annotations"] |= without_cloud_identity(CLIENT)
    return job


def build_client_job(engine: EngineSpec, target: Target, wanted: VerbJob) -> dict[str, Any]:
    """Build a Job that knows the target's login and nothing of the store."""
    theirs = container_of(target.cronjob)
    certificates = _certificates(target.cronjob, theirs)
    container = build_container(
        theirs,
        name=names.CONTAINER,
        verb=wanted.verb,
        env=[*_database_variables(theirs, engine, target), *plain_variables(wanted.variables)],
        mounts=[mount for mount, _ in certificates],
    )
    volumes = [volume for _, volume in certificates]
    return build_job(target.cronjob, wanted, containers=[container], volumes=volumes)


def login_of_restores(cronjob: Json, engine: EngineSpec) -> Mapping[Role, SecretKey]:
    """The login that a dump CronJob records for restores; empty where that is the dumps' own."""
    recorded = annotations_of(cronjob).get(names.RESTORE_LOGIN, "").split()
    secret = names.secret_name(name_of(cronjob))
    return {
        item.role: SecretKey(secret=secret, key=restore_key(item.variable))
        for item in engine.credentials
        if item.variable in recorded
    }


def _identity(identity: SecretKey | None) -> list[tuple[Json, Json]]:
    """The mount and the volume with the private keys; empty without them."""
    return [] if identity is None else [(IDENTITY_MOUNT, identity_volume(identity))]


def _certificates(cronjob: Json, container: Json) -> list[tuple[Json, Json]]:
    """The mount and the volume with the certificates that the target's CronJob trusts, if any."""
    pod = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod.get("volumes") or ()}
    return [
        (mount, volumes[mount["name"]])
        for mount in container.get("volumeMounts") or ()
        if mount.get("mountPath") == CA_FOLDER and mount.get("name") in volumes
    ]


def _database_variables(theirs: Json, engine: EngineSpec, target: Target) -> list[Json]:
    """The variables of the target's address and login."""
    roles = target.login or login_of_restores(target.cronjob, engine)
    login = {
        credential.variable: roles[credential.role]
        for credential in engine.credentials
        if credential.role in roles
    }
    database = next(
        (item.variable for item in engine.credentials if item.role is Role.DATABASE), ""
    )
    address = {
        engine.host_variable: target.host,
        engine.port_variable: target.port,
        database: target.database,
    }
    replaced = {name: text for name, text in address.items() if name and text}
    known = engine.variables | {
        engine.tls_variable,
        engine.ca_file_variable,
        variables.LOG_LEVEL,
        # Where the workload names several databases, its login need not name one.
        *(item.unless for item in engine.credentials if item.unless),
    }
    if not target.host:
        # Another place has other servers.
        known |= engine.server_variables
    # A login is replaced as a whole: another account with the old password is nobody's.
    dropped = (
        {item.variable for item in engine.credentials if item.role is not Role.DATABASE}
        if login
        else set()
    )
    return [
        *(
            item
            for item in theirs.get("env") or ()
            if item["name"] in known - dropped - set(replaced) - set(login)
        ),
        *plain_variables(replaced),
        *(
            {
                "name": name,
                "valueFrom": {"secretKeyRef": {"name": place.secret, "key": place.key}},
            }
            for name, place in login.items()
        ),
    ]


def is_plan(job: Json) -> bool:
    """Whether a restore's Job is only to say what it would do."""
    return bool(variable_of(job, variables.PLAN_ONLY))


def variable_of(job: Json, name: str) -> str:
    """The value of a variable of the Job's containers; empty without it."""
    pod = ((job.get("spec") or {}).get("template") or {}).get("spec") or {}
    values = (literal_of(container, name) for container in pod.get("containers") or ())
    return next(filter(None, values), "")
