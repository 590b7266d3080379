"""When the next good run of a workload must be there: by schedule, last success and deadlines.

A run is due once a moment of the schedule has passed since which none succeeded, and the time that
a run may take has passed as well. So a run that failed is overdue only when the next one should
have healed it, and whatever the calendar does, a good run is never called late.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from controller.model.names import LAST_SUCCESS, SCHEDULED_SINCE, SUSPENDED_SINCE
from controller.model.objects import Json, annotations_of, created_at, is_suspended, recorded
from controller.settings.settings import Settings
from controller.workloads.timing.run_times import next_instant
from controller.workloads.timing.schedules import Every, parse

_UTC = "Etc/UTC"
# The controller's own default; a CronJob of 0.6.0 has the same.
_DEADLINE = 14400
# Between the end of a run and its record: the Job's controller, and a pass that takes long.
_SLACK = 300
# Longer deadlines are no numbers of the calendar any more.
_LONGEST = 10 * 366 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What decides when a run is due; moments are in seconds since the epoch.

    `since` is when the last good run ended, or since when this schedule is in force, whichever is
    later. `anchor` is a moment at which the CronJob began a run, or was made: `@every` counts from
    it. `allowance` is how many seconds after its moment a run must have succeeded.
    """

    schedule: str
    zone: str
    since: int
    anchor: int
    allowance: int


def slack_of(settings: Settings) -> int:
    """How many seconds after its end a run may be recorded: what ended waits for a pass."""
    return _SLACK + settings.poll_interval


def overdue_message(cronjob: Json, due_by: int | None, now: datetime) -> str:
    """Say since when a good run should be there; empty where none is late.

    `due_by` is as `due_at` says.
    """
    if due_by is None or due_by >= now.timestamp():
        return ""
    last = last_success_of(cronjob)
    known = f"the last one ended {_moment(last)}" if last is not None else "there is none yet"
    return f"a good run should have ended by {_moment(due_by)}, and {known}"


def due_at(cronjob: Json, slack: int = _SLACK) -> int | None:
    """When the next good run must have ended, in seconds since the epoch.

    None while the CronJob is suspended, for one whose schedule never comes, and for one that is
    not as the API server gives it. `slack` is in seconds.
    """
    if is_suspended(cronjob):
        return None
    expected = expectation_of(cronjob, slack)
    return None if expected is None else due(expected)


def due(expected: Expectation) -> int | None:
    """When a run is due; None if the schedule never comes, or cannot be read."""
    try:
        first = first_moment(expected)
    except (ValueError, KeyError, OSError, OverflowError):
        # ScheduleError is a ValueError; a zone that this machine does not know is a KeyError.
        return None
    return None if first is None else first + expected.allowance


def first_moment(expected: Expectation) -> int | None:
    """The first moment of the schedule after `since`; None if it never comes."""
    parsed = parse(expected.schedule)
    if not isinstance(parsed, Every):
        return next_instant(expected.schedule, expected.zone, expected.since)
    delay = int(parsed.delay.total_seconds())
    return expected.anchor + ((expected.since - expected.anchor) // delay + 1) * delay


def expectation_of(cronjob: Json, slack: int = _SLACK) -> Expectation | None:
    """Read from a CronJob what is expected of it; None if it has no schedule or no beginning."""
    spec: Json = cronjob.get("spec") or {}
    status: Json = cronjob.get("status") or {}
    created = seconds_of(created_at(cronjob))
    schedule = str(spec.get("schedule") or "")
    if created is None or not schedule:
        return None
    job: Json = (spec.get("jobTemplate") or {}).get("spec") or {}
    starting, active = spec.get("startingDeadlineSeconds"), job.get("activeDeadlineSeconds")
    allowed = _bounded(starting, 0) + _bounded(active, _DEADLINE)
    return Expectation(
        schedule=schedule,
        zone=str(spec.get("timeZone") or _UTC),
        since=max(created, last_success_of(cronjob) or 0, in_force_since(cronjob)),
        anchor=seconds_of(status.get("lastScheduleTime")) or created,
        allowance=allowed + slack,
    )


def last_success_of(cronjob: Json) -> int | None:
    """When the last good run ended, in seconds since the epoch; None if none is known.

    Of runs before this controller was there Kubernetes itself has kept the last good one.
    """
    recorded_end = seconds_of(recorded(cronjob, LAST_SUCCESS).get("finished"))
    if recorded_end is not None:
        return recorded_end
    return seconds_of((cronjob.get("status") or {}).get("lastSuccessfulTime"))


def in_force_since(cronjob: Json) -> int:
    """Since when a CronJob has its schedule, in seconds since the epoch; 0 where it always had."""
    return seconds_of(annotations_of(cronjob).get(SCHEDULED_SINCE)) or 0


def suspended_since(cronjob: Json) -> int | None:
    """Since when a CronJob is suspended, in seconds since the epoch; None while it is not."""
    if not is_suspended(cronjob):
        return None
    return seconds_of(annotations_of(cronjob).get(SUSPENDED_SINCE))


def seconds_of(moment: object) -> int | None:
    """A moment in RFC 3339, in seconds since the epoch; None if it is none, or has no zone."""
    try:
        found = datetime.fromisoformat(str(moment or ""))
        return int(found.astimezone(UTC).timestamp()) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _bounded(seconds: Any, unset: int) -> int:
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        return unset
    return min(max(seconds, 0), _LONGEST)
