"""The settings of which backups are kept."""

from dataclasses import dataclass

from controller.settings.operation import OperationSettings
from controller.settings.setting import setting_field
from dumpers.repository.retention.policy import NONE, parse_policy, print_policy


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings(OperationSettings):
    """See Settings, which has these fields."""

    retention: str = setting_field(
        env="RETENTION_POLICY",
        chart="retention.policy",
        default=NONE,
        help="Which backups are to be kept where no annotation says so; `none`: all of them.",
        read=lambda text: print_policy(parse_policy(text)),
    )
