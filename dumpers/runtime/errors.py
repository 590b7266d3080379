"""Errors by what went wrong and who has to act; each has the exit code of the process.

The CronJobs' podFailurePolicy is built from the same table, so that Kubernetes retries what may
heal and fails at once what cannot.
"""

import traceback
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What a dumper's exit code says; numbers are part of the contract with the CronJob."""

    DONE = 0
    INTERNAL = 1
    CONFIGURATION = 2
    SOURCE_FAILED = 10
    STORAGE_FAILED = 11
    ENCRYPTION = 12
    TARGET_FAILED = 13
    INTERRUPTED = 14
    SOURCE_REFUSED = 20
    STORAGE_REFUSED = 21
    TARGET_REFUSED = 23


# A second try cannot heal these: a human has to change something first.
FINAL_EXIT_CODES = (
    ExitCode.CONFIGURATION,
    ExitCode.ENCRYPTION,
    ExitCode.SOURCE_REFUSED,
    ExitCode.STORAGE_REFUSED,
    ExitCode.TARGET_REFUSED,
)


class KsnapshotError(Exception):
    """A failure with a message for a person: what happened, where, and what to do about it.

    The message never holds a secret. `reason` is a stable CamelCase name for metrics and Events.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL
    reason: ClassVar[str] = "InternalError"


class ConfigurationError(KsnapshotError):
    """The job's environment is wrong; `faults` lists every fault, not just the first."""

    exit_code = ExitCode.CONFIGURATION
    reason = "ConfigurationInvalid"

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class StorageUnfitError(ConfigurationError):
    """What a job was told of one of its storages cannot be right; another storage may still do."""


class SourceFailedError(KsnapshotError):
    """The database or its dump tool failed in a way that may heal by itself."""

    exit_code = ExitCode.SOURCE_FAILED
    reason = "SourceFailed"


class SourceRefusedError(KsnapshotError):
    """The database says no for good: login, database name, rights, version."""

    exit_code = ExitCode.SOURCE_REFUSED
    reason = "SourceRefused"


class StorageFailedError(KsnapshotError):
    """The object store failed in a way that may heal by itself."""

    exit_code = ExitCode.STORAGE_FAILED
    reason = "StorageFailed"


class StorageRefusedError(KsnapshotError):
    """The object store says no for good: no such bucket, wrong keys, forbidden."""

    exit_code = ExitCode.STORAGE_REFUSED
    reason = "StorageRefused"


class BackupDamagedError(StorageRefusedError):
    """What the store gives is not what was stored, or ends early; nothing else is known of it."""

    reason = "BackupDamaged"


class BackupUnreadableError(StorageRefusedError):
    """The store answers, and yet does not give all of a backup."""

    reason = "BackupUnreadable"


class EncryptionError(KsnapshotError):
    """A recipient is no age recipient, encrypting failed, or no key opens a backup."""

    exit_code = ExitCode.ENCRYPTION
    reason = "EncryptionFailed"


class NoKeyFitsError(EncryptionError):
    """None of the given keys opens an object, or its header is damaged."""


class InterruptedRunError(KsnapshotError):
    """The run was told to stop, as by SIGTERM."""

    exit_code = ExitCode.INTERRUPTED
    reason = "Interrupted"


class DeadlineExceededError(InterruptedRunError):
    """The run came too close to its deadline, and stopped by itself."""

    reason = "DeadlineExceeded"


class TargetFailedError(KsnapshotError):
    """The database to restore into failed in a way that may heal by itself."""

    exit_code = ExitCode.TARGET_FAILED
    reason = "TargetFailed"


class TargetRefusedError(KsnapshotError):
    """The database to restore into says no for good: not empty, too old, login, rights."""

    exit_code = ExitCode.TARGET_REFUSED
    reason = "TargetRefused"


class BootstrappedBeforeError(TargetRefusedError):
    """A new workload had its restore already, so nothing is to be done."""

    reason = "BootstrappedBefore"


class NotDrillableError(KsnapshotError):
    """No drill can be made of a backup here, which is no fault of it, and no failure."""

    exit_code = ExitCode.DONE
    reason = "NotDrillable"


class DrillServerFailedError(TargetFailedError):
    """The throwaway server never answered, had no room, or failed: nothing is known of the backup.

    Another drill may go better.
    """

    reason = "DrillServerFailed"


class DrillServerUnfitError(TargetRefusedError):
    """The throwaway server is none that the backup can be tried on, such as of another major."""

    reason = "DrillServerUnfit"


class DrillNotLoadedError(TargetRefusedError):
    """The throwaway server refused what the backup holds, and was fit for it: a verdict."""

    reason = "DrillNotLoaded"


class DrillDiffersError(TargetRefusedError):
    """What was restored is not what was dumped: a verdict."""

    reason = "DrillDiffers"


class DrillCheckFailedError(TargetRefusedError):
    """What was restored is what was dumped, and a check of the user's own does not hold there."""

    reason = "DrillCheckFailed"


# The reasons of a drill that say something of the backup; no other speaks against it.
DRILL_VERDICTS = frozenset(
    error.reason
    for error in (
        *(DrillDiffersError, DrillNotLoadedError, DrillCheckFailedError),
        BackupDamagedError,
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a run failed, for its result and its record; `message` holds no secret."""

    exit_code: ExitCode
    reason: str
    message: str


def describe_failure(error: BaseException) -> Failure:
    """Describe the error that ended a run.

    Any other than a KsnapshotError is a fault of ours, whose text could hold a secret: only its
    type is shown.
    """
    if isinstance(error, KsnapshotError):
        return Failure(exit_code=error.exit_code, reason=error.reason, message=str(error))
    return Failure(
        exit_code=ExitCode.INTERNAL,
        reason=KsnapshotError.reason,
        message=f"internal error ({type(error).__name__}): see the pod's log, and report it",
    )


def frames_of(error: BaseException) -> list[str]:
    """Where a fault of ours was raised, as `file:line function`; without its text."""
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorClasses:
    """The errors for failures of a database: of the dumped one, or of a restore's target."""

    failed: type[KsnapshotError]
    refused: type[KsnapshotError]


DUMP_ERRORS = ErrorClasses(failed=SourceFailedError, refused=SourceRefusedError)
RESTORE_ERRORS = ErrorClasses(failed=TargetFailedError, refused=TargetRefusedError)
