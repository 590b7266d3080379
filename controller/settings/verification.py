"""Settings of jobs that read backups back by a schedule of their own."""

from dataclasses import dataclass

from controller.settings import parsers
from controller.settings.retention import RetentionSettings
from controller.settings.setting import setting_field


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationSettings(RetentionSettings):
    """See Settings, which has these fields."""

    verify_schedule: str = setting_field(
        env="VERIFY_SCHEDULE",
        chart="verify.schedule",
        default=parsers.NONE,
        help="When backups are read back where no annotation says so; `none`: by no schedule.",
        read=parsers.unless_none(str),
    )
    verify_sample: str = setting_field(
        env="VERIFY_SAMPLE",
        chart="verify.sample",
        default=parsers.NONE,
        help="Which share of all backups each such run reads; `none`: only the newest backup.",
        read=parsers.unless_none(parsers.sample),
    )
