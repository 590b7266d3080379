"""Settings of how backups lie in the storages: encrypted, to whom, and who reads them then."""

from dataclasses import dataclass

from controller.settings import parsers
from controller.settings.operation import OperationSettings
from controller.settings.setting import setting_field
from dumpers.contract.recipients import check_recipients


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionSettings(OperationSettings):
    """See Settings, which has these fields."""

    encryption_enabled: bool = setting_field(
        env="DEFAULT_ENCRYPTION_ENABLED",
        chart="encryption.enabled",
        default="false",
        help="Encrypt where no annotation decides; counts only when exactly `true`.",
        read="true".__eq__,
    )
    encryption_recipient: str = setting_field(
        env="DEFAULT_ENCRYPTION_RECIPIENT",
        chart="encryption.recipient",
        default="",
        help="age recipients where no annotation names any, separated by commas.",
        read=check_recipients,
        hidden=True,
    )
    encryption_enforced: bool = setting_field(
        env="ENCRYPTION_ENFORCED",
        chart="encryption.enforced",
        default="false",
        help="`true`: encrypt every dump to the operator's recipients, whatever annotations say.",
        read=parsers.boolean,
    )
    identity_secret: str = setting_field(
        env="IDENTITY_SECRET",
        chart="identitySecret",
        default="",
        help="Secret, as NAME or NAME/KEY, with the private key that annotations restore with.",
        read=parsers.secret_key,
    )
