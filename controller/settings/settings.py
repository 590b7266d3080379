"""The controller's settings: each field of Settings carries the record of its setting."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from controller.settings import parsers
from controller.settings.choices import BootstrapFrom, Compression, Mode, UnwatchedPolicy, Verify
from controller.settings.classes.class_settings import ClassSettings
from controller.settings.images import IMAGES, PullPolicy
from controller.settings.job_pod import POD_FIELDS, parse_job_pod
from controller.settings.setting import RECORD, Setting, setting_field
from controller.settings.watching.watch_settings import ALL, watched_namespaces
from dumpers.contract.engine_spec import DumperImage
from dumpers.runtime.errors import ConfigurationError

_MISSED_INTERVALS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ClassSettings):
    """All settings of the controller; durations are in seconds.

    `dumper_images` holds the container images by the env names of the engines' images.
    """

    mode: Mode = setting_field(
        env="MODE",
        chart=None,
        default="local",
        help="`local` uses a kubeconfig, `cluster` the pod's ServiceAccount.",
        read=parsers.one_of(Mode),
    )
    control_namespace: str = setting_field(
        env="CONTROL_NAMESPACE",
        chart=None,
        default="ksnapshot",
        help="Namespace of the generated CronJobs and Secrets; the chart gives its release's.",
        read=parsers.label,
    )
    instance: str = setting_field(
        env="INSTANCE_NAME",
        chart=None,
        default="ksnapshot",
        help="Tells two installs in one control namespace apart; the chart: release name.",
        read=parsers.object_name,
    )
    deployment_name: str = setting_field(
        env="DEPLOYMENT_NAME",
        chart=None,
        default="ksnapshot",
        help="Name of the controller's Deployment: its status ConfigMaps are named after it.",
        read=parsers.object_name,
    )
    backup_configmap_name: str = setting_field(
        env="BACKUP_CONFIGMAP_NAME",
        chart="existingConfigMap",
        default="ksnapshot-cm",
        help="ConfigMap with S3_BUCKET and, optional, S3_REGION and S3_ENDPOINT.",
        read=parsers.object_name,
    )
    backup_secret_name: str = setting_field(
        env="BACKUP_SECRET_NAME",
        chart="existingSecret",
        default="",
        help="Secret with the S3 keys; empty: the SDK's default credential chain.",
        read=parsers.object_name,
    )
    backup_service_account: str = setting_field(
        env="BACKUP_JOB_SERVICE_ACCOUNT_NAME",
        chart="backupJob.serviceAccount.name",
        default="ksnapshot-backup-sa",
        help="ServiceAccount of the dump jobs, which needs no rights in the cluster.",
        read=parsers.object_name,
    )
    reader_secret_name: str = setting_field(
        env="READER_SECRET_NAME",
        chart="reader.existingSecret",
        default="",
        help="Secret with the S3 keys of jobs that only read; empty: as the dump jobs.",
        read=parsers.object_name,
    )
    reader_service_account: str = setting_field(
        env="READER_SERVICE_ACCOUNT_NAME",
        chart="reader.serviceAccount.name",
        default="",
        help="ServiceAccount of jobs that only read; empty: that of the dump jobs.",
        read=parsers.object_name,
    )
    image_pull_policy: PullPolicy = setting_field(
        env="BACKUP_IMAGE_PULL_POLICY",
        chart="backupJob.imagePullPolicy",
        default="IfNotPresent",
        help="imagePullPolicy of the dump jobs.",
        read=parsers.one_of(PullPolicy),
    )
    compression: Compression = setting_field(
        env="BACKUP_COMPRESSION",
        chart="backupJob.compression",
        default="gzip",
        help="How the objects of backups are compressed: `gzip`, `zstd`.",
        read=parsers.one_of(Compression),
    )
    verify: Verify = setting_field(
        env="BACKUP_VERIFY",
        chart="backupJob.verify",
        default="none",
        help="`read-back`: each dump reads back and compares what it stored. `none`: it does not.",
        read=parsers.one_of(Verify),
    )
    job_pod: Mapping[str, Any] = setting_field(
        env="BACKUP_JOB_POD",
        chart="backupJob.pod",
        default="{}",
        help=f"Of every dump pod, as a JSON object: {', '.join(POD_FIELDS)}.",
        read=parse_job_pod,
        # Somebody may put a password into a variable.
        hidden=True,
    )
    signing_key_secret: str = setting_field(
        env="PROOF_SIGNING_KEY_SECRET",
        chart="proof.signingKeySecret",
        default="",
        help="Secret, as NAME or NAME/KEY, with the ed25519 key that signs proofs; empty: none.",
        read=parsers.signing_key,
    )
    bootstrap_from: BootstrapFrom = setting_field(
        env="BOOTSTRAP_FROM",
        chart="bootstrap.from",
        default="Same",
        help="Namespaces that `restore-from` may name: `Same`, `All`, or `Selector` by pairs.",
        read=parsers.one_of(BootstrapFrom),
    )
    bootstrap_pairs: tuple[tuple[str, str], ...] = setting_field(
        env="BOOTSTRAP_PAIRS",
        chart="bootstrap.pairs",
        default="",
        help="With `Selector`: pairs `source:target` of namespaces, with `*`, between commas.",
        read=parsers.namespace_pairs,
    )
    cluster_name: str = setting_field(
        env="CLUSTER_NAME",
        chart="clusterName",
        default="",
        help="Cluster id in every record path; empty: from the kube-system namespace's uid.",
    )
    poll_interval: int = setting_field(
        env="POLL_INTERVAL_SECONDS",
        chart="controller.pollIntervalSeconds",
        default="60",
        help="Pause after each pass.",
        read=parsers.whole(1),
    )
    gone_passes: int = setting_field(
        env="GONE_PASSES",
        chart="controller.gonePasses",
        default="3",
        help="Passes in a row that must see a workload gone before its CronJob is deleted.",
        read=parsers.whole(1),
    )
    gone_grace: int = setting_field(
        env="GONE_GRACE_SECONDS",
        chart="controller.goneGraceSeconds",
        default="900",
        help="Time that a workload must have been gone before its CronJob is deleted.",
        read=parsers.whole(0),
    )
    unwatched_policy: UnwatchedPolicy = setting_field(
        env="UNWATCHED_POLICY",
        chart="controller.unwatchedPolicy",
        default="keep",
        help="`keep` or `delete` the CronJobs of a namespace that left the watch list.",
        read=parsers.one_of(UnwatchedPolicy),
    )
    credentials_refresh: int = setting_field(
        env="CREDENTIALS_REFRESH_SECONDS",
        chart="controller.credentialsRefreshSeconds",
        default="300",
        help="Longest time until a changed credential reaches the mirrored Secret.",
        read=parsers.whole(0),
    )
    api_timeout: int = setting_field(
        env="API_TIMEOUT_SECONDS",
        chart="controller.apiTimeoutSeconds",
        default="30",
        help="Longest time that one answer of the API server may take.",
        read=parsers.whole(1, 600),
    )
    dumper_images: Mapping[str, str]

    def __hash__(self) -> int:
        """Hash by one text: some fields are mappings, and a process knows one record or few."""
        return hash(self.control_namespace)

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        """Read the environment, empty variables as unset; ConfigurationError names all faults."""
        faults: list[str] = []
        values: dict[str, Any] = {}
        for name, record in _RECORDS.items():
            text = env.get(record.env) or record.default
            try:
                # An empty default stands for itself, except where it is none, or no text.
                values[name] = record.read(text) if text or record.read in _OF_NOTHING else text
            except ConfigurationError as error:
                # It names its faults by their own paths.
                faults += error.faults
            except ValueError as error:
                shown = parsers.describe_value(text, hidden=record.hidden)
                fault = parsers.describe_fault(text, str(error))
                faults.append(f"{record.env} is {shown}: it {fault}")
        if values.get("encryption_enforced") and values.get("encryption_recipient") == "":
            faults.append("ENCRYPTION_ENFORCED is true: DEFAULT_ENCRYPTION_RECIPIENT must be set")
        if values.get("watch_selector") and values.get("watch_namespaces") not in {None, (ALL,)}:
            faults.append("WATCH_NAMESPACE_SELECTOR is set: WATCH_NAMESPACES must be *")
        page = values.get("status_page")
        if page and page.port == values.get("http_port"):
            faults.append(f"STATUS_PAGE_LISTEN is '{page}': its port must not be HTTP_PORT's")
        if faults:
            raise ConfigurationError(*faults)
        images = {item.env: env.get(item.env) or item.default for item in IMAGES}
        return cls(**values, dumper_images=images)

    @property
    def longest_silence(self) -> int:
        """After so long without a pass that got on, something is wrong."""
        return _MISSED_INTERVALS * (self.poll_interval + self.api_timeout)

    def image(self, image: DumperImage) -> str:
        """The container image to run for a dumper image of an engine."""
        return self.dumper_images[image.setting]


# What reads a text that is empty, too.
_OF_NOTHING = (watched_namespaces, parsers.namespace_pairs)
_RECORDS: Mapping[str, Setting] = {
    item.name: item.metadata[RECORD] for item in fields(Settings) if RECORD in item.metadata
}
# Every setting, for the table of the chart's values and the test that holds them together.
SETTINGS: tuple[Setting, ...] = (*_RECORDS.values(), *IMAGES)
