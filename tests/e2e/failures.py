"""Workloads that each fail in a way of their own, and what shows of it in every place."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.model.names import cronjob_name, job_name
from tests.demo.kube import Object
from tests.demo.objects import from_secret, secret, service, stateful_set
from tests.demo.world import CONTROL, PREFIX, SHOP, World

LABEL = "ksnapshot-test"
LABELS = {LABEL: "failures"}
HOST = f"database.{SHOP}.svc.cluster.local"
YEARLY = "0 3 1 1 *"
# The database whose only table is locked: a dump of it never ends.
LOCKED = "locked"
# Secrets with a login: the right one, one with another password, and one for the locked database.
LOGIN, WRONG, SLOW = "failures-login", "failures-wrong", "failures-slow"
MISSING_IMAGE = "localhost/ksnapshot-missing:dev"
_WAITS = {"pg-dump-options": "--lock-wait-timeout=3600000"}
MISSED = "missed"
# Seconds; the shortest that may be asked for.
DEADLINE = "60"
# An alert that looks back for an hour, or for a week, is true so much later.
NOW, IN_AN_HOUR, IN_EIGHT_DAYS = 0, 3900, 8 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A workload, and what has to show of it.

    `reasons` are the right ones, of its last run where there is a `cause`, else of its state.
    `look` is the look at which it shows, `alert` is true `later` than that, in seconds. With `now`
    a run is asked for at once.
    """

    name: str
    reasons: tuple[str, ...]
    alert: str = ""
    cause: str = ""
    event: str = "BackupFailed"
    annotations: Mapping[str, str] = field(default_factory=dict)
    now: bool = True
    login: str = LOGIN
    look: int = 1
    later: int = NOW
    host: str = HOST

    @property
    def schedule(self) -> str:
        return self.annotations.get("schedule", YEARLY)

    @property
    def engine(self) -> str:
        return self.annotations.get("type", "postgresql")

    @property
    def key(self) -> str:
        return f"{SHOP}/{self.name}"

    @property
    def cronjob(self) -> str:
        return cronjob_name(self.engine, self.key)

    @property
    def run(self) -> str:
        """What the names of runs begin with that an annotation asked for."""
        digest = "00000"
        return job_name("backup", self.key, digest).removesuffix(digest)

    @property
    def runs(self) -> bool:
        """Whether it is over once a run of it has ended."""
        return bool(self.cause) or self.name == "good"

    @property
    def state(self) -> str:
        return "unknown" if self.event == "BackupRejected" else "wanted"

    def wanted(self) -> dict[str, str]:
        """All annotations of its owner."""
        wanted = {
            "enabled": "true",
            "type": "postgresql",
            "schedule": self.schedule,
            "retries": "0",
        }
        wanted |= {"host": self.host} if self.host else {}
        wanted |= {"backup-now": "1"} if self.now else {}
        return {f"{PREFIX}/{key}": text for key, text in {**wanted, **self.annotations}.items()}


_FAILED, _NOT_BACKED_UP = "KsnapshotBackupFailed", "KsnapshotWorkloadNotBackedUp"


def _asking(**resources: Mapping[str, str]) -> dict[str, str]:
    return {"resources": json.dumps(resources), "deadline-seconds": DEADLINE}


def _failed(name: str, *reasons: str, cause: str, **more: Any) -> Case:
    return Case(name=name, reasons=reasons, cause=cause, alert=_FAILED, **more)


def _rejected(name: str, reason: str, **more: Any) -> Case:
    return Case(
        name=name,
        reasons=(reason,),
        alert=_NOT_BACKED_UP,
        later=IN_AN_HOUR,
        event="BackupRejected",
        **more,
    )


_MYSQL = {"type": "mysql", "version": "5.7"}
CASES: Sequence[Case] = (
    Case(name="good", reasons=("Annotated",), event="BackupSucceeded"),
    _failed("bad-password", "SourceRefused", cause="database", login=WRONG),
    # Its Service leads to a pod in which nobody listens.
    _failed("database-down", "SourceFailed", cause="database", host=""),
    _failed("store-down", "StorageFailed", cause="store", now=False, look=2),
    _failed("bucket-gone", "StorageRefused", cause="store", now=False, look=2),
    _rejected(
        "bad-recipient",
        "RecipientInvalid",
        annotations={"encryption-recipient": "age1nobody"},
    ),
    _failed(
        "oom-kill",
        "OOMKilled",
        cause="settings",
        annotations=_asking(limits={"memory": "24Mi"}),
    ),
    _failed(
        "image-missing",
        "ImagePullBackOff",
        "ErrImagePull",
        cause="image",
        annotations={**_MYSQL, "deadline-seconds": DEADLINE},
    ),
    # The same, while its run still waits.
    Case(
        name="image-awaited",
        reasons=("RunBlocked",),
        alert=_NOT_BACKED_UP,
        later=IN_AN_HOUR,
        event="BackupBlocked",
        annotations=_MYSQL,
    ),
    _failed(
        "unschedulable",
        "Unschedulable",
        cause="cluster",
        annotations=_asking(requests={"cpu": "900"}),
    ),
    _failed(
        "quota",
        "QuotaExceeded",
        cause="cluster",
        annotations=_asking(requests={"ephemeral-storage": "900Gi"}),
    ),
    _failed(
        "denied", "AdmissionDenied", cause="cluster", annotations={"deadline-seconds": DEADLINE}
    ),
    _failed(
        "deadline",
        "DeadlineExceeded",
        cause="time",
        login=SLOW,
        annotations={"deadline-seconds": DEADLINE, **_WAITS},
    ),
    # A kubelet evicts a pod that holds more than it may, however little that is.
    _failed(
        "evicted",
        "Evicted",
        cause="cluster",
        login=SLOW,
        annotations={
            **_asking(limits={"ephemeral-storage": "1Ki"}),
            **_WAITS,
            "deadline-seconds": "90",
        },
    ),
    Case(
        name="suspended",
        reasons=("Suspended",),
        alert="KsnapshotBackupSuspended",
        later=IN_EIGHT_DAYS,
        event="BackupSuspended",
        annotations={"suspend": "true"},
        now=False,
    ),
    # Its CronJob may make no Jobs.
    Case(
        name=MISSED,
        reasons=("Overdue",),
        alert="KsnapshotBackupNeverSucceeded",
        event="BackupOverdue",
        annotations={"schedule": "* * * * *", "deadline-seconds": DEADLINE},
        now=False,
    ),
    _rejected("rejected", "ServiceMissing", host="", now=False),
)


