"""Finds the runs that do not begin, or whose pod does not end, while they still can be helped."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.model.objects import Json, Objects, created_at, name_of, uid_of
from controller.runs.causes.event_causes import cause_in_events
from controller.runs.causes.pod_causes import (
    cause_in_pod,
    is_running,
    pods_newest_first,
    running_containers,
)
from controller.runs.causes.shards import shard_of
from controller.runs.dump_outcome import finished_in
from controller.runs.job_status import is_active, started_at
from controller.runs.reasons import Cause, RunReason, shortened

# An autoscaler takes minutes to bring a node, and a large image takes minutes to be pulled.
_PATIENCE = timedelta(minutes=5)
_ENDED_PHASES = frozenset({"Succeeded", "Failed"})
# Kubernetes' own words for a container that it tried to start in vain.
_AT_ONCE = frozenset(
    {
        RunReason.ERR_IMAGE_PULL,
        RunReason.IMAGE_PULL_BACK_OFF,
        RunReason.ERR_IMAGE_NEVER_PULL,
        RunReason.INVALID_IMAGE_NAME,
        RunReason.CREATE_CONTAINER_CONFIG_ERROR,
        RunReason.CREATE_CONTAINER_ERROR,
        RunReason.RUN_CONTAINER_ERROR,
    }
)
# Of a Job that never had a pod: the API server's own words for why it takes none.
_REFUSED = frozenset(
    {
        RunReason.ADMISSION_DENIED,
        RunReason.QUOTA_EXCEEDED,
        RunReason.SERVICE_ACCOUNT_MISSING,
    }
)
_NO_POD = Cause(reason=RunReason.NO_POD, message="its Job has no pod, or none that has not ended")


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedRun:
    """A Job that is active, but whose dump does not begin, or whose pod does not end.

    `since` is in RFC 3339. `is_explained` is False where `cause` is but a guess, as neither the
    pod nor an Event shows more.
    """

    job: str
    since: str
    cause: Cause
    is_explained: bool = True


def blocked_runs(
    jobs: Iterable[Json],
    pods: Mapping[str, Objects],
    events: Mapping[str, Objects],
    now: datetime,
) -> tuple[BlockedRun, ...]:
    """Find the blocked runs among some Jobs; `pods` and `events` go by Job uid."""
    found = (
        blocked_run(job, pods.get(uid_of(job), ()), events.get(uid_of(job), ()), now)
        for job in jobs
    )
    return tuple(filter(None, found))


def blocked_run(job: Json, pods: Objects, events: Objects, now: datetime) -> BlockedRun | None:
    """Find what blocks a Job; None if nothing does, if the Job is not active, or not for long.

    A container that fails to start counts at once, and so does a first pod that is refused;
    everything else counts after five minutes.
    """
    if not is_active(job):
        return None
    tries = pods_newest_first(pods)
    newest = next(iter(tries), None)
    # Of several shards, the pods of others may have ended already, or run.
    live = [pod for pod in tries if _phase(pod) not in _ENDED_PHASES]
    looked = live if newest and shard_of(newest) else live[:1]
    found = (
        [_with_live_pod(job, pod, events) for pod in looked]
        if looked
        else [_without_live_pod(job, newest, events)]
    )
    at_once = _REFUSED if newest is None else _AT_ONCE
    counting = (
        item
        for item in found
        if item and (item.cause.reason in at_once or _is_long_ago(item.since, now))
    )
    return next(counting, None)


def _with_live_pod(job: Json, pod: Json, events: Objects) -> BlockedRun | None:
    """Describe a Job by a pod that has not ended; None if its dump runs."""
    if ended := finished_in(pod):
        return _with_lingering_pod(job, pod, ended)
    return _with_pending_pod(job, pod, events)


def _without_live_pod(job: Json, last: Json | None, events: Objects) -> BlockedRun:
    """Describe a Job that has no pod, or only pods of tries that have ended."""
    since = max(started_at(job), finished_in(last) if last else "")
    cause = cause_in_events(events)
    return BlockedRun(
        job=name_of(job), since=since, cause=cause or _NO_POD, is_explained=cause is not None
    )


def _with_lingering_pod(job: Json, pod: Json, ended: str) -> BlockedRun:
    """Describe a Job whose dump has ended, but not its pod, so that no next run may begin."""
    others = ", ".join(running_containers(pod)) or "no container that is seen"
    message = f"the dump has ended, but its pod is kept running by: {others}"
    return BlockedRun(
        job=name_of(job),
        since=ended,
        cause=Cause(reason=RunReason.POD_STILL_RUNNING, message=shortened(message)),
    )


def _with_pending_pod(job: Json, pod: Json, events: Objects) -> BlockedRun | None:
    """Describe a Job whose pod has not begun its dump; None if the dump runs."""
    if is_running(pod):
        return None
    since = created_at(pod) or started_at(job)
    cause = cause_in_pod(pod) or cause_in_events(events)
    return BlockedRun(
        job=name_of(job), since=since, cause=cause or _not_started(pod), is_explained=bool(cause)
    )


def _not_started(pod: Json) -> Cause:
    """The cause of a dump of which only its waiting is seen, maybe for a sidecar to be ready."""
    first = ", ".join(running_containers(pod))
    waits = f": it waits for {first}" if first else ""
    message = f"the container of its pod does not start{waits}"
    return Cause(reason=RunReason.CONTAINER_NOT_STARTED, message=shortened(message))


def _phase(pod: Json) -> str:
    return str((pod.get("status") or {}).get("phase", ""))


def _is_long_ago(time: str, now: datetime) -> bool:
    """Whether a time of the API server is past long enough; an unreadable one is not."""
    try:
        return now - datetime.fromisoformat(time) > _PATIENCE
    except (TypeError, ValueError):
        # TypeError: a time without its zone.
        return False
