"""Finds in a dump's pod why its run failed or cannot begin."""

from collections.abc import Mapping

from controller.model.names import CONTAINER
from controller.model.objects import Json, Objects, created_at
from controller.runs.reasons import UNKNOWN_EXIT, Cause, RunReason, shortened

# A container that waits for these reasons is on its way.
_STARTING = frozenset({"ContainerCreating", "PodInitializing"})
# Ends that explain less than the pod's own status does.
VAGUE_ENDS = frozenset({RunReason.ERROR, RunReason.CONTAINER_STATUS_UNKNOWN})
_DISRUPTIONS: Mapping[str, RunReason] = {
    "PreemptionByScheduler": RunReason.PREEMPTED,
    "EvictionByEvictionAPI": RunReason.EVICTED,
    "DeletionByTaintManager": RunReason.EVICTED,
    "DeletionByPodGC": RunReason.NODE_LOST,
}
_POD_REASONS: Mapping[str, RunReason] = {
    "Evicted": RunReason.EVICTED,
    "Preempting": RunReason.PREEMPTED,
    "NodeLost": RunReason.NODE_LOST,
    "NodeShutdown": RunReason.NODE_SHUTDOWN,
    "Shutdown": RunReason.NODE_SHUTDOWN,
    "Terminated": RunReason.NODE_SHUTDOWN,
    "DeadlineExceeded": RunReason.DEADLINE_EXCEEDED,
}


def container_end(pod: Json) -> Json | None:
    """Return the dump container's `terminated` state, None while it has not ended."""
    found: Json | None = _state(pod).get("terminated")
    return found


def is_running(pod: Json) -> bool:
    """Whether the dump container runs."""
    return _state(pod).get("running") is not None


def running_containers(pod: Json) -> list[str]:
    """Name the containers of a pod that run, with those that are injected before all others."""
    return [
        str(container.get("name"))
        for kind in ("initContainerStatuses", "containerStatuses")
        for container in _statuses(pod, kind)
        if (container.get("state") or {}).get("running") is not None
    ]


def cause_in_pod(pod: Json) -> Cause | None:
    """Find why the pod's dump failed or does not begin; None if the pod shows nothing of it.

    The container's own state comes first, then what the pod says of itself. Only an end without a
    reason of its own (`Error`) stands back: a pod that was evicted shows it too.
    """
    ended = _cause_of_end(container_end(pod))
    if ended and ended.reason not in VAGUE_ENDS:
        return ended
    return _cause_of_waiting(pod) or _cause_of_pod(pod, ended) or ended


def pods_newest_first(pods: Objects) -> list[Json]:
    """Sort a Job's pods, one for each of its tries, from the last try to the first."""
    return sorted(pods, key=_time_of_pod, reverse=True)


def _state(pod: Json) -> Json:
    """Return the dump container's state, empty where the kubelet has reported none yet."""
    for container in _statuses(pod, "containerStatuses"):
        if container.get("name") == CONTAINER:
            state: Json = container.get("state") or {}
            return state
    return {}


def _statuses(pod: Json, kind: str) -> list[Json]:
    return (pod.get("status") or {}).get(kind) or []


def _cause_of_end(end: Json | None) -> Cause | None:
    if not end or end.get("exitCode") == 0:
        return None
    code = int(end.get("exitCode", UNKNOWN_EXIT))
    reason = _known(end.get("reason"), RunReason.ERROR)
    if reason is RunReason.OOM_KILLED:
        message = f"the dump needed more memory than its limit (exit code {code})"
    elif reason in VAGUE_ENDS:
        # Its termination message is none of ours, so it may hold anything.
        message = f"the dump ended with exit code {code} and left no result"
    else:
        message = shortened(end.get("message"))
    return Cause(reason=reason, message=message, exit_code=code)


def _cause_of_waiting(pod: Json) -> Cause | None:
    """Find what keeps the dump container, or an init container before it, from starting."""
    states = [_state(pod)]
    if not states[0].get("terminated"):
        states += [item.get("state") or {} for item in _statuses(pod, "initContainerStatuses")]
    for state in states:
        waiting = state.get("waiting") or {}
        name = waiting.get("reason")
        if name and name not in _STARTING:
            reason = _known(name, RunReason.CONTAINER_NOT_STARTED)
            message = str(waiting.get("message") or "")
            return Cause(reason=reason, message=shortened(_named(name, reason, message)))
    return None


def _cause_of_pod(pod: Json, ended: Cause | None) -> Cause | None:
    """Find the cause in the pod's own status and conditions; the exit code is from `ended`."""
    status = pod.get("status") or {}
    code = ended.exit_code if ended else UNKNOWN_EXIT
    conditions = {
        item.get("type"): item
        for item in status.get("conditions") or ()
        if isinstance(item, Mapping)
    }
    message = str(status.get("message") or "")
    if name := status.get("reason"):
        reason = _POD_REASONS.get(name, RunReason.POD_FAILED)
        return Cause(
            reason=reason, message=shortened(_named(name, reason, message)), exit_code=code
        )
    disruption = conditions.get("DisruptionTarget", {})
    if disruption.get("status") == "True":
        reason = _DISRUPTIONS.get(str(disruption.get("reason")), RunReason.DISRUPTED)
        return Cause(reason=reason, message=shortened(disruption.get("message")), exit_code=code)
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return Cause(reason=RunReason.UNSCHEDULABLE, message=shortened(scheduled.get("message")))
    return None


def _time_of_pod(pod: Json) -> tuple[str, str]:
    created = created_at(pod)
    return created, str((container_end(pod) or {}).get("finishedAt") or "")


def _known(name: object, other: RunReason) -> RunReason:
    try:
        return RunReason(str(name))
    except ValueError:
        return other


def _named(name: str, reason: RunReason, message: str) -> str:
    """Put Kubernetes' own name of the reason before the message where our name differs."""
    return message if name == reason else ": ".join(filter(None, (name, message)))
