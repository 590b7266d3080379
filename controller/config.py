"""The controller's settings: one record per setting, which env, chart, schema and README share."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

import dumpers
from dumpers.engines import ENGINES
from dumpers.engines.facts import DumperImage
from dumpers.errors import ConfigurationError

_RECORD = "ksnapshot_setting"
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_MAX_DNS_LABEL = 63
_MAX_PORT = 65535
_MAX_TIMEOUT = 600
_MAX_NUMBER = 10**9


class Mode(StrEnum):
    """Where the connection to the cluster comes from: a kubeconfig, or the pod's own account."""

    LOCAL = "local"
    CLUSTER = "cluster"


class PullPolicy(StrEnum):
    """Kubernetes' own values of imagePullPolicy."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


class UnwatchedPolicy(StrEnum):
    """What happens to the CronJobs of a namespace that left the watch list."""

    KEEP = "keep"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting; `chart` is its path in values.yaml, None where the chart computes it.

    `read` turns a non-empty string into the value and raises ValueError with what is wrong.
    """

    env: str
    chart: str | None
    default: str
    help: str
    read: Callable[[str], Any] = str


def _record(**record: Any) -> dict[str, Setting]:
    return {_RECORD: Setting(**record)}


def _whole(low: int, high: int = _MAX_NUMBER) -> Callable[[str], int]:
    def read(text: str) -> int:
        # Bounded in length first: int() refuses very long strings with an error of its own.
        short = text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_NUMBER))
        if not short or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return read


def _one_of(kind: type[StrEnum]) -> Callable[[str], StrEnum]:
    def read(text: str) -> StrEnum:
        try:
            return kind(text)
        except ValueError:
            raise ValueError(f"must be one of: {', '.join(kind)}") from None

    return read


def _name(text: str) -> str:
    if len(text) > _MAX_DNS_LABEL or not _DNS_LABEL.fullmatch(text):
        raise ValueError("must be a Kubernetes name: a-z, 0-9 and -, at most 63 characters")
    return text


def _object_name(text: str) -> str:
    for part in text.split("."):
        _name(part)
    return text


def _names(text: str) -> tuple[str, ...]:
    listed = tuple(dict.fromkeys(item for item in map(str.strip, text.split(",")) if item))
    if not listed:
        raise ValueError("must name at least one namespace, separated by commas")
    return tuple(_name(item) for item in listed)


