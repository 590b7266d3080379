"""The environment of jobs that copy a backup from one storage to another."""

from collections.abc import Mapping
from dataclasses import dataclass

from dumpers.contract.names import STORAGES
from dumpers.contract.restore.jobs import BackupJob
from dumpers.contract.storages.named_storage import NamedStorage
from dumpers.runtime.errors import ConfigurationError

_SOURCE_AND_TARGET = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyJob(BackupJob):
    """Copies a backup from its first storage to its second one, the only two it has."""

    @property
    def source(self) -> NamedStorage:
        """Where the backup is."""
        return self.storages[0]

    @property
    def target(self) -> NamedStorage:
        """Where it is to be, too."""
        return self.storages[1]

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "CopyJob":
        """Read the environment; ConfigurationError names every fault at once."""
        shared = BackupJob.from_env(env)
        if len(shared.storages) != _SOURCE_AND_TARGET:
            raise ConfigurationError(
                f"{STORAGES} names {len(shared.storages)}: it must hold the storage that is copied "
                "from, a comma, and the one that is copied to"
            )
        # One of two storages is too few for a copy.
        if faults := [item.fault for item in shared.storages if item.fault]:
            raise ConfigurationError(*faults)
        return cls(**shared.members())
