"""Builds the Jobs that a person asks for, from a workload's dump CronJob (contract section 10).

What the CronJob says of image, store, account, security and scheduling holds for them, too: also
what its users changed there by hand. Its database's address and login are left out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.manifests.job_pod import FAILURE_POLICY
from controller.manifests.storages.entries import plain_variable
from controller.manifests.storages.sources import WRITER, Account
from controller.manifests.storages.storage_env import KEYS, key_variables
from controller.model import names
from controller.model.kinds import JOB, JOB_API
from controller.model.objects import Json, annotations_of, labels_of, name_of
from controller.settings.pods.security import CONTAINER_SECURITY
from controller.workloads.storages.dump_container import dump_container, storages_in
from dumpers.contract import names as variables
from dumpers.contract.storages import variables as storage_variables
from dumpers.contract.storages.named_storage import MAIN
from dumpers.runtime.errors import ConfigurationError

# Verbs of the dumpers that leave the workload and its backups as they are.
LIST, HEADERS, PRESIGN, SEND, CHECK = "list", "headers", "presign", "send", "check"
PROVE = "prove"
LOOKS = frozenset({LIST, HEADERS, PRESIGN, SEND, CHECK, PROVE})
_IDENTITY_OF_RUN = {variables.CLUSTER, variables.WORKLOAD, variables.CRONJOB}
_KEPT = {*storage_variables.PROXIES, *_IDENTITY_OF_RUN, variables.LOG_LEVEL}
_TMP = "/tmp"  # noqa: S108  the pod's
# Set by the builders themselves, or no business of a Job that ends by itself.
_OWN_POD_FIELDS = {"containers", "initContainers", "volumes", "restartPolicy"}


def without_cloud_identity(*containers: str) -> dict[str, str]:
    """The annotations of a pod that keep its account's identity in a cloud from these containers.

    The clouds' webhooks would give it to every one.
    """
    return {
        "eks.amazonaws.com/skip-containers": ",".join(containers),
        "azure.workload.identity/skip-containers": ";".join(containers),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbJob:
    """What a Job is to do.

    `verb` is the dumpers' verb and the Job's component; `env` holds further variables of its
    container. After `deadline` seconds it is ended; `keep` seconds after its end it is removed. A
    failure that may heal is tried again as often as `retries` says. `account` is that of a Job
    which only reads, or the dumps' own.
    """

    name: str
    verb: str
    deadline: int
    keep: int
    retries: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    account: Account = WRITER

    @property
    def variables(self) -> dict[str, str]:
        """The variables of its container that are no secrets."""
        return {variables.DEADLINE: str(self.deadline), **self.env}


def build_verb_job(cronjob: Json, wanted: VerbJob) -> dict[str, Any]:
    """Build a Job whose only container has the store's variables and those of `wanted`."""
    dump = container_of(cronjob)
    return build_job(
        cronjob,
        wanted,
        containers=[
            build_container(
                dump,
                name=names.CONTAINER,
                verb=wanted.verb,
                env=store_variables(dump, wanted.variables, wanted.account),
            )
        ],
        volumes=[],
    )


def build_check_job(cronjob: Json, wanted: VerbJob) -> dict[str, Any]:
    """Build a Job that is given all that a dump is given, and another verb."""
    spec = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    scratch = {mount["name"] for mount in _scratch_mounts(container_of(cronjob))}
    dump = container_of(cronjob)
    kept = [item for item in dump.get("volumeMounts") or () if item["name"] not in scratch]
    container = build_container(
        dump, name=names.CONTAINER, verb=wanted.verb, env=dump.get("env") or (), mounts=kept
    )
    volumes = [item for item in spec.get("volumes") or () if item["name"] not in scratch]
    return build_job(cronjob, wanted, containers=[container], volumes=volumes)


