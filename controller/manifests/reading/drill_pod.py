"""The pod of a drill: a throwaway server beside the reader of the store and the database's client.

The server is a sidecar of Kubernetes' own (1.29), which ends with the pod. Of the three containers
the reader alone has the store's keys and the identity, and none has a login of the workload's.
"""

from controller.manifests.job_pod import container_security, pod_security
from controller.manifests.reading.drilled import Drilled
from controller.manifests.storages.entries import plain_variable
from controller.manifests.verb_job import without_cloud_identity
from controller.model import names
from controller.model.objects import DELETE, Json
from controller.settings.drilling import DrillVolume
from controller.settings.pods.security import GROUP, POD_SECURITY, USER
from controller.settings.settings import Settings
from dumpers.contract import names as variables
from dumpers.contract.drill.checks import parse_checks
from dumpers.contract.drill.server import DRILL_ACCOUNT, DRILL_FOLDER, ThrowawayServer
from dumpers.contract.engine_spec import EngineSpec, Role

DRILL, REHEARSE = names.DRILL, "rehearse"
SERVER, CLIENT = "server", "client"
EXCHANGE_FOLDER = "/run/ksnapshot/exchange"
_EXCHANGE, _DRILL, _PASSWD = "exchange", "drill", "passwd"
# How long a Job stays, in seconds, whose pod keeps a claim: time enough for passes to read its end.
_KEEP_WITH_CLAIM = 900
EXCHANGE_MOUNT: Json = {"name": _EXCHANGE, "mountPath": EXCHANGE_FOLDER}
DRILL_MOUNT: Json = {"name": _DRILL, "mountPath": DRILL_FOLDER}


def pod_annotations(settings: Settings) -> dict[str, str]:
    """The pod's annotations: the server's accounts, and who gets no identity of a cloud.

    Servers refuse to run as a user without a name. Where the cluster gives the ids, nobody knows
    them before, and the name is of our own user.
    """
    security = pod_security(settings)
    user, group = (security.get(name, POD_SECURITY[name]) for name in (USER, GROUP))
    accounts = (
        "root:x:0:0:root:/root:/sbin/nologin\n"
        f"{DRILL_ACCOUNT}:x:{user}:{group}:{DRILL_ACCOUNT}:{DRILL_FOLDER}:/bin/sh\n"
    )
    return {names.PASSWD: accounts, **without_cloud_identity(SERVER, CLIENT)}


def server_container(drilled: Drilled, settings: Settings) -> Json:
    """The container of the throwaway server."""
    server = drilled.server
    env = [plain_variable(name, text) for name, text in server.environment.items()]
    return {
        "name": SERVER,
        "image": drilled.image,
        "imagePullPolicy": str(settings.image_pull_policy),
        # So it begins before the others, does not keep the pod, and is ended after them.
        "restartPolicy": "Always",
        # Kubernetes would take `$(NAME)` for a variable.
        "command": ["/bin/sh", "-c", server.script.replace("$", "$$")],
        "args": DELETE,
        "env": env or DELETE,
        "resources": dict(settings.drill_resources),
        "securityContext": container_security(settings),
        "volumeMounts": [
            scratch_mount(SERVER),
            DRILL_MOUNT,
            {
                "name": _PASSWD,
                "mountPath": "/etc/passwd",
                "subPath": _PASSWD,
                "readOnly": True,
            },
        ],
    }


def reader_variables(
    drilled: Drilled, deadline: int, *, sql: str, backup: str = "", identity: str = ""
) -> dict[str, str]:
    """The reader's variables besides the store's and those that say whose backups are meant.

    `sql` are the user's own checks, which the client asks; `backup` is as the variable BACKUP has
    it, `identity` the file with private keys; all may be empty.
    """
    own = {
        variables.DEADLINE: str(deadline),
        variables.BACKUP: backup,
        variables.IDENTITY_FILE: identity,
        variables.EXCHANGE: EXCHANGE_FOLDER,
        variables.DRILL_IMAGE: drilled.image,
        variables.DRILL_CHECKS: _count_checks(sql),
    }
    return {name: text for name, text in own.items() if text}


def _count_checks(sql: str) -> str:
    """How many checks these are; empty for none, and for what the client says is wrong."""
    try:
        return str(len(parse_checks(sql))) if sql else ""
    except ValueError:
        return ""


def client_variables(
    engine: EngineSpec, server: ThrowawayServer, deadline: int, sql: str
) -> dict[str, str]:
    """The client's variables: where the throwaway server is, and what it is logged in to as.

    `sql` are the user's own checks, empty without any.
    """
    login = {Role.USERNAME: server.user, Role.DATABASE: server.database}
    known = {item.variable: login[item.role] for item in engine.credentials if item.role in login}
    own = {
        engine.host_variable: "127.0.0.1",
        engine.port_variable: str(engine.port),
        **known,
        variables.DEADLINE: str(deadline),
        variables.EXCHANGE: EXCHANGE_FOLDER,
        variables.DRILL_SQL: sql,
    }
    return {name: text for name, text in own.items() if text}


def scratch_mount(container: str) -> Json:
    """The mount of a container's own scratch space."""
    return {"name": f"tmp-{container}", "mountPath": "/tmp"}  # noqa: S108  the pod's


def scratch_volume(container: str) -> Json:
    """A container's own scratch space."""
    return {"name": f"tmp-{container}", "emptyDir": {}}


def shared_volumes(drilled: Drilled, settings: Settings) -> list[Json]:
    """The volumes that several containers share, and the server's accounts."""
    accounts = {
        "path": _PASSWD,
        "fieldRef": {
            "apiVersion": "v1",
            "fieldPath": f"metadata.annotations['{names.PASSWD}']",
        },
    }
    return [
        {"name": _EXCHANGE, "emptyDir": {}},
        {"name": _DRILL, **_room(drilled.room, settings.drill_volume)},
        # As the API server would have it.
        {"name": _PASSWD, "downwardAPI": {"items": [accounts], "defaultMode": 0o644}},
    ]


def seconds_kept(drilled: Drilled, settings: Settings, otherwise: int | None = None) -> int | None:
    """How long the Job stays after its end: briefly where the server's data lie in a claim.

    A claim lasts as long as its pod, and a pod as long as its Job. `otherwise` is for the others,
    which hold nothing.
    """
    return _KEEP_WITH_CLAIM if _needs_claim(drilled.room, settings.drill_volume) else otherwise


def _needs_claim(size: int | None, volume: DrillVolume) -> bool:
    return size is not None and size > volume.limit_bytes


def _room(size: int | None, volume: DrillVolume) -> Json:
    """The source of the volume with the server's data; what nobody knows gets all there is."""
    if size is None:
        return {"emptyDir": {"sizeLimit": volume.limit}}
    if not _needs_claim(size, volume):
        return {"emptyDir": {"sizeLimit": _written(size)}}
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": _written(size)}},
        "volumeMode": "Filesystem",
        **({"storageClassName": volume.storage_class} if volume.storage_class else {}),
    }
    # As the API server would have it.
    return {"ephemeral": {"volumeClaimTemplate": {"metadata": {}, "spec": claim}}}


def _written(size: int) -> str:
    """A power of two from 1 GiB on, as Kubernetes writes it."""
    return f"{size >> 30}Gi"