def objects(names: Mapping[str, str], *, annotated: bool) -> list[Object]:
    """The owners of all workloads but the one that began before; `names` are those of more.

    They go to the Secret with their login.
    """
    every = {case.name: case.login for case in CASES if case.name != MISSED} | dict(names)
    return [
        _owner(name, login, _annotations(name) if annotated else {})
        for name, login in every.items()
    ]


def begin_to_miss(world: World) -> None:
    """Let the schedule that may make no Jobs begin: minutes pass before it is called overdue."""
    missed = f"object.metadata.name.startsWith('{_named(MISSED).cronjob}')"
    login = secret(LOGIN, SHOP, login_of(world))
    login["metadata"]["labels"] = LABELS
    owner = _owner(MISSED, LOGIN, {})
    world.kube.apply(*_refusal("batch", "jobs", missed), login, owner)
    world.kube.run("rollout", "status", "-n", SHOP, f"statefulset/{MISSED}", "--timeout=180s")
    world.kube.apply(_owner(MISSED, LOGIN, _named(MISSED).wanted()))


def login_of(world: World) -> dict[str, str]:
    """The variables of every owner: the right login of PostgreSQL, and one of MySQL."""
    return {
        "POSTGRES_USER": "shop",
        "POSTGRES_PASSWORD": world.database_password,
        "POSTGRES_DB": "postgres",
        "MYSQL_USER": "shop",
        "MYSQL_PASSWORD": secrets.token_hex(8),
        "MYSQL_DATABASE": "shop",
    }


def _named(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def _annotations(name: str) -> Mapping[str, str]:
    return next((case.wanted() for case in CASES if case.name == name), {})


def _owner(name: str, login: str, annotations: Mapping[str, str]) -> Object:
    """A pod that runs and has a database's login, but no database."""
    keys = [*("POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB")]
    keys += [*("MYSQL_USER", "MYSQL_PASSWORD", "MYSQL_DATABASE")]
    is_mysql = name.startswith("image-")
    wanted = [key for key in keys if key.startswith("MYSQL") == is_mysql]
    container = {
        "name": "database",
        "image": "localhost/pause:1",
        "env": from_secret(login, wanted),
    }
    made = stateful_set(name, SHOP, {"app": name}, container, service=name)
    made["metadata"] |= {"labels": LABELS, "annotations": dict(annotations)}
    return made


def down_service() -> Object:
    """Leads to the pod of the database that is down."""
    made = service("database-down", SHOP, {"app": "database-down"}, 5432)
    made["metadata"]["labels"] = LABELS
    return made


def policies() -> list[Object]:
    """A quota that one pod would exceed, and a policy that refuses a pod."""
    of_pod = "object.metadata.?labels['batch.kubernetes.io/job-name'].orValue('')"
    denied = f"{of_pod}.startsWith('{_named('denied').run}')"
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "failures", "namespace": CONTROL, "labels": LABELS},
        "spec": {"hard": {"requests.ephemeral-storage": "1Gi"}},
    }
    return [quota, *_refusal("", "pods", denied)]


def _refusal(group: str, resource: str, expression: str) -> list[Object]:
    """A policy by which nothing is made of which an expression is true."""
    name = f"failures-{resource}"
    match = {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": [resource],
    }
    api = {"apiVersion": "admissionregistration.k8s.io/v1"}
    return [
        {
            **api,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name, "labels": LABELS},
            "spec": {
                "matchConstraints": {"resourceRules": [match]},
                "validations": [{"expression": f"!({expression})", "message": "not here"}],
            },
        },
        {
            **api,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name, "labels": LABELS},
            "spec": {"policyName": name, "validationActions": ["Deny"]},
        },
    ]
