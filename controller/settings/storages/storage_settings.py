"""The settings of the storages besides the one that ConfigMap and Secret describe."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.settings import parsers
from controller.settings.setting import setting_field
from controller.settings.storages.encryption import EncryptionSettings
from controller.settings.storages.parse import parse_storages
from controller.settings.storages.storage import Storage
from dumpers.contract.storages.named_storage import MAIN

_MAIN = Storage(name=MAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings(EncryptionSettings):
    """See Settings, which has these fields."""

    storages: Mapping[str, Storage] = setting_field(
        env="STORAGES",
        chart="storages",
        default="{}",
        help="Further storages by their names, as a JSON object, and which namespaces may use "
        "`main`: docs/storages.md.",
        read=parse_storages,
        hidden=True,
    )
    has_main: bool = setting_field(
        env="MAIN_STORAGE",
        chart=None,
        default="true",
        help="`false`: the ConfigMap has no bucket, so that further storages are all there are.",
        read=parsers.boolean,
    )

    def storage(self, name: str) -> Storage | None:
        """The storage of a name; None without one. There always is `main`."""
        return self.storages.get(name, _MAIN if name == MAIN else None)

    def storages_for(self, namespace: str) -> tuple[str, ...]:
        """The names of the storages that dumps of a namespace may go to, `main` first."""
        known = {MAIN: _MAIN, **self.storages}
        return tuple(
            name for name, item in known.items() if item.serves(namespace) and not item.is_read_only
        )

    def storages_to_prune(self) -> tuple[str, ...]:
        """The names of the storages that prune deletes from, where it is on; `main` first."""
        known = {**({MAIN: _MAIN} if self.has_main else {}), **self.storages}
        return tuple(name for name, item in known.items() if not item.is_read_only)
