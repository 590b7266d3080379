"""Finds in Events why a run failed or cannot begin, where its pod does not show it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from controller.model.objects import Json, Objects, name_of, uid_of
from controller.runs.job_status import end_of, ended_at, started_at
from controller.runs.reasons import Cause, RunReason, shortened

_EVENT_REASONS: Mapping[str, RunReason] = {
    "FailedScheduling": RunReason.UNSCHEDULABLE,
    "FailedMount": RunReason.FAILED_MOUNT,
    "FailedAttachVolume": RunReason.FAILED_MOUNT,
    "FailedMapVolume": RunReason.FAILED_MOUNT,
    "FailedCreatePodSandBox": RunReason.FAILED_SANDBOX,
    "InspectFailed": RunReason.INVALID_IMAGE_NAME,
    "ErrImageNeverPull": RunReason.ERR_IMAGE_NEVER_PULL,
    "Evicted": RunReason.EVICTED,
    "Preempting": RunReason.PREEMPTED,
    "NodeShutdown": RunReason.NODE_SHUTDOWN,
}
# Events of one reason differ by their text only. The first pattern found in the text counts.
_CREATION_TEXTS = (
    (re.compile("admission webhook"), RunReason.ADMISSION_DENIED),
    (re.compile("exceeded quota"), RunReason.QUOTA_EXCEEDED),
    (re.compile("looking up service account"), RunReason.SERVICE_ACCOUNT_MISSING),
    (re.compile("is forbidden|denied"), RunReason.ADMISSION_DENIED),
    (re.compile(""), RunReason.FAILED_CREATE),
)
_KUBELET_TEXTS = (
    (re.compile("Back-off pulling image"), RunReason.IMAGE_PULL_BACK_OFF),
    (re.compile("Failed to pull image|ErrImagePull"), RunReason.ERR_IMAGE_PULL),
    (re.compile("ImagePullBackOff"), RunReason.IMAGE_PULL_BACK_OFF),
    (re.compile("InvalidImageName"), RunReason.INVALID_IMAGE_NAME),
    (re.compile("ErrImageNeverPull"), RunReason.ERR_IMAGE_NEVER_PULL),
    (
        re.compile(
            '(secret|configmap) ".*" not found|find key|CreateContainerConfigError|runAsNonRoot'
        ),
        RunReason.CREATE_CONTAINER_CONFIG_ERROR,
    ),
    (re.compile("Error: "), RunReason.CREATE_CONTAINER_ERROR),
)
# Kubernetes cuts what it makes a pod's name of, so that there is room for what it adds.
_LONGEST_BASE = 58
_ADDED = re.compile(r"[a-z0-9]{5}")
_ADDED_LENGTH = 5


def cause_in_events(events: Iterable[Json]) -> Cause | None:
    """Find the newest Event that explains why a run failed or does not begin; None without any."""
    newest_first = sorted(events, key=_time_of_event, reverse=True)
    return next(filter(None, map(_cause_of_event, newest_first)), None)


def events_by_job(jobs: Objects, events: Objects) -> Mapping[str, Objects]:
    """Group Events by the uid of the Job that they are about, by itself or by a pod of it.

    The pods may be gone; their names are the Job's, cut where it is long, and five characters more.
    Each Event is looked at once, however many Jobs there are.
    """
    if not events:
        return {}
    by_uid: dict[str, list[int]] = defaultdict(list)
    by_base: dict[str, list[int]] = defaultdict(list)
    for number, event in enumerate(events):
        involved: Json = event.get("involvedObject") or {}
        name = str(involved.get("name", ""))
        if involved.get("kind") == "Job":
            by_uid[str(involved.get("uid"))].append(number)
        elif involved.get("kind") == "Pod" and _ADDED.fullmatch(name[-_ADDED_LENGTH:]):
            by_base[name[:-_ADDED_LENGTH]].append(number)
    found: dict[str, Objects] = {}
    for job in jobs:
        whole = f"{name_of(job)}-"
        base = whole[:_LONGEST_BASE]
        # A name that was cut may be that of a pod of another run.
        of_pods = (
            number
            for number in by_base.get(base, ())
            if base == whole or _is_within(events[number], job)
        )
        numbers = sorted((*by_uid.get(uid_of(job), ()), *of_pods))
        found[uid_of(job)] = tuple(events[number] for number in numbers)
    return found


def events_of_job(job: Json, events: Objects) -> Objects:
    """Select the Events of a Job and of its pods."""
    return events_by_job((job,), events).get(uid_of(job), ())


def _cause_of_event(event: Json) -> Cause | None:
    name, message = str(event.get("reason")), str(event.get("message") or "")
    if name == "FailedCreate":
        reason = _by_text(_CREATION_TEXTS, message)
    elif name in {"Failed", "BackOff"}:
        reason = _by_text(_KUBELET_TEXTS, message)
    else:
        reason = _EVENT_REASONS.get(name)
    return Cause(reason=reason, message=shortened(message)) if reason else None


def _by_text(patterns: Iterable[tuple[re.Pattern[str], RunReason]], text: str) -> RunReason | None:
    return next((reason for pattern, reason in patterns if pattern.search(text)), None)


def _is_within(event: Json, job: Json) -> bool:
    """Whether an Event is of the time of a Job; one whose time cannot be read is not."""
    end = end_of(job)
    try:
        at, began = map(datetime.fromisoformat, (_time_of_event(event), started_at(job)))
        return began <= at and (end is None or at <= datetime.fromisoformat(ended_at(job, end)))
    except (TypeError, ValueError):
        # TypeError: a time without its zone.
        return False


def _time_of_event(event: Json) -> str:
    series: Any = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return max(str(time or "") for time in times)
