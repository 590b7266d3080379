"""Marks on a CronJob that say since when its schedule is in force, or is suspended.

A run is due by the schedule that a CronJob has, and only since it has it: a schedule that was
changed, or that went on after a pause, must not call a workload late for what came before.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from controller.model.names import HELD_BY, LAST_SUCCESS, SCHEDULED_SINCE, SUSPENDED_SINCE
from controller.model.objects import DELETE, Json, annotations_of, is_suspended, recorded
from controller.runs.due import seconds_of


def schedule_marks(target: Json, existing: Json | None, now: datetime) -> Mapping[str, Any]:
    """Annotations to lay over a CronJob that is paused, goes on, or gets another schedule.

    Empty where nothing changes. A mark that has served its turn is DELETE.
    """
    annotations = annotations_of(target)
    since = annotations.get(SUSPENDED_SINCE)
    if is_suspended(target):
        # While a restore holds it, its command writes, too, and must not be in a race with us.
        return {} if since or HELD_BY in annotations else {SUSPENDED_SINCE: _format(now)}
    marks: dict[str, Any] = {SUSPENDED_SINCE: DELETE} if since else {}
    if since or is_suspended(existing or {}) or _has_changed(target, existing):
        return marks | {SCHEDULED_SINCE: _format(now)}
    in_force = annotations.get(SCHEDULED_SINCE)
    return {SCHEDULED_SINCE: DELETE} if in_force and _is_over(target, in_force) else {}


def _format(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _has_changed(target: Json, existing: Json | None) -> bool:
    """Whether an existing CronJob gets another schedule or time zone."""
    before: Json = (existing or {}).get("spec") or {}
    after: Json = target.get("spec") or {}
    return bool(before) and any(
        before.get(name) != after.get(name) for name in ("schedule", "timeZone")
    )


def _is_over(cronjob: Json, in_force: str) -> bool:
    """Whether a run has succeeded since the moment of a mark, or the mark is none."""
    last = seconds_of(recorded(cronjob, LAST_SUCCESS).get("finished"))
    since = seconds_of(in_force)
    return since is None or (last is not None and last > since)
