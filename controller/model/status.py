"""States of workloads, and their reasons, whose names are stable for metrics and Events."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The five states in which a known workload may end a pass (contract section 9.1)."""

    WANTED = "wanted"
    GONE = "gone"
    REPLACED = "replaced"
    UNWATCHED = "unwatched"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Stable CamelCase names: users alert on them, so a name is added, never changed."""

    # wanted
    ANNOTATED = "Annotated"
    SUSPENDED = "Suspended"
    RUN_BLOCKED = "RunBlocked"
    WAITING = "Waiting"
    OVERDUE = "Overdue"
    HELD = "RestoreRunning"
    RESTORING_BESIDE = "RestoringBeside"
    RESTORED_BESIDE = "RestoredBeside"
    RESTORE_REFUSED = "RestoreRefused"
    RESTORE_FAILED = "RestoreFailed"
    NOT_DRILLABLE = "NotDrillable"
    DRILL_IMAGE_MISSING = "DrillImageMissing"
    DRILL_BLOCKED = "DrillBlocked"
    READER_REFUSED = "ReaderRefused"
    # gone, replaced, unwatched
    OWNER_NOT_FOUND = "OwnerNotFound"
    NAMESPACE_NOT_FOUND = "NamespaceNotFound"
    DISABLED = "Disabled"
    TYPE_CHANGED = "TypeChanged"
    GROUP_CHANGED = "GroupChanged"
    NAMESPACE_UNWATCHED = "NamespaceUnwatched"
    # unknown: a read of the cluster failed
    FORBIDDEN = "ReadForbidden"
    UNAVAILABLE = "ReadFailed"
    OWNER_UNREADABLE = "OwnerUnreadable"
    NO_RUNNING_POD = "NoRunningPod"
    CLUSTER_UNKNOWN = "ClusterUnknown"
    INTERNAL_ERROR = "InternalError"
    # unknown: the workload's people have to change something
    STANDALONE_POD = "StandalonePod"
    CONFLICTING_ANNOTATIONS = "ConflictingAnnotations"
    TYPE_INVALID = "TypeInvalid"
    CLASS_INVALID = "ClassInvalid"
    CLASS_MISSING = "ClassMissing"
    CLASS_AMBIGUOUS = "ClassAmbiguous"
    NOT_ALLOWED_BY_CLASS = "NotAllowedByClass"
    VERSION_INVALID = "VersionInvalid"
    SCHEDULE_INVALID = "ScheduleInvalid"
    TIME_ZONE_INVALID = "TimeZoneInvalid"
    RECIPIENT_MISSING = "RecipientMissing"
    RECIPIENT_INVALID = "RecipientInvalid"
    ANNOTATION_INVALID = "AnnotationInvalid"
    STORAGE_UNKNOWN = "StorageUnknown"
    STORAGE_NOT_ALLOWED = "StorageNotAllowed"
    STORAGE_READ_ONLY = "StorageReadOnly"
    CONTAINER_MISSING = "ContainerMissing"
    SERVICE_MISSING = "ServiceMissing"
    SERVICE_AMBIGUOUS = "ServiceAmbiguous"
    REPLICAS_ONLY = "ReplicasOnly"
    CREDENTIALS_MISSING = "CredentialsMissing"
    CREDENTIAL_SOURCE_MISSING = "CredentialSourceMissing"
    CREDENTIAL_SOURCE_UNSUPPORTED = "CredentialSourceUnsupported"
    CREDENTIAL_NOT_TEXT = "CredentialNotText"
    TOO_MANY_WORKLOADS = "TooManyWorkloads"
    SCHEDULE_TOO_OFTEN = "ScheduleTooOften"
    HOST_NOT_ALLOWED = "HostNotAllowed"
    SECRET_NOT_ALLOWED = "SecretNotAllowed"  # noqa: S105  a reason's name
    NAME_TAKEN = "NameTaken"
    # unknown: the API server did not take a write
    REFUSED = "CronJobRefused"
    SECRET_FAILED = "SecretWriteFailed"  # noqa: S105  a reason's name
    WRITE_CONFLICT = "WriteConflict"
    WRITE_FAILED = "WriteFailed"


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a workload cannot be backed up as it is; `message`, for its people, has no secrets."""

    reason: Reason
    message: str


class RejectedError(Exception):
    """Carries a rejection out of nested calls."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.rejected = Rejected(reason, message)


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """A read that got no answer: it proves nothing about what exists (contract section 9.1)."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadStatus:
    """The state of one workload after a pass, and why."""

    state: State
    reason: Reason
    message: str = ""

    @classmethod
    def unknown(cls, why: "Rejected | ReadFailure") -> "WorkloadStatus":
        """The status of a workload that is rejected, or that a failed read hides."""
        return cls(state=State.UNKNOWN, reason=why.reason, message=why.message)
