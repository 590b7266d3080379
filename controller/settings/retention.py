"""The settings of which backups are kept, and of what deletes the others."""

from dataclasses import dataclass

from controller.settings import parsers
from controller.settings.setting import setting_field
from controller.settings.storages.storage_settings import StorageSettings
from dumpers.repository.retention.policy import NONE, parse_policy, print_policy


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings(StorageSettings):
    """See Settings, which has these fields."""

    retention: str = setting_field(
        env="RETENTION_POLICY",
        chart="retention.policy",
        default=NONE,
        help="Which backups are to be kept where no annotation says so; `none`: all of them.",
        read=lambda text: print_policy(parse_policy(text)),
    )
    retention_floor: str = setting_field(
        env="RETENTION_FLOOR",
        chart="retention.floor",
        default="keep-last=3,keep-within=7d",
        help="What prune keeps of every workload whatever its policy says, in the same words.",
        read=lambda text: print_policy(parse_policy(text)),
    )
    prune_secret_name: str = setting_field(
        env="PRUNE_SECRET_NAME",
        chart="prune.existingSecret",
        default="",
        help="Secret with the S3 keys of jobs that delete; empty: as the dump jobs.",
        read=parsers.object_name,
    )
    prune_service_account: str = setting_field(
        env="PRUNE_SERVICE_ACCOUNT_NAME",
        chart="prune.serviceAccount.name",
        default="",
        help="ServiceAccount of jobs that delete; empty: that of the dump jobs.",
        read=parsers.object_name,
    )
    prune_enabled: bool = setting_field(
        env="PRUNE_ENABLED",
        chart="prune.enabled",
        default="false",
        help="Whether there is a CronJob that deletes, so that one which is late is told of.",
        read=parsers.boolean,
    )
    prune_schedule: str = setting_field(
        env="PRUNE_SCHEDULE",
        chart="prune.schedule",
        default="17 4 * * *",
        help="When that CronJob runs.",
        read=str,
    )
    prune_time_zone: str = setting_field(
        env="PRUNE_TIME_ZONE",
        chart="prune.timeZone",
        default="Etc/UTC",
        help="Time zone of that schedule.",
        read=str,
    )
