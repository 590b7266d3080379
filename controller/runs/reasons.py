"""Why a run failed or cannot begin, as far as Kubernetes shows; the dumper has reasons of its own.

Both kinds of reasons reach the annotation `last-result`, and docs/operations.md lists them.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

# Kubernetes bounds none of its messages.
_MAX_MESSAGE = 500
# Registries sign the addresses of layers, and a login may stand in front of a host.
_QUERY = re.compile(r"(://[^\s?\"']+)\?[^\s\"']*")
_LOGIN = re.compile(r"://[^\s/@]+@")
# The exit code of a run of which no container ended.
UNKNOWN_EXIT = -1


class RunReason(StrEnum):
    """Stable CamelCase names, Kubernetes' own where it has one: a name is added, never changed."""

    # The container ended.
    OOM_KILLED = "OOMKilled"
    START_ERROR = "StartError"
    CONTAINER_CANNOT_RUN = "ContainerCannotRun"
    CONTAINER_STATUS_UNKNOWN = "ContainerStatusUnknown"
    ERROR = "Error"
    # The container does not start.
    ERR_IMAGE_PULL = "ErrImagePull"
    IMAGE_PULL_BACK_OFF = "ImagePullBackOff"
    ERR_IMAGE_NEVER_PULL = "ErrImageNeverPull"
    INVALID_IMAGE_NAME = "InvalidImageName"
    CREATE_CONTAINER_CONFIG_ERROR = "CreateContainerConfigError"
    CREATE_CONTAINER_ERROR = "CreateContainerError"
    RUN_CONTAINER_ERROR = "RunContainerError"
    CONTAINER_NOT_STARTED = "ContainerNotStarted"
    FAILED_MOUNT = "FailedMount"
    FAILED_SANDBOX = "FailedCreatePodSandBox"
    # The pod was taken away, or has no place.
    UNSCHEDULABLE = "Unschedulable"
    EVICTED = "Evicted"
    PREEMPTED = "Preempted"
    NODE_LOST = "NodeLost"
    NODE_SHUTDOWN = "NodeShutdown"
    DISRUPTED = "Disrupted"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    POD_FAILED = "PodFailed"
    # There is no pod.
    QUOTA_EXCEEDED = "QuotaExceeded"
    SERVICE_ACCOUNT_MISSING = "ServiceAccountMissing"
    ADMISSION_DENIED = "AdmissionDenied"
    FAILED_CREATE = "FailedCreate"
    NO_POD = "NoPod"
    # The dump has ended, its pod has not.
    POD_STILL_RUNNING = "PodStillRunning"
    # All shards were stored, and no pod has made the backup of them.
    MANIFEST_MISSING = "ManifestMissing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a run failed or does not begin; `exit_code` is -1 where no container ended."""

    reason: RunReason
    message: str = ""
    exit_code: int = UNKNOWN_EXIT


def shortened(text: object) -> str:
    """Bound a message of the cluster, and leave out what may be secret in addresses."""
    plain = _LOGIN.sub("://***@", _QUERY.sub(r"\1?***", str(text or "")))
    return plain if len(plain) <= _MAX_MESSAGE else f"{plain[: _MAX_MESSAGE - 1]}…"
