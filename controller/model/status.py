"""Why a workload is in its state: one enum, whose names are stable for metrics and Events."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """In which of five states every known workload ends a pass (contract section 9.1)."""

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
    # gone, replaced, unwatched
    OWNER_NOT_FOUND = "OwnerNotFound"
    NAMESPACE_NOT_FOUND = "NamespaceNotFound"
    DISABLED = "Disabled"
    TYPE_CHANGED = "TypeChanged"
    GROUP_CHANGED = "GroupChanged"
    NAMESPACE_UNWATCHED = "NamespaceUnwatched"
    # unknown: what the cluster does not tell
    FORBIDDEN = "ReadForbidden"
    UNAVAILABLE = "ReadFailed"
    OWNER_UNREADABLE = "OwnerUnreadable"
    NO_RUNNING_POD = "NoRunningPod"
    CLUSTER_UNKNOWN = "ClusterUnknown"
    INTERNAL_ERROR = "InternalError"
    # unknown: what the workload's people have to change
    STANDALONE_POD = "StandalonePod"
    CONFLICTING_ANNOTATIONS = "ConflictingAnnotations"
    TYPE_INVALID = "TypeInvalid"
    VERSION_INVALID = "VersionInvalid"
    SCHEDULE_INVALID = "ScheduleInvalid"
    TIME_ZONE_INVALID = "TimeZoneInvalid"
    RECIPIENT_MISSING = "RecipientMissing"
    RECIPIENT_INVALID = "RecipientInvalid"
    ANNOTATION_INVALID = "AnnotationInvalid"
    CONTAINER_MISSING = "ContainerMissing"
    SERVICE_MISSING = "ServiceMissing"
    SERVICE_AMBIGUOUS = "ServiceAmbiguous"
    CREDENTIALS_MISSING = "CredentialsMissing"
    CREDENTIAL_SOURCE_MISSING = "CredentialSourceMissing"
    CREDENTIAL_SOURCE_UNSUPPORTED = "CredentialSourceUnsupported"
    CREDENTIAL_NOT_TEXT = "CredentialNotText"
    NAME_TAKEN = "NameTaken"
    # unknown: what the API server said to a write
    REFUSED = "CronJobRefused"
    SECRET_FAILED = "SecretWriteFailed"  # noqa: S105  a reason's name
    WRITE_CONFLICT = "WriteConflict"
    WRITE_FAILED = "WriteFailed"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A workload that cannot be backed up as it is; `message`, for its people, has no secrets."""

    reason: Reason
    message: str


class RejectedError(Exception):
    """Carries a rejection out of the middle of a decision."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.rejected = Rejected(reason, message)


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """A read that got no answer, which says nothing about what exists (contract section 9.1)."""

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
        """What a rejection or a failed read makes of a workload."""
        return cls(state=State.UNKNOWN, reason=why.reason, message=why.message)