def build_job(
    cronjob: Json, wanted: VerbJob, *, containers: list[Json], volumes: list[Json]
) -> dict[str, Any]:
    """Build a Job around containers; mostly it is tried once: a person looks at what came of it.

    `volumes` are those besides the scratch space that each container has for itself.
    """
    template = cronjob["spec"]["jobTemplate"]["spec"]["template"]
    own = {
        names.PART_OF_LABEL: names.PART_OF,
        names.COMPONENT_LABEL: wanted.verb,
    }
    # 0.6.0 deletes what has this label and no owner of its kind.
    labels = {
        key: text for key, text in labels_of(template).items() if key != names.MANAGED_BY_LABEL
    }
    recorded = annotations_of(cronjob)
    marks = {
        key: recorded[key]
        for key in (names.OWNER, names.OWNER_KIND, names.INSTANCE, names.CLUSTER)
        if key in recorded
    }
    pod = {key: value for key, value in template["spec"].items() if key not in _OWN_POD_FIELDS}
    if account := wanted.account.service_account:
        pod["serviceAccountName"] = account
    return {
        "apiVersion": JOB_API,
        "kind": JOB,
        "metadata": {
            "name": wanted.name,
            "namespace": cronjob["metadata"]["namespace"],
            "labels": own,
            "annotations": {**marks, names.CRONJOB: name_of(cronjob)},
        },
        "spec": {
            "activeDeadlineSeconds": wanted.deadline,
            "ttlSecondsAfterFinished": wanted.keep,
            "backoffLimit": wanted.retries,
            **({"podFailurePolicy": FAILURE_POLICY} if wanted.retries else {}),
            "template": {
                "metadata": {
                    "labels": labels | own,
                    "annotations": dict(annotations_of(template)),
                },
                "spec": {
                    **pod,
                    "restartPolicy": "Never",
                    "containers": containers,
                    "volumes": [
                        *({"name": _scratch(item["name"]), "emptyDir": {}} for item in containers),
                        *volumes,
                    ],
                },
            },
        },
    }


def build_container(
    dump: Json,
    *,
    name: str,
    verb: str,
    env: Iterable[Json],
    mounts: Iterable[Json] = (),
) -> Json:
    """Build a container with the image, resources and security of the one that dumps."""
    kept = {key: dump[key] for key in ("image", "imagePullPolicy", "resources") if key in dump}
    return {
        "name": name,
        **kept,
        "args": [verb],
        "env": list(env),
        "securityContext": dump.get("securityContext") or CONTAINER_SECURITY,
        "volumeMounts": [{"name": _scratch(name), "mountPath": _TMP}, *mounts],
    }


def _scratch_mounts(container: Json) -> list[Json]:
    return [item for item in container.get("volumeMounts") or () if item["mountPath"] == _TMP]


def _scratch(container: str) -> str:
    """Name of a container's own scratch space: containers share nothing by accident."""
    return f"tmp-{container}"


def container_of(cronjob: Json) -> Json:
    """The container of a dump CronJob that dumps; ConfigurationError where it has none."""
    found = dump_container(cronjob)
    if found is None:
        raise ConfigurationError(
            f"the CronJob {name_of(cronjob)} has no container {names.CONTAINER!r}: undo what was "
            "changed of it by hand"
        )
    return found


def store_variables(dump: Json, own: Mapping[str, str], account: Account = WRITER) -> list[Json]:
    """The variables of the store and those that say whose backups are meant, then the verb's own.

    Of several storages the first one is meant. One of its own replaces that of the CronJob: so
    another cluster's backups are meant. The keys are those of the `account`.
    """
    entries = dump.get("env") or ()
    first = storages_in(dump)[0]
    secret = account.secret_for(first)
    is_bucket_info = storage_variables.S3_BUCKET_INFO in {item["name"] for item in entries}
    kept = [
        item
        for item in entries
        if item["name"] not in own
        and (secret is None or item["name"] not in KEYS)
        and (item["name"].startswith("BACKEND_") or item["name"] in _KEPT)
    ]
    if secret:
        kept += key_variables(secret, first, is_first=True, is_bucket_info=is_bucket_info)
    named = () if first == MAIN else (plain_variable(variables.STORAGES, first),)
    return [*kept, *named, *plain_variables(own)]


def plain_variables(values: Mapping[str, str]) -> list[Json]:
    """Variables with values that are no secrets."""
    return [plain_variable(name, text) for name, text in values.items()]