_mode = _one_of(Mode)
_pull_policy = _one_of(PullPolicy)
_unwatched_policy = _one_of(UnwatchedPolicy)
_positive = _whole(1)
_not_negative = _whole(0)
_timeout = _whole(1, _MAX_TIMEOUT)
_port = _whole(1, _MAX_PORT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the controller is told; durations in seconds.

    `dumper_images` goes from an engine image's env name to the image.
    """

    mode: Mode = field(
        metadata=_record(
            env="MODE",
            chart=None,
            default="local",
            help="`local` uses a kubeconfig, `cluster` the pod's ServiceAccount.",
            read=_mode,
        )
    )
    watch_namespaces: tuple[str, ...] = field(
        metadata=_record(
            env="WATCH_NAMESPACES",
            chart="rbac.watchNamespaces",
            default="",
            help="Namespaces whose workloads are backed up, separated by commas.",
            read=_names,
        )
    )
    control_namespace: str = field(
        metadata=_record(
            env="CONTROL_NAMESPACE",
            chart=None,
            default="ksnapshot",
            help="Namespace of the generated CronJobs and Secrets; the chart gives its release's.",
            read=_name,
        )
    )
    instance: str = field(
        metadata=_record(
            env="INSTANCE_NAME",
            chart=None,
            default="ksnapshot",
            help="Tells two installs in one control namespace apart; the chart: release name.",
            read=_object_name,
        )
    )
    backup_configmap_name: str = field(
        metadata=_record(
            env="BACKUP_CONFIGMAP_NAME",
            chart="existingConfigMap",
            default="ksnapshot-cm",
            help="ConfigMap with S3_BUCKET and, optional, S3_REGION and S3_ENDPOINT.",
            read=_object_name,
        )
    )
    backup_secret_name: str = field(
        metadata=_record(
            env="BACKUP_SECRET_NAME",
            chart="existingSecret",
            default="",
            help="Secret with the S3 keys; empty: the SDK's default credential chain.",
            read=_object_name,
        )
    )
    backup_service_account: str = field(
        metadata=_record(
            env="BACKUP_JOB_SERVICE_ACCOUNT_NAME",
            chart="backupJob.serviceAccount.name",
            default="ksnapshot-backup-sa",
            help="ServiceAccount of the dump jobs, which needs no rights in the cluster.",
            read=_object_name,
        )
    )
    image_pull_policy: PullPolicy = field(
        metadata=_record(
            env="BACKUP_IMAGE_PULL_POLICY",
            chart="backupJob.imagePullPolicy",
            default="IfNotPresent",
            help="imagePullPolicy of the dump jobs.",
            read=_pull_policy,
        )
    )
    encryption_enabled: bool = field(
        metadata=_record(
            env="DEFAULT_ENCRYPTION_ENABLED",
            chart="encryption.enabled",
            default="false",
            help="Encrypt where no annotation decides; counts only when exactly `true`.",
            read="true".__eq__,
        )
    )
    encryption_recipient: str = field(
        metadata=_record(
            env="DEFAULT_ENCRYPTION_RECIPIENT",
            chart="encryption.recipient",
            default="",
            help="age recipients where no annotation names any, separated by commas.",
        )
    )
    cluster_name: str = field(
        metadata=_record(
            env="CLUSTER_NAME",
            chart="clusterName",
            default="",
            help="Cluster id in every record path; empty: from the kube-system namespace's uid.",
        )
    )
    poll_interval: int = field(
        metadata=_record(
            env="POLL_INTERVAL_SECONDS",
            chart="controller.pollIntervalSeconds",
            default="60",
            help="Pause after each pass.",
            read=_positive,
        )
    )
    gone_passes: int = field(
        metadata=_record(
            env="GONE_PASSES",
            chart="controller.gonePasses",
            default="3",
            help="Passes in a row that must see a workload gone before its CronJob is deleted.",
            read=_positive,
        )
    )
    gone_grace: int = field(
        metadata=_record(
            env="GONE_GRACE_SECONDS",
            chart="controller.goneGraceSeconds",
            default="900",
            help="Time that a workload must have been gone before its CronJob is deleted.",
            read=_not_negative,
        )
    )
    unwatched_policy: UnwatchedPolicy = field(
        metadata=_record(
            env="UNWATCHED_POLICY",
            chart="controller.unwatchedPolicy",
            default="keep",
            help="`keep` or `delete` the CronJobs of a namespace that left the watch list.",
            read=_unwatched_policy,
        )
    )
    credentials_refresh: int = field(
        metadata=_record(
            env="CREDENTIALS_REFRESH_SECONDS",
            chart="controller.credentialsRefreshSeconds",
            default="300",
            help="Longest time until a changed credential reaches the mirrored Secret.",
            read=_not_negative,
        )
    )
    api_timeout: int = field(
        metadata=_record(
            env="API_TIMEOUT_SECONDS",
            chart="controller.apiTimeoutSeconds",
            default="30",
            help="Longest time that one answer of the API server may take.",
            read=_timeout,
        )
    )
    http_port: int = field(
        metadata=_record(
            env="HTTP_PORT",
            chart="controller.httpPort",
            default="8080",
            help="Port of /healthz and /metrics.",
            read=_port,
        )
    )
    dumper_images: Mapping[str, str]

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        """Read the environment; an empty variable counts as unset.

        Raises ConfigurationError with every fault at once.
        """
        faults: list[str] = []
        values: dict[str, Any] = {}
        for name, record in _RECORDS.items():
            text = env.get(record.env) or record.default
            try:
                # An empty default stands for itself, except where a value is a must.
                values[name] = record.read(text) if text or record.read is _names else text
            except ValueError as error:
                shown = repr(text) if text else "not set"
                faults.append(f"{record.env} is {shown}: it {error}")
        if faults:
            raise ConfigurationError(*faults)
        images = {item.env: env.get(item.env) or item.default for item in _IMAGES}
        return cls(**values, dumper_images=images)

    def image(self, image: DumperImage) -> str:
        """The container image that stands for a dumper image of an engine."""
        return self.dumper_images[image.setting]


_RECORDS: Mapping[str, Setting] = {
    item.name: item.metadata[_RECORD] for item in fields(Settings) if _RECORD in item.metadata
}
_IMAGES: tuple[Setting, ...] = tuple(
    Setting(
        env=image.setting,
        chart=f"dumperImages.{engine.type}.v{image.version.replace('.', '_')}",
        default=f"{image.repository}:{dumpers.__version__}",
        help=f"Dumper image for {engine.title} {image.version}.".replace(" .", "."),
    )
    for engine in ENGINES
    for image in engine.images
)
# Every setting, for the README's table and the test that holds chart and code together.
SETTINGS: tuple[Setting, ...] = (*_RECORDS.values(), *_IMAGES)
