"""Whose trouble a run's failure is: one word for many reasons, by which alerts are put together.

A store that is down fails every run, each for a reason of its own words; who is woken needs to know
of one store.
"""

from collections.abc import Mapping
from enum import StrEnum

from controller.runs.reasons import RunReason
from dumpers.runtime import errors


class FailureCause(StrEnum):
    """Stable words, as alerts and their inhibition go by them; `none` is that of a good run.

    `backup` is of verifications and drills that spoke against a backup; no dump has it.
    """

    NONE = "none"
    STORE = "store"
    DATABASE = "database"
    IMAGE = "image"
    CLUSTER = "cluster"
    SETTINGS = "settings"
    TIME = "time"
    BACKUP = "backup"
    OTHER = "other"


_STORE = (
    errors.StorageFailedError.reason,
    errors.StorageRefusedError.reason,
    errors.BackupDamagedError.reason,
    errors.BackupUnreadableError.reason,
    RunReason.MANIFEST_MISSING,
)
_BACKUP = (
    errors.DrillDiffersError.reason,
    errors.DrillNotLoadedError.reason,
    errors.DrillCheckFailedError.reason,
)
_DATABASE = (errors.SourceFailedError.reason, errors.SourceRefusedError.reason)
_SETTINGS = (
    errors.ConfigurationError.reason,
    errors.EncryptionError.reason,
    errors.DrillServerUnfitError.reason,
    RunReason.CREATE_CONTAINER_CONFIG_ERROR,
    RunReason.FAILED_MOUNT,
    RunReason.SERVICE_ACCOUNT_MISSING,
    RunReason.OOM_KILLED,
)
_IMAGE = (
    RunReason.ERR_IMAGE_PULL,
    RunReason.IMAGE_PULL_BACK_OFF,
    RunReason.ERR_IMAGE_NEVER_PULL,
    RunReason.INVALID_IMAGE_NAME,
)
_CLUSTER = (
    errors.DrillServerFailedError.reason,
    RunReason.UNSCHEDULABLE,
    RunReason.EVICTED,
    RunReason.PREEMPTED,
    RunReason.NODE_LOST,
    RunReason.NODE_SHUTDOWN,
    RunReason.DISRUPTED,
    RunReason.QUOTA_EXCEEDED,
    RunReason.ADMISSION_DENIED,
    RunReason.FAILED_CREATE,
    RunReason.FAILED_SANDBOX,
    RunReason.POD_FAILED,
    RunReason.NO_POD,
    RunReason.CONTAINER_STATUS_UNKNOWN,
)
_CAUSES: Mapping[str, FailureCause] = {
    "Succeeded": FailureCause.NONE,
    **dict.fromkeys(map(str, _STORE), FailureCause.STORE),
    **dict.fromkeys(_DATABASE, FailureCause.DATABASE),
    **dict.fromkeys(_BACKUP, FailureCause.BACKUP),
    **dict.fromkeys(map(str, _SETTINGS), FailureCause.SETTINGS),
    **dict.fromkeys(map(str, _IMAGE), FailureCause.IMAGE),
    **dict.fromkeys(map(str, _CLUSTER), FailureCause.CLUSTER),
    str(RunReason.DEADLINE_EXCEEDED): FailureCause.TIME,
}


def failure_cause(reason: str) -> FailureCause:
    """The cause of a run's reason; `other` for one that could be anybody's."""
    return _CAUSES.get(reason, FailureCause.OTHER)
